"""The recipe: everything that a build depends on, as a frozen value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from zwizard import distros
from zwizard.recipe import fields, toml
from zwizard.recipe.consistency import contradictions
from zwizard.recipe.fields import FIELDS, TABLES, TopLevel
from zwizard.recipe.problems import Problem, RecipeError


@dataclass(frozen=True)
class Recipe(TopLevel):
    """Everything a build depends on; equal recipes give equal artefacts.

    Make one with :meth:`from_dict`, :meth:`from_toml` or :meth:`load`, which validate; they raise
    :class:`RecipeError` naming every wrong key.
    """

    source: fields.Source = field(default_factory=fields.Source)
    system: fields.System = field(default_factory=fields.System)
    kernel: fields.Kernel = field(default_factory=fields.Kernel)
    disk: fields.Disk = field(default_factory=fields.Disk)
    grub: fields.Grub = field(default_factory=fields.Grub)
    container: fields.Container = field(default_factory=fields.Container)
    output: fields.Output = field(default_factory=fields.Output)
    checklist: fields.Checklist = field(default_factory=fields.Checklist)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "the recipe") -> Recipe:
        """The recipe of nested mappings shaped like the TOML file; absent keys have defaults."""
        values, problems = toml.flat(data)
        return cls.from_values(values, where, problems)

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, Any],
        where: str = "the recipe",
        problems: tuple[Problem, ...] = (),
    ) -> Recipe:
        """The recipe of values by key ("source.kind"); ``problems`` were found before."""
        found = (FIELDS[key].problem(value) for key, value in values.items())
        problems += tuple(filter(None, found))
        whole = {key: field.default for key, field in FIELDS.items()} | dict(values)
        if not problems:
            distro = distros.KNOWN.get(whole["source.distro"])
            suited = FIELDS["source.suite"].use.covers(whole)
            if "source.suite" not in values and distro and suited:
                whole["source.suite"] = distro.suites[0].name
            problems = tuple(contradictions(whole))
        if problems:
            raise RecipeError(problems, where)
        tables: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in whole.items():
            table, _, name = key.rpartition(".")
            tables[table][name] = value
        parts = {name: part(**tables[name]) for name, part in TABLES.items()}
        return cls(**tables[""], **parts)

    @classmethod
    def from_toml(cls, text: str, where: str = "the recipe") -> Recipe:
        """The recipe a TOML text describes."""
        return cls.from_dict(toml.parse(text, where), where)

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """The recipe in the file at ``path``."""
        return cls.from_toml(toml.load(path), str(path))

    def values(self) -> dict[str, Any]:
        """Every value by key."""
        return {key: reduce(getattr, key.split("."), self) for key in FIELDS}

    def to_dict(self) -> dict[str, Any]:
        """Nested mappings shaped like the TOML file: what has a meaning or is not the default."""
        values = self.values()
        return toml.nested(
            {
                key: value
                for key, value in values.items()
                if value != FIELDS[key].default
                or (not FIELDS[key].quiet and FIELDS[key].use.covers(values))
            }
        )

    def to_toml(self) -> str:
        """The TOML file of this recipe; :meth:`from_toml` gives an equal one."""
        return toml.dumps(self.to_dict())

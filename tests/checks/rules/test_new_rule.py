"""A rule in a new file of checks/rules is a check; nothing else has to be edited."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manual.rules import rules_table
from zwizard.checks import Outcome, check, explain_rule, list_rules, rules

MODULE = '''
"""Rules about readme files."""

from zwizard.checks.context import CheckContext
from zwizard.checks.rule import EVERY, advice
from zwizard.checks.verdict import Verdict, failed, passed


@advice(
    "There is a readme",
    EVERY,
    source="Readers expect one.",
    fix="Write /README.",
    after="archive-root",
    reads=("/README",),
)
def readme(context: CheckContext) -> Verdict:
    """/README is not empty."""
    return passed("/README") if context.tree.read("/README", 9) else failed("/README is empty")
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A file with one rule, found as if it was in checks/rules."""
    (tmp_path / "zz_readme.py").write_text(MODULE)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    rules.all_rules.cache_clear()
    yield
    sys.modules.pop("zwizard.checks.rules.zz_readme")
    rules.all_rules.cache_clear()


@pytest.mark.usefixtures("module")
def test_a_rule_in_a_new_file_is_checked_listed_and_documented(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.mkdir()
    (image / "README").write_text("hello")
    (image / "LICENSE").write_text("free")
    finding = check(image).findings[-1]
    assert (finding.slug, finding.outcome) == ("readme", Outcome.PASS)
    assert "advice  readme                     There is a readme" in list_rules()
    assert "| `readme` | advice | * | There is a readme | Readers expect one. |" in rules_table()
    assert "Write /README." in explain_rule("readme")
    (image / "README").unlink()
    assert check(image).findings[-1].outcome is Outcome.UNKNOWN

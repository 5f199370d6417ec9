"""Pack the tree as the archive that the hub takes."""

from dataclasses import dataclass

from zwizard.steps.actions.action import OUT, ROOT, Action, line, word


@dataclass(frozen=True)
class Pack(Action):
    """Write the tree as a tar, gzipped at ``level``, its time stamps capped at ``epoch``.

    Sorted, with owners as numbers: equal trees give equal bytes, and the hub maps no names.
    """

    level: int
    epoch: int
    programs = ("tar",)
    modules = ("gzip",)
    leaves = "archive"

    def shell(self) -> str:
        times = (f"--mtime=@{self.epoch}", "--clamp-mtime")
        options = ("--format=gnu", "--sort=name", "--numeric-owner", *times)
        tar = ("tar", "--create", "--directory", ROOT, *options, ".")
        return f"{line(tar)} | treetool gzip {self.level} > {word(OUT)}"

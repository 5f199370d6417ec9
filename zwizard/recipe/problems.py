"""What is wrong with a recipe: one problem a key, and the error that names all of them."""

from dataclasses import dataclass

from zwizard.util.errors import UsageError


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a recipe: its key, the value if there is one, and what is allowed."""

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        """One line: key, value, what is allowed."""
        if self.value is None:
            return f"{self.key}: {self.allowed}"
        if isinstance(self.value, dict):  # values may be secret
            return f"{self.key} = {', '.join(self.value)}: {self.allowed}"
        shown = repr(list(self.value) if isinstance(self.value, tuple) else self.value)
        return f"{self.key} = {shown}: {self.allowed}"


class RecipeError(UsageError):
    """A recipe that cannot be used, with every problem it has."""

    def __init__(self, problems: tuple[Problem, ...], where: str = "the recipe") -> None:
        self.problems = problems
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{where} cannot be used:{lines}", "Fix these keys and try again.")

"""The code that actions run, bash functions and modules of treetools: to run, export and hash."""

import ast
import hashlib
import re
from functools import cache
from importlib import resources

from zwizard.steps.actions import Action

SANDBOX = "sandbox.sh"  # what keeps programs of the tree apart; it wants NETWORK to be set
_PACKAGE = "zwizard.treetools"
_COMMENT = re.compile(r"(^|[ \t])[ \t]*#( .*)?$", re.MULTILINE)


@cache
def script(name: str) -> str:
    """The text of a file in ``steps/scripts``."""
    return resources.files("zwizard.steps").joinpath("scripts", name).read_text("utf-8")


def functions(*actions: Action) -> str:
    """The bash functions that these actions call."""
    names = dict.fromkeys(name for action in actions for name in action.scripts)
    return "\n".join(map(script, names))


def source(module: str) -> str:
    """The text of a module of ``treetools``."""
    return _source(f"{_PACKAGE}.{module}") or ""


def stands_alone(module: str) -> bool:
    """Whether a module of ``treetools`` imports nothing of zwizard's."""
    return not _code(f"{_PACKAGE}.{module}")[0]


@cache
def digest(name: str) -> str:
    """SHA-256 of a script (``disk.sh``) or module of ``treetools`` (``gzip``) and what it imports.

    Comments and docstrings do not count.
    """
    if name.endswith(".sh"):
        code = [line for line in _COMMENT.sub("", script(name)).splitlines() if line]
    else:
        code = [_code(module)[1] for module in sorted(_closure(f"{_PACKAGE}.{name}"))]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()


def _closure(module: str) -> set[str]:
    """The names of ``module`` and of all modules of zwizard's that it imports."""
    found: set[str] = set()
    pending = [module]
    while pending:
        if (name := pending.pop()) not in found:
            found.add(name)
            pending.extend(_code(name)[0])
    return found


@cache
def _source(module: str) -> str | None:
    """The text of a module of zwizard's; None if there is no such module."""
    parts = module.split(".")[1:]
    for file in ((*parts, "__init__.py"), (*parts[:-1], f"{parts[-1] if parts else ''}.py")):
        place = resources.files("zwizard").joinpath(*file)
        if place.is_file():
            return place.read_text("utf-8")
    return None


@cache
def _code(module: str) -> tuple[frozenset[str], str]:
    """What ``module`` imports of zwizard, and its code without comments, docstrings and layout."""
    imports: set[str] = set()
    tree = ast.parse(_source(module) or "")
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                imports.update(alias.name for alias in names)
            case ast.ImportFrom(str(name), names):
                imports.update((name, *(f"{name}.{alias.name}" for alias in names)))
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                match node.body:
                    case [ast.Expr(ast.Constant(str())), *rest]:
                        node.body = rest or [ast.Pass()]
    own = (name for name in imports if name.startswith("zwizard.") and _source(name) is not None)
    return frozenset(own), ast.unparse(tree)

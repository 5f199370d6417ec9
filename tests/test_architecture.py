"""The source tree: imports, sizes of modules and folders, docstrings, names; the tests' shape."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "zwizard"

FACES = ("textual", "rich", "questionary", "prompt_toolkit", "zwizard.tui", "zwizard.plain")


@cache
def modules() -> dict[str, Path]:
    """The modules of zwizard: files by dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Everything in the syntax tree of a module; the first is the module."""
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


# --- imports ------------------------------------------------------------------------------------


def loaded(code: str, *names: str) -> list[str]:
    """The modules among ``names`` that a new Python has loaded after ``code``."""
    code += "\nimport sys; print(*[name for name in sys.argv[1:] if name in sys.modules])"
    argv = [sys.executable, "-c", code, *names]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


IN_THE_BACKGROUND = (
    "zwizard.engine.worker",
    "zwizard.engine.gc",
    "zwizard.jobs.supervisor",
    "zwizard.boottest.runner",
    "zwizard.console.tables",
)


@pytest.mark.slow
def test_what_runs_in_the_background_loads_no_user_interface() -> None:
    assert loaded(f"import {', '.join(IN_THE_BACKGROUND)}", "click", *FACES) == []


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option: str) -> None:
    code = (
        "import sys; from zwizard.__main__ import main; arguments = sys.argv[1:]\n"
        f"sys.argv = ['zwizard', '{option}']\n"
        "try: main()\n"
        "except SystemExit: sys.argv = ['', *arguments]\n"
    )
    heavy = ("sh", "humanize", "asyncio", "zwizard.engine", "zwizard.checks")
    assert loaded(code, *heavy, *FACES) == []


def imports(module: str) -> set[str]:
    """The modules of zwizard that ``module`` imports anywhere, also for type checking only."""
    found = set()
    for node in nodes(modules()[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & modules().keys()) or {node.module}
    return found & modules().keys() - {module}


@pytest.mark.slow
def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: imports(module) for module in modules()}
    # Take away what imports nothing that is left, until only circles and their users remain;
    # then what nothing that is left imports.
    while leaves := {module for module, needs in graph.items() if not needs & graph.keys()}:
        graph = {module: needs for module, needs in graph.items() if module not in leaves}
    while users := graph.keys() - set[str]().union(*graph.values()):
        graph = {module: needs for module, needs in graph.items() if module not in users}
    assert graph.keys() == set()


# What a face keeps for itself; everything else that it writes is the user's (util/user_files).
OWN_FILES = {
    "zwizard.tui.preferences",
    "zwizard.tui.screens.dialogs",  # what was copied
    "zwizard.wizard.draft",
}
FACES_AND_REPORTS = ("cli", "tui", "plain", "console", "wizard", "checks")
WRITES = {"write_text", "write_bytes", "write_atomically", "symlink_to", "hardlink_to", "rename"}


@pytest.mark.slow
def test_files_for_the_user_are_written_in_one_place() -> None:
    writers = {
        module
        for module, path in modules().items()
        if module.split(".")[1:2] and module.split(".")[1] in FACES_AND_REPORTS
        for node in nodes(path)
        if isinstance(node, ast.Call) and _writes(node)
    }
    assert writers == OWN_FILES


def _writes(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    texts = {arg.value for arg in call.args if isinstance(arg, ast.Constant)}
    return name in WRITES or (name == "open" and bool(texts & {"w", "wb", "a", "ab", "x", "xb"}))


# --- sizes --------------------------------------------------------------------------------------

LONGEST = 400
MOST_MODULES = 15


def test_no_module_is_long() -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in modules().values()}
    long = {str(path.relative_to(ROOT)) for path, count in lines.items() if count > LONGEST}
    assert long == set()


def test_no_folder_holds_many_modules() -> None:
    counts = Counter(path.parent for path in modules().values() if path.stem != "__init__")
    assert {str(folder) for folder, count in counts.items() if count > MOST_MODULES} == set()


# --- texts --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_module_begins_with_a_sentence_on_what_it_is_for() -> None:
    assert {name for name, path in modules().items() if not _begins_well(path)} == set()


def _begins_well(path: Path) -> bool:
    module = nodes(path)[0]
    assert isinstance(module, ast.Module)
    docstring = ast.get_docstring(module) or ""
    summary, _, _ = docstring.partition("\n\n")
    return len(summary.split()) > 1 and summary.endswith(".")


RETIRED = frozenset(
    [
        "said",
        "told",
        "given",
        "lacking",
        "begun",
        "wish",
        "mend",
        "mended",
        "proof",
        "proven",
        "afresh",
        "fresh",
        "ledger",
        "attendant",
        "herald",
        "shelf",
        "outlook",
        "standin",
        "takeover",
        "shop",
    ]
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


_FIELDS = ("id", "attr", "name", "arg", "asname")  # of a node, where it holds a name


def words() -> set[str]:
    """The words that the names of zwizard's code are made of."""
    found: set[str] = set()
    for module, path in modules().items():
        found.update(_WORD.findall(module))
        for node in nodes(path):
            for field in _FIELDS:
                if isinstance(name := getattr(node, field, None), str):
                    found.update(word.lower() for word in _WORD.findall(name))
    return found


@pytest.mark.slow
def test_retired_words_are_in_no_name() -> None:
    assert RETIRED & words() == set()


# --- tests --------------------------------------------------------------------------------------

# Of whole builds, of speed, shared helpers, and inputs of which the real outcome is known.
NOT_OF_A_FOLDER = {"real", "bench", "support", "truth"}


def test_the_tests_have_the_shape_of_the_code() -> None:
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("*.py")}
    folders = {path for path in folders if path.parts and path.parts[0] not in NOT_OF_A_FOLDER}
    assert {str(path) for path in folders if not (PACKAGE / path).is_dir()} == set()

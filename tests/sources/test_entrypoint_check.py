"""The entrypoint check: whether the entrypoint is in the source, before anything is built."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.archives import DEBIAN, DIRECTORY, HARD, LINK, Entry, entry, file, system
from tests.support.executables import program
from tests.support.oci import Layout, Members, packed
from zwizard.engine import builds
from zwizard.host.privileges import Privilege
from zwizard.image import oci
from zwizard.image.directory import LazyDirectoryTree
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.sources import entrypoint_check
from zwizard.sources.base import InputReport
from zwizard.wizard import questions, review, suggestions
from zwizard.wizard.review import HostState
from zwizard.wizard.suggestion_service import SuggestionService, entrypoint_report
from zwizard.wizard.suggestions import Hint, Suggestions

LOADER = "/lib64/ld-linux-x86-64.so.2"
SCRIPT = b"#!/usr/bin/none\n"


def plain(name: str) -> Entry:
    info, data = file(name)
    info.mode = 0o644
    return info, data


def given_system(inside: str = "") -> bytes:
    return system(
        b"ID=alpine\n",
        entry(f"{inside}bin", LINK, "usr/bin"),
        entry(f"{inside}opt/app", DIRECTORY),
        file(f"{inside}opt/dynamic", program(interpreter=LOADER)),
        file(f"{inside}opt/script", SCRIPT),
        entry(f"{inside}opt/outside", LINK, "/usr/bin/bash"),
        entry(f"{inside}opt/again", HARD, f"{inside}usr/bin/bash"),
        plain(f"{inside}etc/readme"),
        inside=inside,
    )


MACHINE = HostState(Privilege("root", "you are root", ""), "Debian 12")

Make = Callable[[Path], Path]


def a_tar(place: Path) -> Path:
    found = place / "given.tar.gz"
    found.write_bytes(gzip.compress(given_system()))
    return found


def one_too_deep(place: Path) -> Path:
    found = place / "given.tar"
    found.write_bytes(given_system("given/"))
    return found


def a_directory(place: Path) -> Path:
    found = place / "given"
    found.mkdir()
    packed = a_tar(place)
    subprocess.run(["tar", "-xzf", packed, "-C", found], check=True)
    packed.unlink()
    return found


def a_directory_too_deep(place: Path) -> Path:
    (place / "around").mkdir()
    a_directory(place).rename(place / "around/given")
    return place / "around"


SOURCES = [a_tar, one_too_deep, a_directory, a_directory_too_deep]


def answers(path: Path, entrypoint: str, kind: str = "rootfs", **more: str) -> dict[str, str]:
    given = {"target": "container", "source.kind": kind, "source.location": str(path)}
    return {**given, "container.entrypoint": entrypoint, **more}


def recipe(path: Path, entrypoint: str, kind: str = "rootfs") -> Recipe:
    return questions.to_recipe(answers(path, entrypoint, kind))


@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize(
    ("entrypoint", "wrong"),
    [
        ("/nope", "/nope does not exist"),
        ("/opt/app", "/opt/app is a directory"),
        ("/etc/readme", "/etc/readme is a file, not executable (mode 644)"),
        ("/opt/dynamic", f"/opt/dynamic needs {LOADER} does not exist"),
        ("/opt/script", "/opt/script needs /usr/bin/none does not exist"),
        ("/usr/bin/bash/x", "/usr/bin/bash/x goes through something that is not a directory"),
        ("", "/sbin/init does not exist"),
    ],
)
def test_a_missing_entrypoint_is_reported(
    tmp_path: Path, make: Make, entrypoint: str, wrong: str
) -> None:
    given = make(tmp_path)
    assert entrypoint_report(answers(given, entrypoint)).wrong.startswith(wrong)
    with pytest.raises(RecipeError) as caught:
        builds.open_for(recipe(given, entrypoint), tmp_path)
    assert [problem.key for problem in caught.value.problems] == ["container.entrypoint"]
    assert builds.everything() == []


@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize(
    ("entrypoint", "expected"),
    [
        ("/usr/bin/bash", "Found: /usr/bin/bash is a file"),
        ("/bin/bash", "Found: /bin/bash leads to /usr/bin/bash, a file"),
        ("/opt/outside", "Found: /opt/outside leads to /usr/bin/bash, a file"),
        ("/opt/again", "Found: /opt/again is a file"),
    ],
)
def test_an_existing_entrypoint_is_found_as_in_the_image(
    tmp_path: Path, make: Make, entrypoint: str, expected: str
) -> None:
    given = make(tmp_path)
    assert entrypoint_report(answers(given, entrypoint)) == InputReport(expected)
    builds.open_for(recipe(given, entrypoint), tmp_path)


@pytest.mark.parametrize("more", [{"system.run": "make install"}, {"source.packages": "nginx"}])
def test_an_entrypoint_that_packages_may_add_is_only_doubtful(
    tmp_path: Path, more: dict[str, str]
) -> None:
    path = tmp_path / "given.tar"
    path.write_bytes(system())
    given = answers(path, "/usr/sbin/nginx", **more)
    report = entrypoint_report(given)
    assert not report.wrong
    assert report.doubt.endswith("one of your packages or commands must add it")
    entrypoint_check.require(questions.to_recipe(given), tmp_path)


def test_the_review_reports_a_missing_entrypoint(tmp_path: Path) -> None:
    given = answers(a_tar(tmp_path), "/nope")
    report = [
        one
        for one in review.review_of(given, MACHINE).problems
        if one.key == entrypoint_check.ENTRYPOINT
    ]
    assert [one.message for one in report] == [
        "Entrypoint: /nope does not exist, and no package or command of yours adds it"
    ]


def test_typing_does_not_wait_for_the_file(tmp_path: Path) -> None:
    library, given = SuggestionService(), answers(a_tar(tmp_path), "/nope")
    assert library.current(given).entrypoint == InputReport()
    for expected in ("Searching the file for the entrypoint …", "/nope does not exist"):
        work = library.pending(given)  # first what it is, then what is in it
        assert work is not None
        work()
        report = library.current(given).entrypoint
        assert (report.wrong or report.summary).startswith(expected)
    assert not entrypoint_check.takes_long(given)
    assert library.current({**given, "container.entrypoint": "/bin/bash"}).entrypoint.summary
    (tmp_path / "given.tar.gz").write_bytes(gzip.compress(system(b"ID=alpine\n")))
    assert review.review_of(given, MACHINE, wait=False).recipe is not None
    assert entrypoint_check.takes_long(given)


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = answers(a_tar(tmp_path), "/nope")
    assert entrypoint_report(given).wrong
    monkeypatch.setattr(entrypoint_check, "_read_archive", None)
    assert entrypoint_report(given).wrong
    entrypoint_check.require(recipe(tmp_path / "given.tar.gz", "/bin/bash"), tmp_path)


def test_an_unreadable_archive_gives_no_report(tmp_path: Path) -> None:
    path = tmp_path / "given.tar"
    path.write_bytes(system(DEBIAN, file("opt/app"), file("opt/more"))[:6000])
    assert entrypoint_report(answers(path, "/nope")) == InputReport()


def test_a_link_out_of_a_directory_is_followed_inside(tmp_path: Path) -> None:
    given = a_directory(tmp_path)
    (given / "opt/leads").symlink_to(f"{'../' * 20}usr/bin/bash")
    (given / "opt/host").symlink_to("/bin/true")
    view = LazyDirectoryTree(given)
    assert view.resolve("/opt/leads").shown == "/opt/leads leads to /usr/bin/bash, a file"
    assert entrypoint_report(answers(given, "/opt/host")).wrong.startswith(
        "/opt/host leads to /usr/bin/true, which does not exist"
    )
    assert [one.name for one in view.listing("/usr")] == ["bin", "lib"]
    assert {one.path for one in view.entries()} >= {"/usr/lib/os-release", "/opt/leads"}


# --- container images ---------------------------------------------------------------------------

BASE: Members = [
    ("bin", None),
    ("bin/sh", (0o755, 0, 0, program())),
    ("opt", None),
    ("opt/gone", (0o755, 0, 0, program())),
    ("opt/dir", None),
    ("opt/dir/old", (0o755, 0, 0, program())),
    ("opt/replaced", None),
    ("opt/replaced/old", (0o755, 0, 0, program())),
    ("lib", "bin"),
]
TOP: Members = [
    ("opt/.wh.gone", b""),
    ("opt/dir/.wh..wh..opq", b""),
    ("opt/dir/new", (0o755, 0, 0, program())),
    ("opt/replaced", (0o755, 0, 0, program())),
    ("lib/below", (0o755, 0, 0, program())),
]


@pytest.mark.parametrize("as_tar", [False, True])
@pytest.mark.parametrize(
    ("entrypoint", "wrong"),
    [
        ("/opt/gone", "/zos-start starts /opt/gone: /opt/gone does not exist"),
        ("/opt/dir/old", "/zos-start starts /opt/dir/old: /opt/dir/old does not exist"),
        ("/opt/replaced/old", "/zos-start starts /opt/replaced/old: /opt/replaced/old goes"),
        ("/opt/dir/new", ""),
        ("/opt/replaced", ""),
        ("/bin/below", ""),
        ("", "/zos-start starts start.sh: /opt/bin/start.sh does not exist"),
    ],
)
def test_whiteouts_of_later_layers_remove_files(
    tmp_path: Path, entrypoint: str, wrong: str, *, as_tar: bool
) -> None:
    image = Layout(tmp_path / "image").image(BASE, TOP).write()
    given = packed(image, tmp_path / "image.tar") if as_tar else image
    report = entrypoint_report(answers(given, entrypoint, "oci"))
    assert report.wrong.startswith(wrong) if wrong else report.summary.startswith("Found: ")
    if wrong:
        with pytest.raises(RecipeError, match=r"container\.entrypoint"):
            builds.open_for(recipe(given, entrypoint, "oci"), tmp_path)


def test_a_layer_is_unpacked_over_those_below(tmp_path: Path) -> None:
    image = Layout(tmp_path / "image").image(BASE, TOP, [("opt/gone", None)]).write()
    found = oci.layered_tree(image)
    assert [one.path for one in found.entries()] == [
        *("/bin", "/bin/below", "/bin/sh", "/lib", "/opt", "/opt/dir", "/opt/dir/new"),
        *("/opt/gone", "/opt/replaced"),
    ]


def test_an_image_without_an_entrypoint_requires_one(
    tmp_path: Path,
) -> None:
    image = Layout(tmp_path / "image").image(BASE, Env=["A=b"]).write()
    assert "starts nothing" in entrypoint_report(answers(image, "", "oci")).wrong


# --- a distribution -----------------------------------------------------------------------------

ENTRYPOINT = next(q for q in questions.all_questions() if q.key == entrypoint_check.ENTRYPOINT)


@pytest.mark.parametrize(
    ("entrypoint", "run", "doubted"),
    [
        ("/usr/sbin/nginx", "", False),
        ("/bin/sh", "", False),
        ("/app", "", True),
        ("/usr/local/bin/app", "", True),
        ("/srv/app", "install -D x /srv/app", False),
    ],
)
def test_an_entrypoint_that_a_distribution_may_lack_is_doubtful(
    entrypoint: str, run: str, *, doubted: bool
) -> None:
    given = {"target": "container", "container.entrypoint": entrypoint, "system.run": run}
    assert suggestions.hint(ENTRYPOINT, given, Suggestions()).doubt is doubted
    assert suggestions.hint(ENTRYPOINT, given, Suggestions(), typing=True) == Hint()


def test_only_a_complete_entrypoint_is_reported_as_wrong(tmp_path: Path) -> None:
    known = Suggestions(entrypoint=InputReport(wrong="/nope does not exist"))
    given = answers(tmp_path, "/nope")
    assert suggestions.hint(ENTRYPOINT, given, known) == Hint("/nope does not exist.", doubt=True)
    assert suggestions.hint(ENTRYPOINT, given, known, typing=True) == Hint()

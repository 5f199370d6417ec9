"""What zwizard keeps is its user's alone; what it writes for the user goes by the umask."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builds import begin, new_build
from zwizard.util import paths


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.slow
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027])
def test_nobody_else_reads_what_is_kept(tmp_path: Path, xdg: Path, umask: int) -> None:
    (xdg / "state/zwizard").mkdir(parents=True, mode=0o755)
    script = (
        "from pathlib import Path\n"
        "from tests.support.builds import begin, new_build\n"
        "from zwizard.jobs import lock\n"
        "from zwizard.recipe.model import Recipe\n"
        "from zwizard.util import paths, user_files\n"
        "from zwizard.wizard.draft import Draft\n"
        "paths.keep_private()\n"
        f"build = new_build('web', Path({str(tmp_path)!r}))\n"
        "begin(build)\n"
        "lock.acquire(build.lock)\n"
        "Draft.open(paths.draft()).load(Recipe())\n"
        f"user_files.here().write(Path({str(tmp_path / 'new/report.md')!r}), 'x')\n"
    )
    subprocess.run([sys.executable, "-c", script], umask=umask, check=True)
    home = xdg / "state/zwizard"
    found = [home, *home.rglob("*")]
    assert {path.name for path in found} >= {"recipe.toml", "journal.jsonl", "lock", "draft.json"}
    assert [path for path in found if mode(path) & 0o077] == []
    assert mode(tmp_path / "new/report.md") == 0o666 & ~umask
    assert mode(tmp_path / "new") == 0o777 & ~umask


def test_a_worker_keeps_its_files_private_too(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    build.journal.unlink(missing_ok=True)
    before = os.umask(0o022)
    try:
        begin(build)
        paths.write_atomically(build.report_file, "{}")
    finally:
        os.umask(before)
    assert mode(build.journal) == mode(build.report_file) == 0o600

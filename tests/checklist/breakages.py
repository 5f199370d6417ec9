"""Ways to break an image: each a function that changes the directory it is given."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import zwizard
from tests.artefact.composed import CONFIG, VERSION

CONFIG_FILE = f"boot/config-{VERSION}"

Breakage = Callable[[Path], None]


def write(name: str, data: bytes) -> Breakage:
    def breaks(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        own(root / name)
        (root / name).write_bytes(data)

    return breaks


def own(path: Path) -> None:
    """Make a file of the tree's own of one that it may share with another by a hard link."""
    if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
        data, bits = path.read_bytes(), path.stat().st_mode
        path.unlink()
        path.write_bytes(data)
        path.chmod(bits)


def link(name: str, target: str) -> Breakage:
    def breaks(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)

    return breaks


def directory(name: str) -> Breakage:
    return lambda root: (root / name).mkdir()


def move(name: str, to: str) -> Breakage:
    def breaks(root: Path) -> None:
        (root / name).rename(root / to)

    return breaks


def remove(*names: str) -> Breakage:
    def breaks(root: Path) -> None:
        for name in names:
            path = root / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    return breaks


def configured(old: str, new: str) -> Breakage:
    return write(CONFIG_FILE, CONFIG.replace(old, new).encode())


def both(*breakages: Breakage) -> Breakage:
    def breaks(root: Path) -> None:
        for breakage in breakages:
            breakage(root)

    return breaks


def wrapped(root: Path) -> None:
    inner = root / "ubuntu"
    others = list(root.iterdir())
    inner.mkdir()
    for path in others:
        path.rename(inner / path.name)


def emptied(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


def executable(name: str, text: str) -> Breakage:
    def breaks(root: Path) -> None:
        write(name, text.encode())(root)
        mode(name, 0o755)(root)

    return breaks


def own_hook(root: Path) -> None:
    """The hook that zwizard itself puts into the VMs it builds."""
    files = Path(zwizard.__file__).parent / "plan/files"
    executable("etc/kernel/postinst.d/zz-zos-kernel", (files / "zz-zos-kernel").read_text())(root)


def packages(*paragraphs: str) -> Breakage:
    return write("var/lib/dpkg/status", "\n\n".join(paragraphs).encode())


def mode(name: str, bits: int) -> Breakage:
    def breaks(root: Path) -> None:
        own(root / name)
        (root / name).chmod(bits)

    return breaks


def replaced(name: str, old: str, new: str) -> Breakage:
    def breaks(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        write(name, text.replace(old, new).encode())(root)

    return breaks

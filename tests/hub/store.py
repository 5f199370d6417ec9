"""What is on the hub: a directory of flists for each user, as the real one keeps them."""

from __future__ import annotations

import hashlib
import io
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from tests.hub.flist import Kind, Tree, block_id, make_flist
from tests.hub.unpack import counts
from tests.hub.upload import flist_name

PROTECTED = {"readme", "backend", "entrypoint", "environ", "port", "volume"}


class Store:
    """Flists are files and links; what is in those made here is remembered by their MD5."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.trees: dict[str, Tree] = {}
        self.blocks: set[bytes] = set()  # their names, of all flists that were ever made here

    def path(self, user: str, name: str) -> Path:
        return self.directory / user / flist_name(name)

    def missing(self, user: str, name: str) -> str:
        """Why there is no such flist; "" if there is."""
        if not (self.directory / user).is_dir():
            return "user not found"
        path = self.path(user, name)
        return "" if path.is_file() or path.is_symlink() else "source not found"

    def publish(self, user: str, name: str, flist: bytes, tree: Tree | None = None) -> Path:
        """Put ``flist`` there, over one of the same name; of a link, only the link is replaced."""
        path = self.path(user, name)
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.directory, delete=False) as file:
            file.write(flist)
        Path(file.name).replace(path)
        self.trees[_md5(flist)] = tree or {}
        self.blocks |= {block_id(key) for node in (tree or {}).values() for key in node.keys}
        return path

    def make(self, user: str, name: str, tree: Tree, metadata: dict[str, str], made: int) -> None:
        self.publish(user, name, make_flist(tree, metadata, made=made), tree)

    def md5(self, user: str, name: str) -> str:
        return _md5(self.path(user, name).read_bytes())

    def names(self, user: str) -> list[str]:
        return sorted(path.name for path in (self.directory / user).glob("*"))

    def listing(self, user: str) -> list[dict[str, object]]:
        return [self._line(self.directory / user / name) for name in self.names(user)]

    def _line(self, path: Path) -> dict[str, object]:
        facts = path.stat() if path.exists() else path.lstat()
        line: dict[str, object] = {
            "name": path.name,
            "size": f"{facts.st_size / 1024:.2f} KB",
            "updated": int(facts.st_mtime),
            "type": "regular",
        }
        return line | self._link(path)

    def _link(self, path: Path) -> dict[str, object]:
        if not path.is_symlink():
            return {}
        made = int(path.lstat().st_mtime)
        return {"linktime": made, "type": "symlink", "target": str(path.readlink())}

    def light(self, user: str, name: str) -> dict[str, object]:
        path = self.path(user, name)
        size = path.stat().st_size if path.exists() else path.lstat().st_size
        md5 = self.md5(user, name) if path.exists() else None
        return self._line(path) | {"size": size, "md5": md5}

    def metadata(self, user: str, name: str) -> dict[str, str]:
        """What is in the flist's second table; nothing of what is no flist."""
        data = self.path(user, name).read_bytes()
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                member = next(member for member in tar if member.name.endswith("flistdb.sqlite3"))
                content = tar.extractfile(member)
                assert content is not None
                with closing(sqlite3.connect(":memory:")) as database:
                    database.deserialize(content.read())
                    return dict(database.execute("SELECT key, value FROM metadata"))
        except (tarfile.TarError, EOFError, OSError, StopIteration, sqlite3.Error):
            return {}

    def contents(self, user: str, name: str) -> dict[str, object]:
        """The list of all that is in a flist; names that are not UTF-8 are missing in it."""
        tree = self.trees.get(self.md5(user, name), {})
        listing = []
        for path, node in tree.items():
            line: dict[str, object] = {"size": node.size}
            with suppress(UnicodeDecodeError):
                line["path"] = "/" + path.decode()
            listing.append(line)
        return {"content": listing, **counts(tree)}

    def rename(self, user: str, source: str, target: str) -> None:
        self.path(user, source).rename(self.path(user, target))

    def delete(self, user: str, name: str) -> None:
        self.path(user, name).unlink()

    def link(self, user: str, source: str, name: str) -> bool:
        """Whether there is a link now: it replaces another link, but no file."""
        path = self.path(user, name)
        if path.is_symlink():
            path.unlink()
        if path.is_file():
            return False
        path.symlink_to(flist_name(source))
        return True

    def promote(self, repository: str, source: str, user: str, name: str) -> None:
        target = self.path(user, name)
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(self.path(repository, source), target)


def answer_of_upload(tree: Tree) -> dict[str, object]:
    """What zflist says of an unpacked archive; directories that it wrote again count again."""
    if not tree:
        error = {"function": "putdir", "message": "could not load local directory"}
        return {"success": False, "error": error, "status": 1}
    found = counts(tree)
    found["directory"] = 3 * sum(node.kind == Kind.DIRECTORY for node in tree.values()) + 2
    return {"success": True, "error": None, "response": found, "status": 0}


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()

"""Container images: read by what they say of themselves, laid out layer after layer."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.support.oci import CONFIG, Layout, Members, layer, packed, saved
from zwizard.host import tools as host_tools
from zwizard.host.privileges import find_privilege
from zwizard.image.executables.start_script import render_start_script
from zwizard.image.oci import OciError, OciImage, read_oci
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.sources import deployment, inspection
from zwizard.sources.resolve import import_settings
from zwizard.steps import render
from zwizard.steps.actions import UnpackOci
from zwizard.util.errors import UsageError

needs_tools = pytest.mark.skipif(bool(host_tools.missing(("umoci",))), reason="umoci is not here")

BASE: Members = [
    ("bin", None),
    ("bin/sh", (0o755, 0, 0, b"#!a shell\n")),
    ("etc", None),
    ("etc/gone", b"taken away later"),
    ("srv", None),
    ("srv/app", (0o750, 1000, 1001, None)),
    ("srv/app/old", b"old"),
    ("srv/app/below", None),
    ("srv/app/below/older", b"older"),
]
TOP: Members = [
    ("etc/.wh.gone", b""),
    ("srv/app", (0o750, 1000, 1001, None)),
    ("srv/app/.wh..wh..opq", b""),
    ("srv/app/new", (0o640, 1000, 1001, b"new")),
    ("srv/link", "app/new"),
]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "image:of two, perhaps")


def packed_layer(image: Path) -> Path:
    """The one layer of an image."""
    blobs = (image / "blobs/sha256").iterdir()
    return next(blob for blob in blobs if blob.read_bytes()[:2] == b"\x1f\x8b")


def recipe(location: Path, **settings: object) -> Recipe:
    source = {"kind": "oci", "location": str(location)}
    return Recipe.from_dict({"target": "container", "source": source, "container": settings})


# --- what an image says -------------------------------------------------------------------------


def test_a_directory_and_a_tar_say_the_same(layout: Layout, tmp_path: Path) -> None:
    directory = layout.image(BASE, TOP).write()
    one, two = read_oci(directory), read_oci(packed(directory, tmp_path / "image.tar"))
    assert one == two
    assert one.entrypoint == ("start.sh",)
    assert one.command == ("serve", "it's")
    assert dict(one.environment)["LEVEL"] == "a b"
    assert (one.directory, one.user, one.shell) == ("/srv/app", "app", True)


def test_a_layer_may_be_packed_in_pieces(layout: Layout, tmp_path: Path) -> None:
    """As programs do that pack on all processors, or for seeking."""
    whole = gzip.decompress(layer([("a", bytes(3000)), *BASE]))
    pieces = b"".join(gzip.compress(whole[at : at + 512]) for at in range(0, len(whole), 512))
    directory = layout.image(pieces).write()
    assert read_oci(directory).shell
    assert read_oci(packed(directory, tmp_path / "image.tar")).shell


def pressed(name: str, data: bytes) -> bytes:
    """As ``docker save web | zstd`` and the like give it."""
    presses: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "xz": lzma.compress,
        "bz2": bz2.compress,
        "zst": zstandard.compress,
    }
    return presses[name](data)


PACKINGS = ("gz", "xz", "bz2", "zst")


@pytest.mark.parametrize("packing", PACKINGS)
def test_it_may_be_packed_as_a_whole(layout: Layout, tmp_path: Path, packing: str) -> None:
    tar = packed(layout.image(BASE, TOP).write(), tmp_path / "image.tar")
    whole = tmp_path / f"image.tar.{packing}"
    data = pressed(packing, tar.read_bytes())
    whole.write_bytes(data)
    assert read_oci(whole) == read_oci(tar)
    whole.write_bytes(data[: len(data) // 2])
    with pytest.raises(OciError):
        read_oci(whole)


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_compressed_file_that_is_no_image_is_reported(tmp_path: Path, packing: str) -> None:
    whole = tmp_path / "image.tar"
    whole.write_bytes(pressed(packing, b"hello" * 1000))
    assert "neither an OCI image" in inspection.inspect("oci", whole).wrong


def test_it_is_read_once_however_many_ask(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key that is pressed asks, each on a thread of its own."""
    read: list[Path] = []

    def slowly(path: Path) -> OciImage:
        read.append(path)
        time.sleep(0.1)
        return read_oci(path)

    monkeypatch.setattr("zwizard.sources.oci.read_oci", slowly)
    image = layout.image(BASE).write()
    with ThreadPoolExecutor(5) as threads:
        told = set(threads.map(lambda _: inspection.inspect("oci", image), range(5)))
    assert len(told) == 1
    assert read == [image]


def test_the_program_that_unpacks_it_is_asked_for() -> None:
    assert "umoci" in make(recipe(Path("/image.tar.zst"), entrypoint="/app")).tools()


def test_of_many_processors_the_nodes_one_is_taken(layout: Layout) -> None:
    layout.image(BASE, architecture="arm64", Cmd=["arm"])
    assert read_oci(layout.image(BASE, Cmd=["here"]).nested()).command == ("here",)


def test_an_image_for_other_processors_is_refused(layout: Layout, tmp_path: Path) -> None:
    index = layout.image(BASE, architecture="arm64").nested()
    with pytest.raises(OciError, match=r"for linux/arm64; the nodes are linux/amd64"):
        read_oci(index)
    single = Layout(tmp_path / "single").image(BASE, architecture="arm64").write()
    assert "linux/arm64" in inspection.inspect("oci", single).wrong


def test_a_file_that_is_no_image_is_described(layout: Layout, tmp_path: Path) -> None:
    two = layout.image(BASE).image(TOP).unnamed().write()
    assert "it holds 2 images" in inspection.inspect("oci", two).wrong
    assert "neither an OCI image" in inspection.inspect("oci", tmp_path).wrong
    text = tmp_path / "text"
    text.write_text("hello")
    assert "neither an OCI image" in inspection.inspect("oci", text).wrong
    (two / "index.json").write_text('{"manifests": [{"digest": "../../etc/passwd"}]}')
    assert "names a blob by" in inspection.inspect("oci", two).wrong
    (two / "index.json").write_text('{"manifests": [3]}')
    assert "damaged" in inspection.inspect("oci", two).wrong


def test_a_missing_layer_is_reported(layout: Layout) -> None:
    image = layout.image(BASE).write()
    packed_layer(image).unlink()
    assert "is missing" in inspection.inspect("oci", image).wrong


# --- what becomes of it -------------------------------------------------------------------------


def started(script: str, *arguments: str, **environment: str) -> str:
    """What the script starts, with ``start.sh`` standing in the working directory."""
    done = subprocess.run(
        ["/bin/sh", "-c", script, "/zos-start", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_script_starts_what_the_image_would(tmp_path: Path) -> None:
    (tmp_path / "app").write_text('#!/bin/sh\necho "$PWD|$LEVEL|$#|$*"\n')
    (tmp_path / "app").chmod(0o755)
    script = render_start_script(
        ("app", "-x"), ("two words", "it's"), (("PATH", str(tmp_path)), ("LEVEL", "a b'c"),
        ("no-name", "x")), "/usr/bin", "app:1000",
    )  # fmt: skip
    assert started(script, PATH="/none") == "/usr/bin|a b'c|3|-x two words it's\n"
    assert started(script, "own", LEVEL="mine") == "/usr/bin|mine|2|-x own\n"
    assert "asks for the user app:1000" in script


def test_a_working_directory_that_is_in_no_layer_is_made(tmp_path: Path) -> None:
    place = tmp_path / "not/there yet"
    script = render_start_script(("/bin/sh", "-c", "pwd"), (), (), str(place), "")
    assert started(script) == f"{place}\n"


def test_an_image_is_taken_over_and_again_the_same(layout: Layout) -> None:
    settled = import_settings(recipe(layout.image(BASE, TOP).write(), args=["--own"]), Path("/"))
    assert "exec start.sh" in settled.container.start
    assert deployment.command(settled) == ("/zos-start", "--own")
    assert import_settings(settled, Path("/")) == settled
    assert settled.container.start in "".join(
        getattr(action, "text", "") for step in make(settled).steps for action in step.actions
    )
    assert "serve" in make(settled).note


def test_another_entrypoint_is_started_without_the_images_arguments(layout: Layout) -> None:
    image = layout.image(BASE).write()
    script = import_settings(recipe(image, entrypoint="/bin/other"), Path("/")).container.start
    assert 'exec /bin/other "$@"' in script
    assert "serve" not in script
    assert "cd /srv/app" in script


SMALL: Members = [("app", (0o755, 0, 0, b"\x7fELF"))]


def test_without_a_shell_the_program_itself_is_started(layout: Layout) -> None:
    config: dict[str, Any] = {
        "Entrypoint": ["/app"],
        "Cmd": ["-v"],
        "Env": ["PATH=/", "A=b", "API_TOKEN=canary"],
    }
    settled = import_settings(recipe(layout.image(SMALL, **config).write()), Path("/"))
    assert deployment.command(settled) == ("/app", "-v")
    assert settled.container.env == {"A": "b", "API_TOKEN": ""}
    assert import_settings(settled, Path("/")) == settled


def test_without_a_shell_the_lost_working_directory_is_reported(layout: Layout) -> None:
    image = layout.image(SMALL, Entrypoint=["/app"], WorkingDir="/srv/app").write()
    assert inspection.inspect("oci", image).summary.endswith(
        "no shell to change there: Zero-OS starts it in /"
    )
    other = Layout(image.parent / "with a shell").image(BASE, WorkingDir="/srv/app").write()
    assert "no shell" not in inspection.inspect("oci", other).summary


@pytest.mark.parametrize(
    ("config", "said"),
    [({"Entrypoint": ["app"]}, "absolute path of 'app'"), ({"Env": ["A=b"]}, "starts nothing")],
)
def test_an_entrypoint_that_cannot_be_imported_is_required(
    layout: Layout, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        import_settings(recipe(layout.image(SMALL, **config).write()), Path("/"))


def test_an_unusable_image_is_reported_instead_of_its_entrypoint(
    layout: Layout, tmp_path: Path
) -> None:
    arm = layout.image(BASE, architecture="arm64").write()
    with pytest.raises(UsageError, match=r"source\.location.*linux/arm64"):
        import_settings(recipe(arm), Path("/"))
    missing = recipe(tmp_path / "gone", entrypoint="/app")
    assert import_settings(missing, Path("/")) == missing


def test_an_image_elsewhere_is_not_guessed_at() -> None:
    elsewhere = recipe(Path("http://example.org/image.tar"))
    with pytest.raises(UsageError, match=r"container\.entrypoint"):
        make(import_settings(elsewhere, Path("/")))


def test_of_a_url_nothing_is_lost_silently() -> None:
    """Its environment and working directory would be, whatever entrypoint is said."""
    source = {"kind": "oci", "location": "https://a.b/image.tar"}
    data = {"target": "container", "source": source, "container": {"entrypoint": "/app"}}
    with pytest.raises(UsageError, match=r"source\.location.*read from it before anything runs"):
        Recipe.from_dict(data)


# --- laying it out ------------------------------------------------------------------------------


def lay_out(image: Path, place: Path, sha256: str = "") -> tuple[Path, str]:
    """Lay it out by the function that engine and script share; the tree, and what went wrong."""
    action = UnpackOci(str(image), sha256)
    (place / "tree").mkdir()
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{render.functions(action)}\n{action.shell()}"],
        env={
            "PATH": os.environ["PATH"],
            "ROOT": f"{place}/tree",
            "DOWNLOADS": f"{place}/downloads",
            "HOME": "/root",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert list((place / "downloads").glob("*")) == []
    return place / "tree", "" if done.returncode == 0 else done.stderr


def seen(tree: Path) -> dict[str, tuple[int, int, int]]:
    found = {path: path.lstat() for path in tree.rglob("*")}
    return {
        path.relative_to(tree).as_posix(): (info.st_mode & 0o7777, info.st_uid, info.st_gid)
        for path, info in found.items()
    }


LAID_OUT = {
    "bin": (0o755, 0, 0),
    "bin/sh": (0o755, 0, 0),
    "etc": (0o755, 0, 0),
    "srv": (0o755, 0, 0),
    "srv/app": (0o750, 1000, 1001),
    "srv/app/new": (0o640, 1000, 1001),
    "srv/link": (0o777, 0, 0),
}

KIND = "application/vnd.oci.image.layer"
SKIPPED = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"  # a frame of zstd without contents


def chunked(data: bytes) -> bytes:
    """Compressed in pieces between frames that are skipped, as zstd:chunked has at its end."""
    pieces = (zstandard.compress(data[at : at + 999]) for at in range(0, len(data), 999))
    return SKIPPED + SKIPPED.join(pieces) + SKIPPED


def zstd(place: Path, packs: Callable[[bytes], bytes] = zstandard.compress) -> Path:
    return Layout(place).image(BASE, TOP, packs=packs, kind=f"{KIND}.v1.tar+zstd").write()


def deep(layout: Layout) -> Path:
    layout.nested()
    return layout.nested()


def whole(place: Path, packing: str) -> Path:
    tar = saved(place.with_name("saved.tar"), ("a.tar", BASE), ("b.tar", TOP))
    tar.write_bytes(pressed(packing, tar.read_bytes()))
    return tar


FORMS: dict[str, Callable[[Path], Path]] = {
    "zstd": zstd,
    "zstd with skippable frames": lambda place: zstd(place, chunked),
    "not compressed": lambda place: Layout(place).image(
        BASE, TOP, packs=bytes, kind=f"{KIND}.v1.tar").write(),
    "foreign layers": lambda place: Layout(place).image(
        BASE, TOP, kind=f"{KIND}.nondistributable.v1.tar+gzip").write(),
    "an index in the index": lambda place: Layout(place).image(BASE, TOP).nested(),
    "attestation": lambda place: Layout(place).image(BASE, TOP).attested().write(),
    "attestation in an index": lambda place: Layout(place).image(BASE, TOP).attested().nested(),
    "an index in an index in the index": lambda place: deep(Layout(place).image(BASE, TOP)),
    "other processors beside it": lambda place: Layout(place).image(
        BASE, architecture="arm64").image(BASE, TOP).write(),
    "oci-archive": lambda place: packed(zstd(place), place.with_name("image.tar")),
    "oci-archive by tar .": lambda place: packed(zstd(place), place.with_name("i.tar"), "./"),
    "docker save": lambda place: saved(
        place.with_name("s.tar"), ("a/layer.tar", BASE), ("b/layer.tar", TOP),
        ("c/layer.tar", [])),
    "kaniko and ko": lambda place: saved(
        place.with_name("s.tar"), ("a.tar.gz", BASE), ("b.tar.gz", TOP)),
    "docker save by tar .": lambda place: saved(
        place.with_name("s.tar"), ("a/layer.tar", BASE), ("b/layer.tar", TOP), prefix="./"),
    **{f"in {packing}": partial(whole, packing=packing) for packing in PACKINGS},
}  # fmt: skip

as_root = pytest.mark.skipif(find_privilege().mode != "root", reason="owners are root's to give")


@needs_tools
@as_root
class TestLayingOut:
    @pytest.mark.slow
    def test_whiteouts_opaque_ones_and_owners(self, layout: Layout, tmp_path: Path) -> None:
        tree, wrong = lay_out(layout.image(BASE, TOP).nested(), tmp_path)
        assert wrong == ""
        assert seen(tree) == LAID_OUT

    @pytest.mark.slow
    @pytest.mark.parametrize("form", FORMS)
    def test_as_programs_write_it(self, tmp_path: Path, form: str) -> None:
        image = FORMS[form](tmp_path / "image")
        said = read_oci(image)
        assert (said.entrypoint, said.directory) == (("start.sh",), CONFIG["WorkingDir"])
        tree, wrong = lay_out(image, tmp_path)
        assert wrong == ""
        assert seen(tree) == LAID_OUT

    @pytest.mark.slow
    def test_one_for_other_processors_is_refused_again(
        self, layout: Layout, tmp_path: Path
    ) -> None:
        tree, wrong = lay_out(layout.image(BASE, architecture="arm64").nested(), tmp_path)
        assert "is for linux/arm64" in wrong
        single = Layout(tmp_path / "single").image(BASE, architecture="arm64").write()
        place = tmp_path / "place"
        place.mkdir()
        assert "is for linux/arm64" in lay_out(single, place)[1]
        assert seen(tree) == {}

    @pytest.mark.slow
    def test_another_checksum_and_a_changed_layer_are_refused(
        self, layout: Layout, tmp_path: Path
    ) -> None:
        image = layout.image(BASE).write()
        assert "does not have the SHA-256" in lay_out(image, tmp_path, "0" * 64)[1]
        layer = packed_layer(image)
        layer.write_bytes(gzip.compress(gzip.decompress(layer.read_bytes()) + bytes(512)))
        (tmp_path / "again").mkdir()
        assert "a layer does not have the checksum" in lay_out(image, tmp_path / "again")[1]

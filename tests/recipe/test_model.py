"""The recipe: one value, one TOML text, and one error for each thing that is wrong with it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from tests.support.recipes import recipes
from zwizard.recipe.fields import (
    FIELDS,
    Checklist,
    Container,
    Disk,
    Grub,
    Kernel,
    Output,
    Source,
    System,
)
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.util.errors import UsageError
from zwizard.util.text import parse_size

VM = """\
name = "jump-host"
target = "vm"

[source]
kind = "distro"
distro = "debian"
suite = "trixie"
mirror = "http://mirror.example/debian"
packages = [
    "vim",
    "htop",
]
bootstrap = "mmdebstrap"
variant = "minimal"

[system]
timezone = "Europe/Brussels"
locale = "en_GB.UTF-8"
services = [
    "nginx",
    "fstrim.timer",
]
run = [
    "echo 'grüß \\"Gott\\"' > /etc/motd",
    "first\\nsecond",
]

[kernel]
package = "linux-image-amd64"
file = ""
initrd = ""
modules = [
    "virtiofs",
    "virtio_pci",
    "nvme",
]

[output]
directory = "/srv/images"
compression = "small"

[checklist]
disk_size = "20GiB"
waive = [
    "setuid-files",
]
"""

IMAGE = """\
name = "arch.image"
target = "image"

[source]
kind = "rootfs"
distro = "other"
packages = []
variant = "standard"
location = "https://images.example/arch.tar"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
repair = [
    "kernel-elf",
]

[system]
timezone = "UTC"
locale = "C.UTF-8"
services = []
run = []

[kernel]
package = ""
file = "vmlinuz"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
initrd = "initrd.img"
initrd_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
modules = []

[disk]
size = "4GiB"
esp_size = "200MiB"
esp_mount = "/boot/efi"
filesystem = "ext4"
label = "root"

[grub]
cmdline = "console=ttyS0"
timeout = 3

[output]
directory = "."
compression = "fast"

[checklist]
disk_size = "5GiB"
waive = []
"""

ROLLING = """\
name = "arch-vm"
target = "vm"

[source]
kind = "distro"
distro = "arch"
suite = ""
mirror = "https://mirror.example/arch"
keys = [
    "0123456789ABCDEF0123456789ABCDEF01234567",
]
packages = []
bootstrap = "auto"
variant = "standard"

[system]
timezone = "UTC"
locale = "C.UTF-8"
services = []
run = []

[kernel]
package = ""
file = ""
initrd = ""
modules = [
    "virtiofs",
    "virtio_pci",
]

[output]
directory = "."
compression = "fast"

[checklist]
disk_size = "5GiB"
waive = []
"""

CLOUD = """\
name = "arch-cloud"
target = "image"

[source]
kind = "cloud-image"
location = "https://images.example/arch.qcow2"
sha256 = ""

[output]
directory = "."
compression = "fast"

[checklist]
disk_size = "5GiB"
waive = []
"""

CONTAINER = """\
name = "web"
target = "container"

[source]
kind = "binary"
location = "./web"
sha256 = ""

[container]
entrypoint = "/usr/bin/web"
args = [
    "--port",
    "80",
]
mounts = [
    "/data",
]

[container.env]
KEY = "value"
DB_PASSWORD = ""

[output]
directory = "."
compression = "fast"

[checklist]
disk_size = "5GiB"
waive = []
"""

OCI = """\
name = "image"
target = "container"

[source]
kind = "oci"
location = "image.tar"
sha256 = ""

[container]
entrypoint = ""
args = []
mounts = []
start = "#!/bin/sh\\nexec nginx\\n"

[container.env]

[output]
directory = "."
compression = "fast"

[checklist]
disk_size = "5GiB"
waive = []
"""

RECIPES = {
    VM: Recipe(
        name="jump-host",
        target="vm",
        source=Source(
            kind="distro",
            distro="debian",
            suite="trixie",
            mirror="http://mirror.example/debian",
            packages=("vim", "htop"),
            bootstrap="mmdebstrap",
            variant="minimal",
        ),
        system=System(
            timezone="Europe/Brussels",
            locale="en_GB.UTF-8",
            services=("nginx", "fstrim.timer"),
            run=("echo 'grüß \"Gott\"' > /etc/motd", "first\nsecond"),
        ),
        kernel=Kernel(package="linux-image-amd64", modules=("virtiofs", "virtio_pci", "nvme")),
        output=Output(directory="/srv/images", compression="small"),
        checklist=Checklist(disk_size="20GiB", waive=("setuid-files",)),
    ),
    IMAGE: Recipe(
        name="arch.image",
        target="image",
        source=Source(
            kind="rootfs",
            distro="other",
            repair=("kernel-elf",),
            location="https://images.example/arch.tar",
            sha256="0123456789abcdef" * 4,
        ),
        kernel=Kernel(
            file="vmlinuz",
            sha256="0123456789abcdef" * 4,
            initrd="initrd.img",
            initrd_sha256="0123456789abcdef" * 4,
            modules=(),
        ),
        disk=Disk(size="4GiB", esp_size="200MiB", esp_mount="/boot/efi", label="root"),
        grub=Grub(cmdline="console=ttyS0", timeout=3),
    ),
    ROLLING: Recipe(
        name="arch-vm",
        source=Source(
            distro="arch",
            suite="",
            mirror="https://mirror.example/arch",
            keys=("0123456789ABCDEF0123456789ABCDEF01234567",),
        ),
    ),
    CLOUD: Recipe(
        name="arch-cloud",
        target="image",
        source=Source(kind="cloud-image", location="https://images.example/arch.qcow2"),
    ),
    CONTAINER: Recipe(
        name="web",
        target="container",
        source=Source(kind="binary", location="./web"),
        container=Container(
            entrypoint="/usr/bin/web",
            args=("--port", "80"),
            env={"KEY": "value", "DB_PASSWORD": ""},
            mounts=("/data",),
        ),
    ),
    OCI: Recipe(
        name="image",
        target="container",
        source=Source(kind="oci", location="image.tar"),
        container=Container(start="#!/bin/sh\nexec nginx\n"),
    ),
}


@pytest.mark.parametrize(
    ("text", "recipe"),
    RECIPES.items(),
    ids=("vm", "image", "rolling", "cloud", "container", "oci"),
)
def test_a_recipe_and_its_file_say_the_same_key_by_key(text: str, recipe: Recipe) -> None:
    assert Recipe.from_toml(text) == recipe
    assert recipe.to_toml() == text


def test_every_key_of_the_recipe_has_a_record_and_the_other_way_round() -> None:
    assert _keys(_everything()) - {"container.env.KEY"} == set(FIELDS)
    assert Recipe() == Recipe.from_values({key: field.default for key, field in FIELDS.items()})


def test_the_texts_above_name_every_key_there_is() -> None:
    named = {key for recipe in RECIPES.values() for key in _keys(recipe.to_dict())}
    every = {key for key in _keys(_everything()) if key != "container.env.KEY"}
    assert every - named == set()


def _everything() -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(Recipe(container=Container(env={"KEY": "value"})))


def _keys(data: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for name, value in data.items():
        inner = isinstance(value, dict) and name != "env"
        found |= _keys(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}"}
    return found


ARCH = '[source]\ndistro = "arch"\nmirror = "https://mirror.example/arch"\n'


@pytest.mark.parametrize(
    ("text", "suite"),
    [
        ('[source]\ndistro = "ubuntu"', "jammy"),
        (ARCH, ""),
        ('[source]\nvariant = "minimal"', "bookworm"),
    ],
)
def test_a_recipe_that_names_no_suite_means_the_first_of_its_distribution(
    text: str, suite: str
) -> None:
    assert Recipe.from_toml(text).source.suite == suite


def test_a_key_that_is_left_out_has_its_default() -> None:
    assert Recipe.from_toml('name = "debian-vm"') == Recipe()


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Recipe().name = "other"  # type: ignore[misc]


@pytest.mark.slow
@given(recipes())
def test_every_recipe_survives_its_file(recipe: Recipe) -> None:
    assert Recipe.from_toml(recipe.to_toml()) == recipe


WRONG = {
    'name = "my image"': ("name", "my image", "letters, digits"),
    "name = 7": ("name", 7, "allowed is a string"),
    'target = "vmm"': ("target", "vmm", "Did you mean 'vm'?"),
    'sauce = "x"': ("sauce", None, "there is no such key; did you mean source?"),
    "xyz = 1": ("xyz", None, "allowed: name, target, source"),
    'source = "debian"': ("source", "debian", "a table: [source]"),
    '[source]\nsuit = "x"': ("source.suit", None, "did you mean source.suite?"),
    '[source]\nkind = "iso"': ("source.kind", "iso", "allowed: distro, cloud-image, rootfs"),
    '[source]\ndistro = "debain"': ("source.distro", "debain", "Did you mean 'debian'?"),
    '[source]\nsuite = "bookwurm"': ("source.suite", "bookwurm", "Did you mean 'bookworm'?"),
    '[source]\nsuite = "Book Worm"': ("source.suite", "Book Worm", "a suite's name"),
    '[source]\nmirror = "deb.example"': ("source.mirror", "deb.example", "a URL (http://"),
    '[source]\npackages = "vim"': ("source.packages", "vim", "a list of strings"),
    '[source]\npackages = ["vim", 1]': ("source.packages", ("vim", 1), "a list of strings"),
    '[source]\npackages = ["-o"]': ("source.packages", ("-o",), "'-o' is wrong: a package's"),
    '[source]\nkeys = ["ab"]': ("source.keys", ("ab",), "40 hexadecimal digits"),
    '[source]\nsha256 = "12"': ("source.sha256", "12", "64 hexadecimal digits"),
    '[system]\ntimezone = "../etc"': ("system.timezone", "../etc", "a time zone, such as UTC"),
    '[system]\nlocale = "english"': ("system.locale", "english", "a locale, such as C.UTF-8"),
    '[system]\nservices = ["a b"]': ("system.services", ("a b",), "a systemd unit"),
    '[system]\nrun = [" "]': ("system.run", (" ",), "it is empty"),
    '[system]\nrun = ["a\\u0000b"]': ("system.run", ("a\0b",), "without NUL bytes"),
    '[kernel]\nmodules = ["a/b"]': ("kernel.modules", ("a/b",), "a kernel module's name"),
    'target = "image"\n[disk]\nsize = "big"': ("disk.size", "big", "a size such as 2GiB"),
    'target = "image"\n[disk]\nsize = "0"': ("disk.size", "0", "a size above 0"),
    'target = "image"\n[disk]\nesp_mount = "/efi"': ("disk.esp_mount", "/efi", "/boot, /boot/efi"),
    'target = "image"\n[grub]\ntimeout = "1"': ("grub.timeout", "1", "a whole number"),
    'target = "image"\n[grub]\ntimeout = true': ("grub.timeout", True, "a whole number"),
    'target = "image"\n[grub]\ntimeout = -1': ("grub.timeout", -1, "a number from 0 to 3600"),
    'target = "container"\n[container]\nentrypoint = "app"': (
        "container.entrypoint",
        "app",
        "an absolute path",
    ),
    'target = "container"\n[source]\nkind = "oci"\nlocation = "https://a.b/image.tar"\n'
    '[container]\nentrypoint = "/app"': (
        "source.location",
        "https://a.b/image.tar",
        "Fetch it first (curl -LO URL",
    ),
    'target = "container"\n[source]\nkind = "oci"\nlocation = "docker://nginx"': (
        "source.location",
        "docker://nginx",
        "skopeo copy docker://IMAGE docker-archive:image.tar",
    ),
    '[source]\nkind = "rootfs"\nlocation = "ftp://a.b/c.tar"\ndistro = "debian"': (
        "source.location",
        None,
        "ftp:// is not supported",
    ),
    '[source]\nkind = "cloud-image"\nlocation = "file:///c.img"\ndistro = "debian"': (
        "source.location",
        None,
        "or the path of a file",
    ),
    'target = "container"\n[container]\nenv = {A = 1}': (
        "container.env",
        {"A": 1},
        "a table of strings",
    ),
    'target = "container"\n[container]\nentrypoint = "/app -f"': (
        "container.entrypoint",
        "/app -f",
        "arguments stand by themselves",
    ),
    'target = "container"\n[container]\nmounts = ["/"]': (
        "container.mounts",
        ("/",),
        "not / itself",
    ),
    'target = "container"\n[container]\nenv = {"A-B" = "c"}': (
        "container.env",
        {"A-B": "c"},
        "'A-B' is no name",
    ),
    '[output]\ndirectory = ""': ("output.directory", "", "a directory"),
    '[output]\ndirectory = "a\\u001b[2J"': ("output.directory", "a\x1b[2J", "control characters"),
    '[output]\ncompression = "best"': ("output.compression", "best", "allowed: fast, small"),
    '[checklist]\nwaive = ["Not_A_Slug"]': ("checklist.waive", ("Not_A_Slug",), "a rule's name"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.items())
def test_a_wrong_key_is_one_error_naming_key_value_and_what_is_allowed(
    text: str, expected: tuple[str, object, str]
) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(text)
    (problem,) = caught.value.problems
    key, value, allowed = expected
    assert (problem.key, problem.value) == (key, value)
    assert allowed in problem.allowed
    assert str(problem) in caught.value.message
    assert str(problem).startswith(key)


BINARY = 'target = "container"\nsource = {kind = "binary", location = "x"}\n'

IMPOSSIBLE = {
    'target = "vm"\n[source]\nkind = "binary"\nlocation = "x"': "target",
    'target = "container"\n[source]\nkind = "cloud-image"\nlocation = "x"': "target",
    '[source]\nkind = "rootfs"': "source.location",
    '[source]\nlocation = "x.tar"': "source.location",
    '[source]\nbootstrap = "pacstrap"': "source.bootstrap",
    f'{ARCH}bootstrap = "debootstrap"': "source.bootstrap",
    f'{ARCH}suite = "bookworm"': "source.suite",
    '[source]\ndistro = "arch"': "source.mirror",
    '[source]\nkeys = ["0123456789ABCDEF0123456789ABCDEF01234567"]': "source.keys",
    '[source]\nbootstrap = "debootstrap"\nvariant = "minimal"': "source.variant",
    '[source]\nsuite = "jammy"': "source.suite",
    '[source]\ndistro = "other"': "source.distro",
    '[source]\nrepair = ["kernel-elf"]': "source.repair",
    '[kernel]\ninitrd = "x"': "kernel.initrd",
    '[kernel]\nfile = "x"\npackage = "y"': "kernel.package",
    f'[kernel]\nsha256 = "{64 * "0"}"': "kernel.sha256",
    f'[kernel]\nfile = "x"\ninitrd_sha256 = "{64 * "0"}"': "kernel.initrd_sha256",
    '[disk]\nsize = "3GiB"': "disk.size",
    "[grub]\ntimeout = 9": "grub.timeout",
    '[container]\nentrypoint = "/x"': "container.entrypoint",
    f"{BINARY}[kernel]\nmodules = []": "kernel.modules",
    f'{BINARY}[container]\nentrypoint = "/tmp/app"': "container.entrypoint",
    f'{BINARY}[container]\nstart = "x"': "container.start",
    'target = "container"': "container.entrypoint",
    'target = "container"\n[container]\nentrypoint = "/x"\n[system]\nservices = ["x"]': (
        "system.services"
    ),
}


@pytest.mark.parametrize(("text", "key"), IMPOSSIBLE.items())
def test_contradicting_values_are_refused(text: str, key: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(text)
    assert [problem.key for problem in caught.value.problems] == [key]


def test_every_wrong_key_is_named_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml('name = "a b"\ntarget = "x"\n[system]\nlocale = 3\n')
    assert [p.key for p in caught.value.problems] == ["name", "target", "system.locale"]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("mirror", ["http://me:secret@mirror.example/", "http://me@mirror/x"])
def test_a_mirror_with_a_password_is_refused_because_recipes_are_shared(mirror: str) -> None:
    with pytest.raises(RecipeError, match="no user name or password"):
        Recipe.from_dict({"source": {"mirror": mirror}})


def test_a_file_that_is_not_toml_is_reported_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('name = "a"\ntarget = \n')
    with pytest.raises(UsageError, match=r"recipe\.toml is not TOML: .*line 2"):
        Recipe.load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file"):
        Recipe.load(tmp_path / "none.toml")


def test_a_directory_is_not_a_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        Recipe.load(tmp_path)


def test_bytes_are_not_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_bytes(b"\x1f\x8b\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        Recipe.load(file)


def test_the_file_is_named_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = ""\n')
    with pytest.raises(RecipeError, match=r"mine\.toml cannot be used"):
        Recipe.load(file)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512", 512),
        ("1K", 1024),
        ("100MiB", 100 * 2**20),
        ("2 GiB", 2 * 2**30),
        ("1.5g", 3 * 2**29),
        ("1TB", 2**40),
        ("7B", 7),
    ],
)
def test_sizes_are_powers_of_1024(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize(
    "text", ["", "GiB", "-1G", "1 2", "1X", "1e3", "٣G", "1\N{KELVIN SIGN}", "1.G"]
)
def test_an_invalid_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


def test_settings_that_do_not_apply_are_not_written() -> None:
    assert set(Recipe().to_dict()) == {
        "name",
        "target",
        "source",
        "system",
        "kernel",
        "output",
        "checklist",
    }
    assert "location" not in Recipe().to_dict()["source"]


def test_a_changed_copy_of_a_recipe_is_another_value() -> None:
    recipe = Recipe()
    assert replace(recipe, name="other") != recipe
    assert replace(recipe, name=recipe.name) == recipe


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "canary"),
        ("token", "canary"),
        ("STRIPE_API_KEY", "canary"),
        ("DATABASE_URL", "postgres://me:canary@db/x"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(RecipeError, match=f"{name} without its value") as caught:
        Recipe.from_dict({"target": "container", "container": {"env": {name: value}}})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["DB_PASSWORD", "KEY", "TOKENIZERS_PARALLELISM", "PASSAGE"])
def test_names_without_a_value_and_harmless_names_are_allowed(name: str) -> None:
    value = "" if name == "DB_PASSWORD" else "yes"
    container = {"entrypoint": "/app", "env": {name: value}}
    recipe = Recipe.from_dict({"target": "container", "container": container})
    assert recipe.container.env == {name: value}

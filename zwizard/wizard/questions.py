"""Everything the wizard asks, declared once; every face draws its pages from here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from zwizard import distros
from zwizard.distros.base import Distro
from zwizard.recipe.fields import FIELDS
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.recipe.relevance import treatment

Kind = Literal["choice", "text", "number", "list", "lines", "settings"]
RawAnswers = Mapping[str, str]  # what was typed or chosen so far, by key; nothing is parsed yet
BASE = "recipe"  # among the given: the opened recipe (TOML), for what no question asks
HERE = "here"  # among the given: the page one was at


@dataclass(frozen=True)
class Choice:
    """One answer to choose: ``means`` says what Zero-OS or the build will do with it.

    ``unavailable`` says why it cannot be chosen, and is empty where it can.
    """

    value: str
    title: str
    means: str = ""
    unavailable: str = ""


def _always(_: RawAnswers) -> bool:
    return True


@dataclass(frozen=True)
class Question:
    """One thing asked, filling one key of the recipe.

    Answers are held as text, just as given: a choice's value, a line, words separated by commas
    or spaces (``list``), lines (``lines``), or lines of NAME=value (``settings``). ``value`` turns
    that into the recipe's value.
    ``needed``: there is no default, and it may not stay empty. ``yields``: an answer that is no
    choice any more, as another distribution has others, gives way to the default.
    """

    key: str
    page: str
    text: str
    why: str
    kind: Kind
    choices: Callable[[RawAnswers], tuple[Choice, ...]] = lambda _: ()
    when: Callable[[RawAnswers], bool] = _always
    fallback: Callable[[RawAnswers], str] | None = None
    example: str = ""
    needed: bool = False
    yields: bool = False

    def default(self, given: RawAnswers) -> str:
        """The answer if none is given, as text."""
        if self.fallback:
            return self.fallback(given)
        return self.as_text(FIELDS[self.key].default)

    def answer(self, given: RawAnswers) -> str:
        """The answer as text: what was given, else the default."""
        text = given.get(self.key)
        if text is None or (
            self.yields and text not in {choice.value for choice in self.choices(given)}
        ):
            return self.default(given)
        return text

    def value(self, text: str) -> object:
        """The recipe's value of an answer."""
        match self.kind:
            case "list":
                return tuple(word for word in re.split(r"[,\s]+", text) if word)
            case "lines":
                return tuple(line.strip() for line in text.splitlines() if line.strip())
            case "settings":
                lines = (line.strip() for line in text.splitlines() if line.strip())
                parts = (line.partition("=") for line in lines)
                return {name.strip(): value for name, _, value in parts}
            case "number":
                return int(text) if text.strip().isdecimal() else text.strip()
            case _:
                return text.strip()

    def as_text(self, value: object) -> str:
        """The answer that has ``value``."""
        if isinstance(value, dict):
            return "\n".join(f"{name}={said}" for name, said in value.items())
        if isinstance(value, list | tuple):
            return ("\n" if self.kind == "lines" else " ").join(map(str, value))
        return str(value)

    def problem(self, given: RawAnswers) -> str:
        """What is wrong with the answer, or ""."""
        text = self.answer(given)
        if self.kind == "choice":
            options = self.choices(given)
            chosen = next((choice for choice in options if choice.value == text), None)
            if chosen is None:
                return f"{text!r} is not one of: {', '.join(choice.value for choice in options)}"
            if chosen.unavailable:
                return chosen.unavailable
        if self.needed and not text.strip():
            return "this has to be answered"
        found = FIELDS[self.key].problem(self.value(text))
        return found.allowed if found else _contradictions(tuple(given.items())).get(self.key, "")


@lru_cache(maxsize=16)  # every question asks for the same answers, at every key that is pressed
def _contradictions(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Why answers that are good alone do not go together, by key."""
    try:
        to_recipe(dict(given))
    except RecipeError as error:
        return {found.key: found.allowed for found in reversed(error.problems)}
    return {}


@dataclass(frozen=True)
class Page:
    """One page of questions."""

    name: str
    title: str
    heading: str


PAGES = (
    Page("target", "Target", "What kind of Zmachine?"),
    Page("source", "Source", "Where does the root file system come from?"),
    Page("kernel", "Kernel", "Which kernel does it boot?"),
    Page("disk", "Disk", "How is the disk divided?"),
    Page("grub", "GRUB", "How does the machine start?"),
    Page("container", "Container", "What does Zero-OS start in it?"),
    Page("system", "System", "What is set inside?"),
    Page("output", "Output", "Where does the archive go?"),
)


def _targets(_: RawAnswers) -> tuple[Choice, ...]:
    return (
        Choice(
            "vm",
            "VM with its own kernel",
            "Zero-OS finds /boot/vmlinuz in the flist and boots it; cloud-init in the image sets"
            " up network, host name and SSH keys.",
        ),
        Choice(
            "container",
            "Container",
            "Zero-OS boots its own small kernel and starts your entrypoint.",
        ),
        Choice(
            "image",
            "VM from a disk image (deprecated)",
            "Zero-OS copies /image.raw to the first disk and boots it by EFI. The document:"
            ' "not recommended and will get phased out". Take it only where the machine needs'
            " a disk of its own.",
        ),
    )


def _kinds(given: RawAnswers) -> tuple[Choice, ...]:
    only_container = "" if _contained(given) else "only a container is made of it"
    a_disk = _target(given) == "image"
    of_disk = "its root file system" if not a_disk else "converted; nothing in it is changed"
    kinds = (
        Choice("distro", "A distribution, installed fresh", "Bootstrapped from its archive."),
        Choice(
            "cloud-image",
            "A cloud image",
            f"qcow2 or raw, a file or a URL: {of_disk}.",
            "" if not _contained(given) else "it holds a whole system: choose a VM",
        ),
        Choice(
            "rootfs",
            "A root file system I have",
            "A directory, or a tar archive by anyone. What it lacks is installed.",
        ),
        Choice(
            "binary",
            "One static program",
            'The document: "the first should be preferred". Nothing else is in the container.',
            only_container,
        ),
        Choice(
            "oci",
            "A container image",
            "What docker save, podman save or skopeo copy wrote: a tar, or an OCI directory.",
            only_container,
        ),
    )
    # What makes no such Zmachine is only in the way, unless it was chosen for another one.
    chosen = given.get("source.kind")
    return tuple(c for c in kinds if not c.unavailable or c.value == chosen)


def _target(given: RawAnswers) -> str:
    return given.get("target", "vm")


def _contained(given: RawAnswers) -> bool:
    return _target(given) == "container"


def _a_machine(given: RawAnswers) -> bool:
    """Whether a distribution is installed fresh with all that a machine has."""
    return _installed(given) and not _contained(given)


def _has_initramfs(given: RawAnswers) -> bool:
    return _a_system(given) and not _contained(given)


def _own_kernel(given: RawAnswers) -> bool:
    return bool(given.get("kernel.file", "").strip())


def _name(given: RawAnswers) -> str:
    """After what it is made of."""
    if _installed(given):
        return f"{_distro(given).name}-{_target(given)}"
    file = given.get("source.location", "").rstrip("/").rpartition("/")[2]
    stem = re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9_-]", "", file.partition(".")[0])
    return stem[:60] or f"my-{_target(given)}"


def _installed(given: RawAnswers) -> bool:
    """Whether a distribution is installed fresh."""
    return given.get("source.kind", "distro") == "distro"


def _by(kind: str) -> Callable[[RawAnswers], bool]:
    """Whether the root file system comes from a source of this kind."""
    return lambda given: given.get("source.kind") == kind


def _made_by_others(given: RawAnswers) -> bool:
    return not _installed(given)


def _system_by_others(given: RawAnswers) -> bool:
    """Whether somebody else's system is changed."""
    return treatment(given) == "completed"


def _a_system(given: RawAnswers) -> bool:
    """Whether things are installed and set in it."""
    return _installed(given) or _system_by_others(given)


def _of_some_distro(given: RawAnswers) -> bool:
    """Whether the distribution is to be said: not where the file itself says it."""
    unseen = given.get("source.kind") == "cloud-image" or "://" in given.get("source.location", "")
    return _installed(given) or (unseen and _system_by_others(given))


def _divided(given: RawAnswers) -> bool:
    """Whether there is a disk to be divided."""
    return _target(given) == "image" and given.get("source.kind") != "cloud-image"


def _disk(given: RawAnswers) -> bool:
    return _target(given) == "image"


def _esp_mounts(given: RawAnswers) -> tuple[Choice, ...]:
    usual = _distro(given).esp_mount
    return (
        Choice("", usual, f"What zwizard takes for {_distro(given).title}."),
        *(
            Choice(place, place, means)
            for place, means in (
                ("/boot", "As in the document; kernels then lie on FAT, and dpkg cannot upgrade"),
                ("/boot/efi", "The kernels stay in the root file system."),
            )
            if place != usual
        ),
    )


def _distro(given: RawAnswers) -> Distro:
    return distros.KNOWN.get(given.get("source.distro", "debian"), distros.KNOWN["debian"])


def _distros(given: RawAnswers) -> tuple[Choice, ...]:
    known = distros.KNOWN.values()
    if _installed(given):
        return tuple(Choice(distro.name, distro.title, distro.means) for distro in known)
    return (
        *(Choice(d.name, d.title, "Its own tools install what it lacks.") for d in known),
        Choice("other", "Another", "Nothing is installed in it: it has to bring what a VM needs."),
    )


def _likely_distro(given: RawAnswers) -> str:
    """By the name of what others have made: the build proves it."""
    if _installed(given):
        return next(iter(distros.KNOWN))
    name = given.get("source.location", "").rpartition("/")[2].lower()
    suites = {suite.name: d.name for d in distros.KNOWN.values() for suite in d.suites}
    words = {name: name for name in distros.KNOWN} | {"cloudimg": "ubuntu"} | suites
    return next((d for word, d in words.items() if word and word in name), "debian")


def _by_apt(given: RawAnswers) -> bool:
    return _installed(given) and _distro(given).family == "apt"


def _with_suites(given: RawAnswers) -> bool:
    """Whether there are releases to choose from."""
    return _installed(given) and not _distro(given).suite("")


def _with_variants(given: RawAnswers) -> bool:
    """Whether there is a larger base: Arch's container is always the smallest."""
    return _by_apt(given) or (_installed(given) and not _contained(given))


def _suites(given: RawAnswers) -> tuple[Choice, ...]:
    return tuple(Choice(suite.name, suite.title) for suite in _distro(given).suites)


def _variant(given: RawAnswers) -> str:
    lean = _contained(given) and given.get("source.bootstrap") != "debootstrap"
    return "minimal" if lean else "standard"


def _variants(given: RawAnswers) -> tuple[Choice, ...]:
    only_standard = "debootstrap makes the standard base; minimal needs mmdebstrap"
    by_document = given.get("source.bootstrap") == "debootstrap"
    if _distro(given).family == "pacman":
        return (
            Choice("standard", "standard", "linux-firmware and vim too, as in the document."),
            Choice("minimal", "minimal", "Without them: a virtual machine needs no firmware."),
        )
    return (
        Choice("standard", "standard", "What plain debootstrap installs, as in the document."),
        Choice(
            "minimal",
            "minimal",
            "The essential packages and apt: smaller and quicker to build.",
            only_standard if by_document else "",
        ),
    )


def _bootstraps(given: RawAnswers) -> tuple[Choice, ...]:
    if _distro(given).family == "pacman":
        return (
            Choice("auto", "pacman", "What pacstrap runs too; works without root."),
            Choice("pacstrap", "pacstrap", "The tool the document uses; only as root."),
        )
    return (
        Choice(
            "auto", "the quicker one", "mmdebstrap: the same set of packages in half the time."
        ),
        Choice("debootstrap", "debootstrap", "The tool the document uses, as it uses it."),
        Choice("mmdebstrap", "mmdebstrap", "Always mmdebstrap."),
    )


def _kernels(given: RawAnswers) -> tuple[Choice, ...]:
    kernels = _distro(given).kernels
    first, others = kernels[0], kernels[1:]
    own = given.get("kernel.package", "")
    others_have = {k.package for distro in distros.KNOWN.values() for k in distro.kernels}
    return (
        Choice("", f"{first.package} ({first.title})", "The choice zwizard makes for a VM."),
        *(Choice(kernel.package, f"{kernel.package} ({kernel.title})") for kernel in others),
        *(Choice(own, own, "Your recipe's.") for _ in "1" if own and own not in others_have),
    )


def _compressions(_: RawAnswers) -> tuple[Choice, ...]:
    return (
        Choice("fast", "fast", "Seconds rather than half a minute, a few per cent larger."),
        Choice("small", "small", "gzip's best: slower, for slow uplinks."),
    )


QUESTIONS = (
    Question(
        "target",
        "target",
        "Kind of Zmachine",
        'The document: "both VM and Container on ZOS are actually served as Virtual Machines". '
        "Take a VM when you want your own kernel and a whole system; take a container for one"
        " service.",
        "choice",
        _targets,
    ),
    Question(
        "name",
        "target",
        "Name",
        "The archive becomes NAME.tar.gz, and the hub makes NAME.flist of it. A name that is"
        " already on the hub is replaced there without a warning. Only letters, digits, '_', '.'"
        " and '-' survive the hub's rewriting.",
        "text",
        fallback=_name,
        example="debian-vm",
    ),
    Question(
        "source.kind",
        "source",
        "Source",
        'The document bootstraps a fresh system: "this will create and download the basic'
        ' rootfs".',
        "choice",
        _kinds,
    ),
    Question(
        "source.location",
        "source",
        "Cloud image",
        'A file, or a URL that is fetched. The document: "This is a Qcow2 image, this is not'
        ' supported by zos. So we need to convert this to a raw disk image". What a file is, is'
        " seen by its content.",
        "text",
        when=_by("cloud-image"),
        example="jammy-server-cloudimg-amd64.img",
        needed=True,
    ),
    Question(
        "source.location",
        "source",
        "Directory or archive",
        "The root file system of any system, made by anyone: a directory, or a tar archive packed"
        " in any way, also one that a URL leads to. It is unpacked as if it were hostile: nothing"
        " of it gets out of its place. What distribution it is, is read from its os-release.",
        "text",
        when=_by("rootfs"),
        example="rootfs.tar.gz",
        needed=True,
    ),
    Question(
        "source.location",
        "source",
        "Program",
        "Alone in its tree it has no loader and no libraries, so that it has to be static: gcc"
        " -static, CGO_ENABLED=0 go build, a musl target of Rust. A file, or a URL.",
        "text",
        when=_by("binary"),
        example="./server",
        needed=True,
    ),
    Question(
        "source.location",
        "source",
        "Container image",
        "What `docker save`, `podman save` or `skopeo copy` wrote: a tar, or an OCI directory. It"
        " is read before anything runs, so that it has to be on this machine. What it starts, and"
        " with what, is taken over and shown on the next page.",
        "text",
        when=_by("oci"),
        example="web.tar",
        needed=True,
    ),
    Question(
        "source.sha256",
        "source",
        "Its SHA-256",
        "Proves that it is the file you mean. Left empty, a URL is proved by the SHA256SUMS or"
        " SHA512SUMS beside it, if there is one.",
        "text",
        when=_made_by_others,
        example="64 hexadecimal digits, or nothing",
    ),
    Question(
        "source.distro",
        "source",
        "Distribution",
        "The document's guide to a VM is for Ubuntu jammy, that to a disk image for Arch Linux;"
        " all are built the same way. Where this machine lacks a distribution's keys, they are"
        " fetched and proved by their fingerprints. What others have made says what it is when it"
        " is unpacked, and has to be what is said here.",
        "choice",
        _distros,
        fallback=_likely_distro,
        when=_of_some_distro,
    ),
    Question(
        "source.suite",
        "source",
        "Suite",
        "The release to install. Newer suites have newer kernels and longer support; either"
        " boots on Zero-OS.",
        "choice",
        _suites,
        fallback=lambda given: _distro(given).suites[0].name,
        when=_with_suites,
        yields=True,
    ),
    Question(
        "source.variant",
        "source",
        "Base",
        'The document runs plain debootstrap, or pacstrap with a list; "standard" is the same set'
        " of packages. A container is best small.",
        "choice",
        _variants,
        fallback=_variant,
        when=_with_variants,
    ),
    Question(
        "source.bootstrap",
        "source",
        "Bootstrap tool",
        'The document: "sudo debootstrap jammy ubuntu:jammy", and "pacstrap /mnt base …" for Arch.'
        " Either tool installs the same set of packages; with the distribution's own mirror"
        " mmdebstrap takes security updates too.",
        "choice",
        _bootstraps,
        when=_installed,
        yields=True,
    ),
    Question(
        "source.mirror",
        "source",
        "Mirror",
        "Leave it empty for the distribution's own; Arch Linux has none for all, and lists them at"
        " archlinux.org/mirrors. A mirror given here is also what the machine will use for its"
        " updates.",
        "text",
        example="the distribution's own",
        when=_installed,
    ),
    Question(
        "source.packages",
        "source",
        "More packages",
        "Beside what a VM on Zero-OS needs (kernel, cloud-init, openssh-server, curl and a"
        " network), which are always installed. A container gets the base and these.",
        "list",
        example="vim htop",
        when=_a_system,
    ),
    Question(
        "kernel.package",
        "kernel",
        "Kernel package",
        'The document: "Also really important that we install a kernel". In a VM of its own'
        ' kernel it is unpacked to ELF afterwards: "the vmlinuz MUST be an EFI kernel (not'
        ' compressed)"; `readelf -n` will then show its Xen note (PVH), by which Zero-OS starts'
        " it. In a disk image GRUB starts it as it is.",
        "choice",
        _kernels,
        when=lambda given: _a_machine(given) and not _own_kernel(given),
        yields=True,
    ),
    Question(
        "kernel.file",
        "kernel",
        "Or a kernel of your own",
        'The document: "If you need control over the kernel you can actually still provide it'
        ' inside the flist". A file or a URL: an ELF, or a bzImage, which is unpacked to one.'
        " It takes the place of the distribution's; nothing is installed for it, so that it needs"
        " its modules in its initramfs, or none.",
        "text",
        when=_has_initramfs,
        example="vmlinuz, or nothing",
    ),
    Question(
        "kernel.initrd",
        "kernel",
        "Its initramfs",
        'The document: "/boot/initrd.img [optional]". Without one the kernel has to have virtiofs'
        " and virtio_pci built in, by which it reaches its root file system.",
        "text",
        when=lambda given: _has_initramfs(given) and _own_kernel(given),
        example="initrd.img, or nothing",
    ),
    Question(
        "kernel.modules",
        "kernel",
        "Modules in the initramfs",
        'The document: "make sure that virtiofs is part of the initramfs image". The root file'
        " system of a VM reaches it over virtiofs, and virtiofs over PCI: without both the kernel"
        " finds no root and panics. A disk image gets the drivers of its disk beside these.",
        "list",
        example="virtiofs virtio_pci",
        when=lambda given: _has_initramfs(given) and not _own_kernel(given),
    ),
    Question(
        "disk.size",
        "disk",
        "Disk size",
        'The document: "Disk of about 2GB … The smaller the disk is better"; at the first start'
        " cloud-init lets the root take the whole disk that was rented.",
        "text",
        when=_divided,
        example="2GiB",
    ),
    Question(
        "disk.esp_size",
        "disk",
        "ESP size",
        'The document: "an esp (boot) partition of 100M". It holds GRUB, and the kernels too if it'
        " is /boot.",
        "text",
        when=_divided,
        example="100MiB",
    ),
    Question(
        "disk.esp_mount",
        "disk",
        "ESP mounted at",
        'The document: "mount /dev/vda1 /mnt/boot", for Arch. dpkg cannot upgrade a kernel on FAT,'
        " so that Debian and Ubuntu keep /boot in the root file system.",
        "choice",
        _esp_mounts,
        when=_divided,
        yields=True,
    ),
    Question(
        "disk.label",
        "disk",
        "Root label",
        'The document: "mkfs.ext4 -L cloud-root". The machine finds its root by its id; the label'
        " is for you.",
        "text",
        when=_divided,
        example="cloud-root",
    ),
    Question(
        "grub.cmdline",
        "grub",
        "Kernel command line",
        'The document: "we removed the quiet and add the console flags". Without console=ttyS0'
        " nothing is to be seen of a start that goes wrong.",
        "text",
        when=_divided,
        example="loglevel=3 console=tty console=ttyS0",
    ),
    Question(
        "grub.timeout",
        "grub",
        "Seconds that GRUB waits",
        'The document: "Also set the GRUB_TIMEOUT to 0 for a faster boot". Nobody can press a key'
        " there.",
        "number",
        when=_divided,
        example="0",
    ),
    Question(
        "container.entrypoint",
        "container",
        "Entrypoint",
        'The document: "the users entrypoint is started". Zero-OS tests that very path, and starts'
        " it as root when network and disks are there. When it ends, the machine ends. In a"
        " distribution a package or a command of yours has to bring it; a file is looked into."
        " Empty: of a container image what the image says; of a program /app, where it is put.",
        "text",
        when=_contained,
        example="such as /usr/sbin/nginx",
    ),
    Question(
        "container.args",
        "container",
        "Arguments",
        "One a line. They stand behind the entrypoint in the deployment, quoted for its shell."
        " Give no secret so: everybody in the container sees arguments.",
        "lines",
        when=_contained,
        example="--port=8080",
    ),
    Question(
        "container.env",
        "container",
        "Environment",
        'NAME=value, one a line. The document: "The environment variables passed will be'
        ' available inside the container". The deployment passes them, not the flist; the note'
        " beside the archive lists them. A secret is named without a value (DB_PASSWORD=), which"
        " you type there.",
        "settings",
        when=_contained,
        example="LOG_LEVEL=info",
    ),
    Question(
        "container.mounts",
        "container",
        "Disks at",
        'The document: "Mountpoints will also be setup for you". Zero-OS makes each disk of the'
        " deployment a btrfs and mounts it before the entrypoint starts; what is written anywhere"
        " else goes with the machine.",
        "list",
        when=_contained,
        example="/data",
    ),
    Question(
        "system.timezone",
        "system",
        "Time zone",
        'The document: "follow all steps in the installation guide to set timezone". UTC is what'
        " servers usually keep; a system by others keeps its own then.",
        "text",
        example="UTC",
        when=_a_system,
    ),
    Question(
        "system.locale",
        "system",
        "Locale",
        "C.UTF-8 needs no further packages; any other one is generated.",
        "text",
        example="C.UTF-8",
        when=_a_system,
    ),
    Question(
        "system.services",
        "system",
        "Services to enable",
        "SSH, cloud-init and the network are enabled anyway. SSH keys come from Zero-OS when the"
        " machine starts; there is no password.",
        "list",
        example="nginx fstrim.timer",
        when=_has_initramfs,
    ),
    Question(
        "system.run",
        "system",
        "Your own commands, one a line",
        "They run in the chroot, as root, after everything else is installed.",
        "lines",
        example="apt-get install -y nginx",
        when=_a_system,
    ),
    Question(
        "output.directory",
        "output",
        "Directory for the archive",
        'The document: "sudo tar -czf ubuntu-jammy.tar.gz -C ubuntu:jammy ."; the archive is what'
        " you upload to the hub.",
        "text",
        example=".",
    ),
    Question(
        "output.compression",
        "output",
        "Compression",
        "The hub unpacks the archive at once, so this changes how long packing and uploading"
        " take, not the machine.",
        "choice",
        _compressions,
    ),
    Question(
        "checklist.disk_size",
        "output",
        "Disk that will be rented",
        'The document: "if the image.raw size is larger than the allocated disk. the workload for'
        ' the VM will fail".',
        "text",
        when=_disk,
        example="5GiB",
    ),
)


def asked(given: RawAnswers) -> tuple[Question, ...]:
    """The questions that these answers make sense of, in order."""
    return tuple(question for question in QUESTIONS if question.when(given))


def pages(given: RawAnswers) -> tuple[Page, ...]:
    """The pages that have a question for these answers, in order."""
    wanted = {question.page for question in asked(given)}
    return tuple(page for page in PAGES if page.name in wanted)


def on_page(page: str, given: RawAnswers) -> tuple[Question, ...]:
    """The questions of one page."""
    return tuple(question for question in asked(given) if question.page == page)


def problems(given: RawAnswers) -> dict[str, str]:
    """What is wrong with the answers, by key; empty if a recipe can be made of them."""
    return {question.key: said for question in asked(given) if (said := question.problem(given))}


def to_recipe(given: RawAnswers) -> Recipe:
    """The recipe that the answers describe; RecipeError names what cannot be."""
    base = Recipe.from_toml(given[BASE]).values() if given.get(BASE) else {}
    values = dict(base)
    for question in asked(given):
        text = question.answer(given)
        # An answer that is as it was keeps its value, down to a line break inside a command.
        if question.key not in base or text != question.as_text(base[question.key]):
            values[question.key] = question.value(text)
    stale = _stale(values)
    return Recipe.from_values(
        {
            key: value
            for key, value in values.items()
            if key not in stale and (FIELDS[key].use.lenient or FIELDS[key].use.covers(values))
        },
        "the answers",
    )


def _stale(values: Mapping[str, Any]) -> set[str]:
    """The keys of an opened recipe that were for another distribution, or for another kernel."""
    kernel, initrd = values.get("kernel.file", ""), values.get("kernel.initrd", "")
    stale = {"kernel.package"} if kernel else {"kernel.initrd"}
    # The build computes the sums of files.
    stale |= {"kernel.sha256"} if "://" not in kernel else set()
    stale |= {"kernel.initrd_sha256"} if not kernel or "://" not in initrd else set()
    distro = distros.KNOWN.get(values.get("source.distro", ""))
    if distro and not distro.suite(values.get("source.suite", "")):
        stale.add("source.suite")
    return stale


def from_recipe(recipe: Recipe) -> dict[str, str]:
    """The answers that lead to ``recipe``; what no question asks is kept beside them."""
    values = recipe.values()
    texts = {q.key: q.as_text(values[q.key]) for q in QUESTIONS}
    return {BASE: recipe.to_toml(), **texts}

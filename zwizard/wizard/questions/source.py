"""The page "Source": where the root file system comes from."""

from dataclasses import replace

from zwizard import distros, sources
from zwizard.recipe.relevance import SOURCES, TARGETS, target_of
from zwizard.wizard.questions.record import (
    Choice,
    Page,
    Question,
    RawAnswers,
    distro_of,
    is_installed,
)

_BECOMES = {"container": "a container", "vm": "a VM", "image": "a disk image"}


def _kinds(answers: RawAnswers) -> tuple[Choice, ...]:
    """The kinds that become such a Zmachine, and another one only where it is chosen already."""
    target, chosen = target_of(answers), answers.get("source.kind")
    return tuple(
        _kind(kind, target) for kind in SOURCES if target in SOURCES[kind] or kind == chosen
    )


def _kind(kind: str, target: str) -> Choice:
    source, targets = sources.of(kind), SOURCES[kind]
    if target in targets:
        return Choice(kind, source.title, source.about[target])
    becomes = " or ".join(_BECOMES[name] for name in TARGETS if name in targets)
    return Choice(kind, source.title, "", f"{source.title} becomes {becomes}")


def _file(question: Question, answers: RawAnswers) -> Question:
    """The question for the file in the words of its kind."""
    source = sources.of(answers.get("source.kind", "distro"))
    return replace(
        question, label=source.file_title, why=source.file_why, example=source.file_example
    )


def _is_distro_unknown(answers: RawAnswers) -> bool:
    """Whether the distribution is asked for: not where the file itself says it."""
    unseen = answers.get("source.kind") == "cloud-image"
    return is_installed(answers) or unseen or "://" in answers.get("source.location", "")


def _distros(answers: RawAnswers) -> tuple[Choice, ...]:
    distributions = distros.KNOWN.values()
    if is_installed(answers):
        return tuple(Choice(distro.name, distro.title, distro.means) for distro in distributions)
    return (
        *(
            Choice(d.name, d.title, "Missing packages are added with its tools.")
            for d in distributions
        ),
        Choice("other", "Another", "Nothing is installed: it must contain what a VM needs."),
    )


def _likely_distro(answers: RawAnswers) -> str:
    """By the name of the file; the build verifies it."""
    if is_installed(answers):
        return next(iter(distros.KNOWN))
    name = answers.get("source.location", "").rpartition("/")[2].lower()
    suites = {suite.name: d.name for d in distros.KNOWN.values() for suite in d.suites}
    words = {name: name for name in distros.KNOWN} | {"cloudimg": "ubuntu"} | suites
    return next((d for word, d in words.items() if word and word in name), "debian")


def _has_variants(answers: RawAnswers) -> bool:
    """Whether there is a larger base: Arch's container is always the smallest."""
    return is_installed(answers) and (
        distro_of(answers).family == "apt" or target_of(answers) != "container"
    )


def _variant(answers: RawAnswers) -> str:
    container = target_of(answers) == "container"
    lean = container and answers.get("source.bootstrap") != "debootstrap"
    return "minimal" if lean else "standard"


def _variants(answers: RawAnswers) -> tuple[Choice, ...]:
    if distro_of(answers).family == "pacman":
        return (
            Choice("standard", "standard", "With linux-firmware and vim, as in the guide."),
            Choice("minimal", "minimal", "Without them: a virtual machine needs no firmware."),
        )
    by_debootstrap = answers.get("source.bootstrap") == "debootstrap"
    return (
        Choice("standard", "standard", "What plain debootstrap installs, as in the guide."),
        Choice(
            "minimal",
            "minimal",
            "The essential packages and apt: smaller and faster to build.",
            "debootstrap makes the standard base; minimal needs mmdebstrap" * by_debootstrap,
        ),
    )


def _bootstraps(answers: RawAnswers) -> tuple[Choice, ...]:
    if distro_of(answers).family == "pacman":
        return (
            Choice("auto", "pacman", "What pacstrap runs too; works without root."),
            Choice("pacstrap", "pacstrap", "The guide's own tool; only as root."),
        )
    return (
        Choice("auto", "automatic (mmdebstrap)", "The same set of packages in half the time."),
        Choice("debootstrap", "debootstrap", "The guide's own tool, used as it uses it."),
        Choice("mmdebstrap", "mmdebstrap", "Always mmdebstrap."),
    )


PAGE = Page(
    "source",
    "Source",
    "Where does the root file system come from?",
    (
        Question(
            "source.kind",
            "choice",
            "A new system from a distribution, or what you already have.",
            guide="this will create and download the basic rootfs",
            choices=_kinds,
        ),
        Question(
            "source.location",
            "text",
            "What the image is made from: a file or a URL.",
            reword=_file,
            required=True,
        ),
        Question(
            "source.sha256",
            "text",
            "Verifies that it is the file you mean. If empty, a URL is verified with the"
            " SHA256SUMS or SHA512SUMS beside it, if there is one.",
            example="Optional; 64 hexadecimal digits",
        ),
        Question(
            "source.distro",
            "choice",
            "All distributions are built the same way. Keys of a distribution that this machine"
            " does not have are downloaded and verified by their fingerprints. What an imported"
            " system is, is read when it is unpacked, and must be what you answer here.",
            choices=_distros,
            fallback=_likely_distro,
            when=_is_distro_unknown,
        ),
        Question(
            "source.suite",
            "choice",
            "The release to install. Newer suites have newer kernels and longer support; each"
            " boots on Zero-OS.",
            choices=lambda answers: tuple(
                Choice(suite.name, suite.title) for suite in distro_of(answers).suites
            ),
            fallback=lambda answers: distro_of(answers).suites[0].name,
            when=lambda answers: not distro_of(answers).suite(""),
            resets=True,
        ),
        Question(
            "source.variant",
            "choice",
            '"standard" has the packages that the guide\'s own commands install. Small is best'
            " for a container.",
            choices=_variants,
            fallback=_variant,
            when=_has_variants,
        ),
        Question(
            "source.bootstrap",
            "choice",
            "All tools install the same set of packages. With the distribution's own mirror,"
            " mmdebstrap includes security updates.",
            guide="sudo debootstrap jammy ubuntu:jammy",
            choices=_bootstraps,
            resets=True,
        ),
        Question(
            "source.mirror",
            "text",
            "Empty: the distribution's own. Arch Linux has no default mirror;"
            " archlinux.org/mirrors lists them. The system will use this mirror for its updates"
            " too.",
            example="the distribution's own",
        ),
        Question(
            "source.packages",
            "list",
            "In addition to what a VM on Zero-OS needs, which is always installed: kernel,"
            " cloud-init, openssh-server, curl and a network. A container gets the base and"
            " these.",
            example="vim htop",
        ),
    ),
)

"""The page "Target": the kind of Zmachine, and its name."""

import re

from zwizard.recipe.relevance import target_of
from zwizard.wizard.questions.record import (
    Choice,
    Page,
    Question,
    RawAnswers,
    distro_of,
    is_installed,
)

_TARGETS = (
    Choice(
        "vm",
        "VM with its own kernel",
        "Zero-OS finds /boot/vmlinuz in the flist and boots it; cloud-init in the image sets up"
        " network, host name and SSH keys.",
    ),
    Choice(
        "container",
        "Container",
        "Zero-OS boots its own small kernel and starts your entrypoint.",
    ),
    Choice(
        "image",
        "VM from a disk image (deprecated)",
        "Zero-OS copies /image.raw to the first disk and boots it by EFI. This is being phased"
        " out: choose it only where the VM needs a disk of its own.",
    ),
)


def _name(answers: RawAnswers) -> str:
    """After what it is made of, but not so that the archive has the name of its source."""
    target = target_of(answers)
    if is_installed(answers):
        return f"{distro_of(answers).name}-{target}"
    file = answers.get("source.location", "").rstrip("/").rpartition("/")[2]
    stem = re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9_-]", "", file.partition(".")[0])
    if not stem or file == f"{stem}.tar.gz":
        return f"{stem[:50] or 'my'}-{target}"
    return stem[:60]


PAGE = Page(
    "target",
    "Target",
    "What kind of Zmachine?",
    (
        Question(
            "target",
            "choice",
            "Choose a VM for your own kernel and a whole system, a container for one service.",
            guide="both VM and Container on ZOS are actually served as Virtual Machines",
            choices=lambda _: _TARGETS,
        ),
        Question(
            "name",
            "text",
            "The archive becomes NAME.tar.gz, and the hub makes NAME.flist from it. A flist of the"
            " same name on the hub is replaced without a warning. The hub keeps only letters,"
            " digits, '_', '.' and '-'.",
            fallback=_name,
            example="debian-vm",
        ),
    ),
)

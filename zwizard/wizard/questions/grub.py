"""The page "GRUB": the boot loader of a disk image."""

from zwizard.wizard.questions.record import Page, Question

PAGE = Page(
    "grub",
    "GRUB",
    "How does the machine start?",
    (
        Question(
            "grub.cmdline",
            "text",
            "Keep console=ttyS0, or boot failures are invisible.",
            guide="we removed the quiet and add the console flags",
            example="loglevel=3 console=tty console=ttyS0",
        ),
        Question(
            "grub.timeout",
            "number",
            "No keyboard is attached, so 0 is fine.",
            guide="Also set the GRUB_TIMEOUT to 0 for a faster boot",
            example="0",
        ),
    ),
)

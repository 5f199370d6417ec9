"""The page "System": what is set inside the guest."""

from zwizard.wizard.questions.record import Page, Question

PAGE = Page(
    "system",
    "System",
    "What is set inside?",
    (
        Question(
            "system.timezone",
            "text",
            "Servers usually keep UTC. An imported system keeps its own time zone if this is UTC.",
            guide="follow all steps in the installation guide to set timezone",
            example="UTC",
        ),
        Question(
            "system.locale",
            "text",
            "C.UTF-8 needs no more packages; any other locale is generated.",
            example="C.UTF-8",
        ),
        Question(
            "system.services",
            "list",
            "SSH, cloud-init and the network are enabled anyway. Zero-OS adds SSH keys when the"
            " machine starts; there is no password.",
            example="nginx fstrim.timer",
        ),
        Question(
            "system.run",
            "lines",
            "One per line. They run in the image, as root, after everything else is installed.",
            example="apt-get install -y nginx",
        ),
    ),
)

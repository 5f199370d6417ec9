"""The page "Container": what the deployment starts, and with what."""

from zwizard.wizard.questions.record import Page, Question

PAGE = Page(
    "container",
    "Container",
    "What does Zero-OS start in it?",
    (
        Question(
            "container.entrypoint",
            "text",
            "Zero-OS starts it as root when network and disks are ready. When it exits, the"
            " container stops. It must exist in the image (from a package or your own command)."
            " Empty: the container image's own entrypoint, or /app for a static binary.",
            guide="the users entrypoint is started",
            example="such as /usr/sbin/nginx",
        ),
        Question(
            "container.args",
            "lines",
            "One per line. They follow the entrypoint in the deployment, quoted for its shell. Do"
            " not put secrets here: everybody in the container can read them.",
            example="--port=8080",
        ),
        Question(
            "container.env",
            "settings",
            "NAME=value, one per line. The deployment sets them, not the flist; the note beside"
            " the archive lists them. Name a secret without a value (DB_PASSWORD=), and type the"
            " value into the deployment.",
            guide="The environment variables passed will be available inside the container",
            example="LOG_LEVEL=info",
        ),
        Question(
            "container.mounts",
            "list",
            "Zero-OS formats each disk of the deployment as btrfs and mounts it before the"
            " entrypoint starts; anything written elsewhere is lost with the container.",
            guide="Mountpoints will also be setup for you",
            example="/data",
        ),
    ),
)

"""The page "Output": where the archive goes."""

from zwizard.recipe.relevance import target_of
from zwizard.wizard.questions.record import Choice, Page, Question

_COMPRESSIONS = (
    Choice("fast", "fast", "Takes seconds, not half a minute; a few per cent larger."),
    Choice("small", "small", "gzip's best: slower, for slow uplinks."),
)

PAGE = Page(
    "output",
    "Output",
    "Where does the archive go?",
    (
        Question(
            "output.directory",
            "text",
            "The archive is what you upload to the hub. A relative path starts at the working"
            " directory.",
            guide="sudo tar -czf ubuntu-jammy.tar.gz -C ubuntu:jammy .",
            example=".",
        ),
        Question(
            "output.compression",
            "choice",
            "Changes how long packing and uploading take, not the machine: the hub unpacks the"
            " archive.",
            choices=lambda _: _COMPRESSIONS,
        ),
        Question(
            "checklist.disk_size",
            "text",
            "An image that is larger than the disk of the deployment does not start.",
            guide="if the image.raw size is larger than the allocated disk. the workload for the"
            " VM will fail",
            when=lambda answers: target_of(answers) == "image",
            example="5GiB",
        ),
    ),
)

"""The pages in their order, and all questions; both wizards show these."""

from zwizard.wizard.questions import (
    container,
    grub,
    kernel,
    output,
    partitions,
    source,
    system,
    target,
)
from zwizard.wizard.questions.record import Question

PAGES = (
    target.PAGE,
    source.PAGE,
    kernel.PAGE,
    partitions.PAGE,
    grub.PAGE,
    container.PAGE,
    system.PAGE,
    output.PAGE,
)


def all_questions() -> tuple[Question, ...]:
    """Every question, whether it is asked or not."""
    return tuple(question for page in PAGES for question in page.questions)

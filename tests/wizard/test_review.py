"""The outlook of answers: what stands in their way, and nothing that is not asked any more."""

from __future__ import annotations

import pytest

from zwizard.host.privileges import Privilege
from zwizard.wizard import review
from zwizard.wizard.review import HostState

MACHINE = HostState(Privilege("root", "root"), "Debian 12")


@pytest.mark.parametrize("key", ["kernel.file", "kernel.initrd"])
def test_a_missing_file_is_reported_at_its_question(key: str) -> None:
    given = {"kernel.file": "https://host.example/vmlinuz"} | {key: "/nowhere"}
    told = [trouble for trouble in review.review_of(given, MACHINE).problems if trouble.key == key]
    assert [trouble.message for trouble in told] == [
        "/nowhere: /nowhere: No such file or directory"
    ]


@pytest.mark.parametrize(
    "others",
    [
        {"target": "container", "container.entrypoint": "/bin/sh"},
        {"kernel.file": ""},  # nothing for its initramfs to be beside
    ],
)
def test_files_of_hidden_questions_are_ignored(
    others: dict[str, str],
) -> None:
    given = {"kernel.file": "/nowhere", "kernel.initrd": "/nowhere"} | others
    seen = review.review_of(given, MACHINE)
    assert seen.recipe is not None
    assert not [trouble for trouble in seen.problems if trouble.key.startswith("kernel.")]

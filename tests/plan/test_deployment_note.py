"""The deployment note of every kind of image, as each form takes it."""

from __future__ import annotations

import re
import shlex

import pytest

from zwizard.plan.deployment_note import BLOCKS, Deployment, describe, markdown, terraform, tfcmd
from zwizard.recipe.model import Recipe

FLIST, CHECKSUM = "https://hub.example/a.3bot/web.flist", "0" * 32
ENV = {"LEVEL": "it's ${x}", "X": "1", "_Y": "2", "EMPTY": ""}
CONTAINER = Recipe.from_dict(
    {"name": "web", "target": "container", "source": {"kind": "binary", "location": "/app"},
     "container": {"args": ["-c", "a b"], "env": ENV, "mounts": ["/data", "/srv"]}}
)  # fmt: skip


def made(recipe: Recipe | None, kind: str = "container") -> Deployment:
    return describe("web", kind, recipe, flist=FLIST, checksum=CHECKSUM, unpacked=3 << 30)


@pytest.mark.parametrize(
    ("kind", "entrypoint", "disks"),
    [
        ("vm", "/sbin/init", {}),
        ("image", "/", {"/disk": 3}),
        ("container", "ENTRYPOINT", {}),
    ],
)
def test_every_kind_of_image_has_what_the_forms_need(
    kind: str, entrypoint: str, disks: dict[str, int]
) -> None:
    note = made(None, kind)
    assert (note.entrypoint, note.disks, note.flist, note.checksum) == (
        entrypoint, disks, FLIST, CHECKSUM,
    )  # fmt: skip
    assert note.memory >= 250
    assert note.to_json()["texts"].keys() == BLOCKS.keys()


def test_a_container_has_its_entrypoint_environment_and_disks() -> None:
    note = made(CONTAINER)
    assert note.entrypoint == "/app -c 'a b'"
    assert dict(note.environment) == ENV
    assert list(note.disks) == ["/data", "/srv"]
    assert note.refused == ("X", "_Y", "EMPTY")


def test_the_line_of_tfcmd_is_read_by_a_shell_as_meant() -> None:
    words = shlex.split(tfcmd(made(CONTAINER)))
    assert words[words.index("--entrypoint") + 1] == "/app -c 'a b'"
    assert words[words.index("--ssh") + 1] == "~/.ssh/id_ed25519.pub"
    assert " ~/" in tfcmd(made(CONTAINER))  # which the shell replaces
    assert [words[at + 1] for at, word in enumerate(words) if word == "--env"] == [
        f"{name}={value}" for name, value in ENV.items()
    ]


def test_terraform_gets_the_checksum_and_quoted_texts() -> None:
    block = terraform(made(CONTAINER))
    assert f'flist_checksum = "{CHECKSUM}"' in block
    assert '"LEVEL" = "it\'s $${x}"' in block
    assert len(re.findall(r"[{]", block.replace("$${", ""))) == len(
        re.findall("}", block.replace("x}", ""))
    )


def test_the_markdown_has_every_block_and_marks_what_is_refused() -> None:
    text = markdown(made(CONTAINER))
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## How Zero-OS runs it", *(f"## {title}" for title, _ in BLOCKS.values()),
    ]  # fmt: skip
    assert "`_Y=2`, which the dashboard refuses" in text
    assert "`EMPTY`, without a value" in text
    assert "not uploaded yet" in markdown(describe("web", "vm"))


def test_a_machine_has_a_name_that_deployments_take() -> None:
    assert describe("a-b.c", "vm").machine == "a_b_c"
    assert describe("a", "vm").machine == "a_"
    assert len(describe("x" * 60, "vm").machine) == 35

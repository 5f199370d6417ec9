"""What is judged of the hub's answer to an upload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zwizard.hub.answers import judge
from zwizard.hub.client import Answer
from zwizard.image.flist.compare import Counts

COUNTS = Counts(5, 1, 2, 1000)
RESPONSE = {"regular": 5, "symlink": 1, "directory": 26, "special": 2, "failure": 0,
            "fullsize": 1000}  # fmt: skip
FILES = {"success": True, "error": None, "response": RESPONSE, "status": 0}


def answer(files: Any = FILES, status: str = "success", name: str = "t.flist") -> Answer:
    payload = {"name": name, "files": files}
    return Answer(200, json.dumps({"status": status, "payload": payload}))


@pytest.mark.parametrize("files", [FILES, RESPONSE, FILES | {"response": RESPONSE | {"x": 1}}])
def test_an_answer_with_the_right_counts_is_good(files: object) -> None:
    assert judge(answer(files), "t", COUNTS) == ""


EMPTY = {"success": False, "error": {"function": "putdir", "message": "could not load"}}
WRONG = {
    "garbage": (answer(EMPTY), "could not load"),
    "not success": (answer(FILES | {"success": "true"}), "could not read"),
    "failure": (answer(FILES | {"response": RESPONSE | {"failure": 3}}), "3 of its entries"),
    "fewer files": (answer(FILES | {"response": RESPONSE | {"regular": 4}}), "regular is 4"),
    "fewer links": (answer(RESPONSE | {"symlink": 0}), "symlink is 0"),
    "smaller": (answer(RESPONSE | {"fullsize": 999}), "fullsize is 999"),
    "no counts": (answer({}), "regular is None"),
    "no response": (answer(FILES | {"response": None}), "regular is None"),
    "another name": (answer(name="tar.gz.flist"), "tar.gz.flist"),
    "error": (answer(status="error"), "it answered"),
    "a list": (Answer(200, "[]"), "it answered"),
    "a page": (Answer(200, "<html>"), "a web page"),
    "nothing": (Answer(200, ""), "a web page, or nothing"),
    "500": (Answer(500, '{"message": "no file found"}'), "500: no file found"),
}


@pytest.mark.parametrize(("found", "why"), WRONG.values(), ids=WRONG)
def test_any_other_answer_is_not(found: Answer, why: str) -> None:
    assert why in judge(found, "t", COUNTS)

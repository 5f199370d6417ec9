"""What the hub's answer to an upload proves: alone nothing, but it can tell what is wrong."""

from dataclasses import asdict
from typing import Any

from zwizard.hub.client import Answer
from zwizard.image.flist.compare import Counts


def judge(answer: Answer, temporary: str, counts: Counts) -> str:
    """What in the answer is wrong, "" if nothing is.

    The count of directories is not looked at: the hub counts some several times.
    """
    if answer.status != 200:
        return f"it answered {answer.status}: {answer.message}"
    match answer.data:
        case {"status": "success", "payload": {"name": str(name), "files": dict(files)}}:
            pass
        case _:
            return f"it answered {answer.message}"
    if name != f"{temporary}.flist":
        return f"it named it {name!r}"
    return _judge_files(files, counts)


def _judge_files(files: dict[str, Any], counts: Counts) -> str:
    found = files
    if "success" in files or "response" in files:  # else it is the older form
        if files.get("success") is not True:
            return f"it could not read the archive: {_text(files.get('error'))}"
        found = files.get("response") or {}
    if not isinstance(found, dict) or found.get("failure", 0) != 0:
        return f"{_text(found)} failed"
    for key, right in asdict(counts).items():
        if found.get(key) != right:
            return f"its count of {key} is {found.get(key)!r}, the archive's {right}"
    return ""


def _text(value: object) -> str:
    match value:
        case {"message": str(message)}:
            return message
        case {"failure": failure}:
            return f"{failure} of its entries"
    return "something"

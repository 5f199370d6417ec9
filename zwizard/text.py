"""What is shown: text from outside made safe for a terminal, and sizes and times for people."""

from __future__ import annotations

import re

# Everything a terminal could act on: whole escape sequences first (so that their parameters do
# not stay behind as litter), then any C0 or C1 control but newline and tab, and the Unicode
# controls that reorder what is read (bidi overrides and isolates) or hide it.
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, screen
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC with their ends
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one C1 byte
    r"|\x1b[ -/]*[0-~]"  # two-character and charset escapes
)
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def sanitise(text: str) -> str:
    r"""``text`` with nothing a terminal would act on; newlines and tabs stay.

    >>> sanitise("a\x1b[31mb\x1b]0;title\x07c\rd")
    'abc\ufffdd'
    """
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("\ufffd", _SEQUENCE.sub("", text)))


def one_line(text: str) -> str:
    """``sanitise`` for a place that is one line high: newlines and tabs become spaces too."""
    return sanitise(text).replace("\n", " ").replace("\t", " ")

"""What is shown: text from outside made safe for a terminal, and sizes and times for people."""

import re

# Everything a terminal could act on: whole escape sequences first (so that their parameters do
# not stay behind as litter), then any C0 or C1 control but newline and tab, and the Unicode
# characters that reorder what is read (bidi overrides and isolates), hide it or have no width.
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, screen
    r"|\x1b[\]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS and the like, to their ends
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one C1 byte
    r"|\x1b[ -/]*[0-~]"  # two-character and charset escapes
)
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
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


_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Bytes of a size such as ``2GiB``, ``100M`` or ``512``; units are powers of 1024.

    Raises ValueError for anything else.
    """
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(text)
    return int(float(match[1]) * _UNITS[match[2].upper()])


def size(count: int) -> str:
    """Bytes for people: ``172.3 MiB``."""
    import humanize

    return humanize.naturalsize(count, binary=True)


def duration(seconds: float) -> str:
    """Seconds for people: ``38 s``, ``1 min 12 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def brief(seconds: float) -> str:
    """Seconds in a narrow column: ``38 s``, ``1:12``, ``2:05:00``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(moment: float, now: float) -> str:
    """How long before ``now`` (both seconds since 1970): ``2 hours ago``."""
    import humanize

    return humanize.naturaltime(max(0.0, now - moment))

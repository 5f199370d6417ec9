"""What a proof came to, kept beside the build or the other proofs: as JSON and as text."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zwizard.boottest.records import last_test_of, last_test_of_file
from zwizard.boottest.session import BootTestDirectory
from zwizard.boottest.stages import STAGES, Finding, stages
from zwizard.boottest.watch.failure_causes import BootFailureCause
from zwizard.checks import Mode, find_rule
from zwizard.util import paths
from zwizard.util.text import duration, one_line, sanitise

__all__ = ["MARKS", "STAGES", "TOLD", "last_test_of", "last_test_of_file", "make", "text", "write"]

MARKS = {"pass": "✓", "fail": "✗", "unknown": "?", "unreached": "–"}
# What the last event of a proof tells, for faces that read no report.
TOLD = ("proven", "artefact", "sha256", "seconds", "said", "rule", "remedy", "tail", "printed",
        "console", "report")  # fmt: skip

# What a stage that failed by itself means, and the rule about it.
_MEANS = {
    "hostname": ("The host name is not the one that cloud-init was given.", "cloud-init-enabled"),
    "network": ("The network is not set up as cloud-init was told to.", "network-renderer"),
    "grown": ("The root does not use the whole disk that is rented.", "growpart"),
    "password": ("root can get in with a password.", "root-password"),
    "cloud-init": ("cloud-init did not do its work.", "cloud-init-enabled"),
    "entrypoint": ("The entrypoint is not started as it was given.", "entrypoint"),
    "environment": ("The entrypoint has not the environment that was given.", ""),
    "untouched": ("The artefact has changed while it was booted; this proves nothing.", ""),
}


def make(
    *,
    artefact: Path,
    mode: Mode,
    sha256: str,
    size: int,
    findings: Mapping[str, Finding],
    times: Mapping[str, float],
    cause: BootFailureCause | None,
    tail: str,
    machine: Mapping[str, Any],
    seconds: float,
    console: Path,
    printed: str = "",
) -> dict[str, Any]:
    """The report as data. ``times`` and ``seconds`` since the proof began; texts are raw.

    ``printed`` is what a container's entrypoint did.
    """
    shown = [_stage(stage.name, stage.title, findings, times) for stage in stages(mode)]
    wrong = [stage for stage in shown if stage["outcome"] != "pass"]
    said, rule = _why(cause, wrong)
    return {
        "artefact": str(artefact),
        "sha256": sha256,
        "bytes": size,
        "mode": mode.value,
        "proven": not wrong,
        "at": round(time.time(), 1),
        "seconds": seconds,
        "said": said,
        "rule": rule,
        "remedy": find_rule(rule).fix if rule else "",
        "tail": tail if wrong else "",
        "printed": printed,
        "stages": shown,
        "accelerator": machine.get("accelerator", ""),
        "why": machine.get("why", ""),
        "differs": machine.get("differs", []),
        "command": machine.get("command", []),
        "console": str(console),
        "report": str(console.with_name("report.txt")),
    }


def _stage(
    name: str, title: str, findings: Mapping[str, Finding], times: Mapping[str, float]
) -> dict[str, Any]:
    found = findings.get(name, Finding(name, "unknown", ""))
    outcome = found.outcome if name in findings else "unreached"
    return {
        "stage": name,
        "title": title,
        "outcome": outcome,
        "evidence": found.evidence,
        "seconds": times.get(name, 0.0),
    }


def _why(cause: BootFailureCause | None, wrong: list[dict[str, Any]]) -> tuple[str, str]:
    """A sentence about what is wrong, and the rule that would have caught it."""
    if cause is not None:
        return cause.said, cause.rule
    for stage in wrong:
        said, rule = _MEANS.get(stage["stage"], (f"Not so: {stage['title']}.", ""))
        return said, rule
    return "", ""


def write(made: Mapping[str, Any], run: BootTestDirectory) -> None:
    """Keep the report; with the JSON, which comes last, the proof counts."""
    paths.write_atomically(run.directory / "report.txt", text(made))
    paths.write_atomically(run.report, json.dumps(made, indent=1, ensure_ascii=False))


def text(made: Mapping[str, Any]) -> str:
    """The report for people, every line of it safe to show."""
    lines = [
        f"{made['artefact']}: {verdict(made)}",
        f"sha256 {made['sha256']}",
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(made['at']))},"
        f" {duration(made['seconds'])}, by {made['accelerator'] or 'nothing'}: {made['why']}",
        "",
    ]
    for stage in made["stages"]:
        at = f"{stage['seconds']:7.1f} s" if stage["seconds"] else " " * 9
        mark = MARKS[stage["outcome"]]
        lines.append(f"{mark} {stage['stage']:<11}{at}  {stage['title']}")
        if stage["evidence"]:
            lines.append(f"{'':24}{stage['evidence']}")
    lines += ["", *failure(made)]
    if made["printed"]:
        lines += ["", "The entrypoint printed:", *indented(made["printed"])]
    if made["tail"]:
        lines += ["", "The console's last lines:", *made["tail"].splitlines()]
    lines += ["", "What differs from a node:", *made["differs"], "", " ".join(made["command"])]
    return sanitise("\n".join(lines).rstrip()) + "\n"


def indented(text: str) -> list[str]:
    """The lines of a text by others, as they stand in a report."""
    return [f"    {line}" for line in text.splitlines()]


def verdict(made: Mapping[str, Any]) -> str:
    """``proven``, or not."""
    return "proven" if made["proven"] else "NOT proven"


def failure(made: Mapping[str, Any]) -> list[str]:
    """What went wrong, the rule and the remedy, a line each; nothing where all is well."""
    if made["proven"]:
        return []
    lines = [one_line(made["said"])]
    if made["rule"]:
        lines += [f"rule     {made['rule']}", f"do       {one_line(made['remedy'])}"]
    return lines

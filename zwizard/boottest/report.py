"""The report of a boot test, as JSON and as text."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zwizard.boottest import records
from zwizard.boottest.request import BootTest
from zwizard.boottest.results import NotUpError, Results
from zwizard.boottest.stages import StageResult, stages
from zwizard.boottest.watch.container_monitor import entrypoint_output
from zwizard.checks import find_rule
from zwizard.jobs.events import BootTestMachine
from zwizard.util import paths
from zwizard.util.documents import document
from zwizard.util.text import duration, one_line, sanitise

MARKS = {"pass": "✓", "fail": "✗", "unknown": "?", "unreached": "–"}

# The reason why a stage failed, where no cause was found, and the rule about it.
_REASONS = {
    "hostname": ("The host name is not the one configured for cloud-init.", "cloud-init-enabled"),
    "network": ("The network is not set up as configured for cloud-init.", "network-renderer"),
    "grown": ("The root file system does not use the whole disk.", "growpart"),
    "password": ("root can log in with a password.", "root-password"),
    "cloud-init": ("cloud-init did not finish without errors.", "cloud-init-enabled"),
    "entrypoint": ("The entrypoint is not started as configured.", "entrypoint"),
    "environment": ("The environment of the entrypoint is not the configured one.", ""),
    "untouched": ("The artefact changed during the test, so the result does not count.", ""),
}


def make(
    job: BootTest,
    artefact: Path,
    sha256: str,
    results: Results,
    machine: BootTestMachine,
    failure: NotUpError | None,
) -> dict[str, Any]:
    """The report as data; texts are raw."""
    decided = results.by_stage
    names = (stage.name for stage in stages(results.mode))
    shown = [decided.get(name, StageResult(name, "unreached")).to_json() for name in names]
    wrong = [stage for stage in shown if stage["outcome"] != "pass"]
    reason, rule = _why(failure, wrong)
    return {
        "artefact": str(artefact),
        "sha256": sha256,
        "bytes": records.total(artefact),
        "mode": results.mode,
        "passed": not wrong,
        "at": round(time.time(), 1),
        "seconds": results.elapsed,
        "reason": reason,
        "rule": rule,
        "remedy": find_rule(rule).fix if rule else "",
        "tail": failure.tail if failure and wrong else "",
        "printed": entrypoint_output(job.console.read_text("utf-8", "replace")),
        "stages": shown,
        "accelerator": machine.accelerator,
        "why": machine.why,
        "differs": machine.differs,
        "command": machine.command,
        "console": str(job.console),
        "report": str(job.report_text),
    }


def _why(failure: NotUpError | None, wrong: list[dict[str, Any]]) -> tuple[str, str]:
    """A sentence about what is wrong, and the rule that would have caught it."""
    if failure is not None:
        return failure.cause.message, failure.cause.rule
    if wrong:
        return _REASONS.get(wrong[0]["stage"], (f"Not true: {wrong[0]['title']}.", ""))
    return "", ""


def write(made: Mapping[str, Any], job: BootTest) -> None:
    """Write the report; the JSON, which makes the boot test count, comes last."""
    paths.write_atomically(job.report_text, text(made))
    paths.write_atomically(job.report, document(made))


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
    """The lines of a text from outside, indented."""
    return [f"    {line}" for line in text.splitlines()]


def verdict(made: Mapping[str, Any]) -> str:
    """The verdict in words."""
    return "boot test passed" if made["passed"] else "boot test failed"


def failure(made: Mapping[str, Any]) -> list[str]:
    """The reason of a failure, the rule and the remedy, a line each; nothing if it passed."""
    if made["passed"]:
        return []
    lines = [one_line(made["reason"])]
    if made["rule"]:
        lines += [f"rule     {made['rule']}", f"do       {one_line(made['remedy'])}"]
    return lines

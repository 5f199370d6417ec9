"""A build in the foreground, the choices after a failure, and the list of unfinished builds."""

import time
from pathlib import Path

from zwizard.console import build_progress, tables
from zwizard.console.foreground import write
from zwizard.engine import bug_report, builds, debug_shell, status
from zwizard.engine.builds import Build
from zwizard.engine.status import Status
from zwizard.plain import files
from zwizard.plain.terminal import Row, choose, prepare, say, say_error
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import ago
from zwizard.wizard import questions


def pick() -> str:
    """The name of the unfinished build that the user chooses; KeyboardInterrupt for none."""
    prepare()
    now = time.time()
    found = [(build, status.of(build)) for build in builds.everything()]
    rows: list[Row] = [
        (f"{build.id}  {tables.WORDS[state.state]}  {_place(state, now)}", build.id, "")
        for build, state in found
        if state.state not in {*status.CHECKED, "changed"}
    ]
    if not rows:
        raise UsageError(
            "every build is finished" if found else "there are no builds yet",
            "`zwizard list` shows the builds; `zwizard new` starts one.",
        )
    try:
        chosen = choose("Which build do you want to resume?", rows, back="Cancel")
    except EOFError:
        raise KeyboardInterrupt from None
    if chosen is None:
        raise KeyboardInterrupt
    return chosen


def _place(state: Status, now: float) -> str:
    return f"{tables.where(state)}  {ago(state.at or now, now)}".strip()


def run(build: Build, *, rebuild: bool = False) -> tuple[int, str]:
    """Build until it ends or the user quits: the exit code, and the key of a question to ask."""
    say("Ctrl-C stops the build; finished steps are kept.")
    while True:
        if not may_write(*build.targets()):
            return UsageError.exit_code, ""
        code = build_progress.run(build, rebuild_all=rebuild, as_json=False)
        if code != 1:
            return code, ""
        action, key = _after_failure(build)
        if action != "resume":
            return code, key if action == "change" else ""
        rebuild = False


def may_write(*places: Path) -> bool:
    """Whether a build may write its files there; the user is asked about those of others."""
    return all(files.may_write(path, "Keep it; nothing is built") for path in places)


def _after_failure(build: Build) -> tuple[str, str]:
    """What to do about a failure (resume, change or quit), and the key of the answer behind it."""
    state = status.of(build)
    asked = {question.key: question for question in questions.all_questions()}
    key = status.answer_behind(state, build.recipe(), asked)
    question = asked.get(key)
    step = state.step.name if state.step else ""
    rows: list[Row] = [(f"Resume at {step}" if step else "Resume", "resume", "")]
    if question:
        rows.append((f"Change the answer: {question.text}", "change", ""))
    if step:
        rows.append((f"Open a shell in the root file system of {step}", "shell", ""))
    rows.append(("Write a bug report to a file", "report", ""))
    while True:
        say("")
        chosen = choose("The build failed. What next?", rows, back="Quit")
        try:
            if chosen == "shell":
                debug_shell.enter(build, step)
            elif chosen == "report":
                write(bug_report.describe(bug_report.make(build, Path.cwd())))
            else:
                return chosen or "", key
        except ZwizardError as error:
            say_error(error)

"""The wizard from the first question to the build: the draft, the review, the next action."""

import shlex
import textwrap
import time
from pathlib import Path

from zwizard.console import tables
from zwizard.console.foreground import write
from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.engine.requirements import StepState
from zwizard.host import tools
from zwizard.plain import build, files
from zwizard.plain.interview import Interview
from zwizard.plain.terminal import Row, choose, prepare, say, say_error
from zwizard.recipe.model import Recipe
from zwizard.sources.resolve import output_directory
from zwizard.steps import render
from zwizard.steps.step import Plan
from zwizard.util import paths
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import ago, size
from zwizard.wizard import questions, review
from zwizard.wizard.draft import Draft
from zwizard.wizard.review import BuildReview, HostState, inspect_host
from zwizard.wizard.suggestion_service import SuggestionService


def new(recipe: Path | None, key: str = "") -> int:
    """Ask everything, show what would run, and build; the exit code.

    ``recipe``: a file to take the answers from; ``key``: the question to ask first, if any. The
    draft is saved however the wizard ends.
    """
    prepare()
    interview = Interview(Draft.open(paths.draft()), SuggestionService(wait=True))
    host = inspect_host()
    try:
        interview.service.read_host()
        _start_draft(interview.draft, recipe)
        interview.read_lists()
        interview.ask_key(key)
        _say_space(review.review_of(interview.draft, host, wait=False))
        if interview.ask_all():
            return _review(interview, host)
        return _quit(interview.draft, 0)
    except (KeyboardInterrupt, EOFError):
        return _quit(interview.draft, 130)


def resume(stopped: Build) -> int:
    """Resume a build, and offer the actions of a failure; the exit code."""
    try:
        code, key = build.run(stopped)
    except EOFError:
        return 1
    return new(stopped.recipe_file, key) if key else code


def _start_draft(draft: Draft, file: Path | None) -> None:
    """Choose the answers to start with: those of the draft, the recipe's, or none."""
    recipe = files.read_recipe(file) if file else None
    if draft.damaged:
        say(draft.damaged)
    if draft:
        name = next(q for q in questions.all_questions() if q.key == "name").answer(draft)
        other = f"Start from {file} (discards it)" if file else "Start over (discards it)"
        rows = (("Continue with it", "continue", ""), (other, "other", ""))
        if choose(f"You have an unfinished draft: {name}", rows) == "continue":
            return
        draft.clear()
    if recipe:
        draft.load(recipe)


def _quit(draft: Draft, code: int) -> int:
    say("")
    if draft.unsaved:
        say(f"The draft could not be saved: {draft.unsaved}")
    else:
        say("The draft is saved: `zwizard new --plain` continues with it.")
    return code


def _review(interview: Interview, host: HostState) -> int:
    """Show the review and do what the user chooses, until that ends the wizard."""
    draft, code = interview.draft, 0
    while True:
        found = review.review_of(draft, host)
        _show(found, host)
        interview.warn()
        match _next_action(found):
            case "build" | "rebuild" as action if found.recipe:
                code = _build(found.recipe, interview, rebuild=action == "rebuild")
                if code == 130:
                    return _quit(draft, 130)
                if code in {0, 3}:
                    draft.clear()
                    if code == 0:
                        _say_next(found.output / found.plan.archive if found.plan else None)
                    return code
            case "install" if found.forecast:
                _install(found.forecast.missing)
            case "save" if found.recipe:
                files.save_recipe(found.recipe)
            case "export" if found.plan:
                files.export_script(found.plan)
            case "open":
                if opened := files.open_recipe():
                    draft.load(opened)
            case "change":
                interview.change()
            case _:
                return _quit(draft, code)


def _say_next(archive: Path | None) -> None:
    """What can be done with an archive that is ready."""
    if archive:
        write("Next:")
        for command in ("boot", "upload", "deploy"):
            write(f"  zwizard {command} {shlex.quote(str(archive))}")


def _show(found: BuildReview, host: HostState) -> None:
    if found.recipe and found.plan and found.forecast:
        say("")
        say(f"== Review: {found.recipe.name}, {tables.what(found.recipe)}")
        say("Nothing runs until you choose Build.")
        for state in found.forecast.steps:
            say(_step_line(state), indent="  ", hang=" " * 31)
        say(f"Archive: {found.output / found.plan.archive}")
        if found.replaces:
            say(f"Replaces {found.replaces}.")
        say(f"Runs as: {host.privilege.description}")
        if host.network:
            say(f"Programs of the image share this machine's network: {host.network}")
        _say_space(found)
    for problem in found.problems:
        say(f"Problem: {problem.message}")
        say(f"To fix it: {problem.remedy}", indent="  ")


def _say_space(found: BuildReview) -> None:
    if expected := found.expected:
        say(f"Needs about {size(expected.needs)}; {size(expected.free)} free.")


def _step_line(state: StepState) -> str:
    if state.layer:
        taken, what = size(state.layer.bytes), f"cached: {ago(state.layer.made, time.time())}"
    else:
        taken, what = f"~{size(state.step.size)}", f"will run: {state.reason}"
    # No-break spaces keep the columns apart where lines are wrapped.
    return f"{state.number:2}. {state.step.name:<13} {taken:>10}  ".replace(" ", "\u00a0") + what


def _next_action(found: BuildReview) -> str | None:
    """What to do next; None to quit."""
    while True:
        chosen = choose("What next?", _actions(found), back="Quit (the draft is saved)")
        if chosen != "commands" or not found.plan:
            return chosen
        _show_commands(found.plan)


def _actions(found: BuildReview) -> list[Row]:
    rows: list[Row] = []
    if found.forecast:
        rows.append(("Build", "build", "see the problems above" if found.problems else ""))
        if missing := found.forecast.missing:
            rows.append((f"Install {', '.join(sorted(missing))}", "install", ""))
        rows += [("Show every command", "commands", ""), ("Save the recipe", "save", "")]
    rows.append(("Change an answer", "change", ""))
    if found.plan:
        rows.append(("Export the build as a bash script", "export", ""))
    rows.append(("Open a recipe", "open", ""))
    if found.forecast and found.forecast.cached and not found.problems:
        rows.append(("Rebuild all: run every step again, with today's packages", "rebuild", ""))
    return rows


def _show_commands(plan: Plan) -> None:
    """Print every command unwrapped, then the guide's own where it has some."""
    write(f"\n{render.text(plan)}")
    for step in (step for step in plan.steps if step.guide):
        commands = textwrap.indent(step.guide, "      ")
        write(f"{step.name}, with the commands of the Zmachine guide:\n{commands}\n")


def _build(recipe: Recipe, interview: Interview, *, rebuild: bool) -> int:
    """Build in the foreground; the exit code. A failure may lead to a question."""
    try:
        places = builds.targets(recipe, output_directory(recipe, Path.cwd()))
        if not build.may_write(*places):
            return UsageError.exit_code
        code, key = build.run(builds.open_for(recipe, Path.cwd()), rebuild=rebuild)
    except ZwizardError as error:
        say_error(error)
        return error.exit_code
    interview.ask_key(key)
    return code


def _install(names: frozenset[str]) -> None:
    say(f"Runs: {tools.install_command(names)}")
    try:
        tools.install(names)
    except ZwizardError as error:
        say_error(error)

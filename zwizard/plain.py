"""The wizard as questions and answers, a line at a time: for serial lines and screen readers."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import questionary

from zwizard.console import build_progress, tables
from zwizard.engine import bug_report, builds, debug_shell, status
from zwizard.engine.builds import Build
from zwizard.engine.requirements import StepState, UnmetRequirement
from zwizard.engine.status import Status
from zwizard.host import tools
from zwizard.plan.targets import Plan
from zwizard.recipe.model import Recipe
from zwizard.sources import entrypoint_check
from zwizard.steps import render
from zwizard.util import paths
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import ago, one_line, sanitise, size
from zwizard.wizard import questions, review, suggestions
from zwizard.wizard.draft import Draft
from zwizard.wizard.previews import preview
from zwizard.wizard.questions import Question
from zwizard.wizard.review import BuildReview, HostState, inspect_host
from zwizard.wizard.suggestion_service import SuggestionService
from zwizard.wizard.suggestions import Hint

BACK = "<"  # goes back: chosen, or typed alone
SEARCH = "?"  # before words: searches what there is to answer with
_MOST = 20  # answers that a search says
_WIDTH = 78
_KEPT = "Your answers are kept: `zwizard new --plain` goes on with them."

Row = tuple[str, str, str]  # what is shown, its value, and why it cannot be chosen (or "")


def new(recipe: Path | None, key: str = "") -> int:
    """Ask everything, show what would run, and build; the exit code.

    ``recipe``: a file whose answers to begin with; ``key``: the question to ask first, if any.
    Answers are kept whenever and however it ends.
    """
    _prepare()
    answers, library, machine = (
        Draft.open(paths.draft()),
        SuggestionService(patient=True),
        inspect_host(),
    )
    try:
        library.look_here()
        _begin(answers, recipe)
        _learn(library, answers)
        if asked := next((q for q in questions.asked(answers) if q.key == key), None):
            _ask(asked, answers, library)
        _tell_space(review.review_of(answers, machine, patient=False))
        if _ask_all(answers, library):
            return _review(answers, library, machine)
        return _leave(answers, 0)
    except (KeyboardInterrupt, EOFError):
        return _leave(answers, 130)


def pick() -> str:
    """The name of the unfinished build that the user chooses; KeyboardInterrupt for none."""
    _prepare()
    now = time.time()
    told = [(build, status.of(build)) for build in builds.everything()]
    unfinished = [(build, it) for build, it in told if it.state not in {"ready", "not-ready"}]
    if not unfinished:
        raise UsageError(
            "every build is finished" if told else "there are no builds yet",
            "`zwizard list` shows them; `zwizard new` begins one.",
        )
    rows = [
        (f"{build.id}  {tables.WORDS[it.state]}  {_since(it, now)}", build.id, "")
        for build, it in unfinished
    ]
    try:
        chosen = _choose("Which build should go on?", [*rows, ("Cancel", BACK, "")])
    except EOFError:
        raise KeyboardInterrupt from None
    if chosen == BACK:
        raise KeyboardInterrupt
    return chosen


def _since(told: Status, now: float) -> str:
    return f"{tables.where(told)}  {ago(told.at or now, now)}".strip()


def _leave(answers: Draft, code: int) -> int:
    _say("")
    _say(f"Your answers could not be kept: {answers.unsaved}" if answers.unsaved else _KEPT)
    return code


# --- questions ----------------------------------------------------------------------------------


def _begin(answers: Draft, file: Path | None) -> None:
    """Settle which answers to begin with: those kept, the recipe's, or none."""
    recipe = _opened(file) if file else None
    if answers:
        other = f"Begin with {file}" if file else "Start afresh (they are forgotten)"
        name = next(q for q in questions.QUESTIONS if q.key == "name").answer(answers)
        rows = (("Continue with them", "continue", ""), (other, "other", ""))
        if _choose(f"There are answers from before, for {name}:", rows) == "continue":
            return
        answers.clear()
    if recipe:
        answers.take(recipe)


def _opened(file: Path) -> Recipe:
    """The recipe in ``file``; what is relative stays relative to the file."""
    return builds.moved(Recipe.load(file), file.resolve().parent, Path.cwd())


def _ask_all(answers: Draft, library: SuggestionService) -> bool:
    """Ask from the first question without a good answer to the last; False if the user left."""
    asked = questions.asked(answers)
    at = next((i for i, q in enumerate(asked) if q.key not in answers or q.problem(answers)), None)
    if at is None:
        return True
    page = ""
    while at < len(asked):
        if at < 0:
            return False
        question = asked[at]
        if question.page != page:
            for line in preview(page, answers, 0):
                _say(line, indent="  ")
            page = question.page
            _announce(page, answers)
        _learn(library, answers)
        at += 1 if _ask(question, answers, library, first=at == 0) else -1
        asked = questions.asked(answers)
    return True


def _announce(name: str, answers: Draft) -> None:
    pages = questions.pages(answers)
    number, page = next((i, p) for i, p in enumerate(pages, 1) if p.name == name)
    _say("")
    _say(f"== {page.title} ({number} of {len(pages)}): {page.heading}")


def _learn(library: SuggestionService, answers: Draft) -> None:
    """Have the lists read that the answers call for, while the questions go on."""
    if reading := library.begin(dict(answers)):
        threading.Thread(target=reading, daemon=True).start()


def _ask(
    question: Question, answers: Draft, library: SuggestionService, *, first: bool = False
) -> bool:
    """Ask until the answer is good, saving each; False to go back."""
    _say("")
    _say(question.why, indent="  ")
    for choice in suggestions.choices(question, answers, library.known(answers)):
        if choice.means:
            _say(f"- {choice.title}: {choice.means}", indent="  ", hang="    ")
    following = _following(question, answers)
    while True:
        text = _prompt(question, answers, library, "< Leave (answers kept)" if first else "< Back")
        if text is None:
            return False
        if suggestions.offered(question) and text.strip().startswith(SEARCH):
            _find(question, answers, library, text.strip().removeprefix(SEARCH))
            continue
        answers.give(question.key, text)
        if question.key == suggestions.ENTRYPOINT and entrypoint_check.takes_long(answers):
            _say("Looking whether it is there ...", indent="  ")
        hint = suggestions.hint(question, answers, library.known(answers, question.key))
        if said := question.problem(answers):
            _say(f"Not possible: {text!r}. {said}{suggestions.meant(hint.near)}", indent="  ")
        elif not hint.doubt or _accept(question, answers, hint):
            if hint.text and not hint.doubt:
                _say(hint.text, indent="  ")
            _renew(following, answers)
            return True


def _following(question: Question, answers: Draft) -> list[Question]:
    """The other questions whose answers are defaults that hang on answers such as this one."""
    return [
        other
        for other in questions.asked(answers)
        if other.fallback
        and other.key != question.key
        and answers.get(other.key) == other.default(answers)
    ]


def _renew(following: list[Question], answers: Draft) -> None:
    """Let answers that were defaults be what the defaults are by now, and say so."""
    still = set(questions.asked(answers))
    for question in following:
        now = question.default(answers)
        if question in still and answers.get(question.key) != now:
            answers.give(question.key, now)
            _say(f"{question.text}, by that: {now}", indent="  ")


def _accept(question: Question, answers: Draft, hint: Hint) -> bool:
    """Whether a doubtful answer is good by now: kept, or what was meant put in its place."""
    _say(f"Perhaps not: {hint.text}", indent="  ")
    rows = [("Keep it as it is", "keep", ""), ("Type it again", "again", "")]
    if hint.near:
        rows.insert(0, (f"Take {hint.near} instead", "near", ""))
    match _choose("What now?", rows):
        case "near":
            text = question.answer(answers)
            answers.give(question.key, text.replace(hint.word, hint.near))
            return True
        case "keep":
            return True
        case _:
            return False


def _find(question: Question, answers: Draft, library: SuggestionService, words: str) -> None:
    """Say which answers there are that have these words."""
    known = library.known(answers)
    found = suggestions.search(question, answers, known, words, _MOST + 1)
    for offer in found[:_MOST]:
        _say(f"{offer.value}: {offer.means}".rstrip(": "), indent="  ", hang="    ")
    if not found:
        _say(suggestions.nothing(question, known), indent="  ")
    elif len(found) > _MOST:
        _say(f"These are the first {_MOST}; more words after {SEARCH} find fewer.", indent="  ")


def _prompt(
    question: Question, answers: Draft, library: SuggestionService, back: str
) -> str | None:
    """One answer as text; None to go back."""
    now = question.answer(answers)
    match question.kind:
        case "choice":
            choices = suggestions.choices(question, answers, library.known(answers))
            rows = [(c.title, c.value, c.unavailable) for c in choices]
            chosen = _choose(question.text, [*rows, (back, BACK, "")], now)
            return None if chosen == BACK else chosen
        case "lines" | "settings":
            return _lines(question, answers, now, back)
        case _:
            like = f"{_example(question)}; " if question.example and not now else ""
            find = f"{SEARCH}WORD searches; " if suggestions.offered(question) else ""
            text = _type(question.text, now, f"{like}{find}{BACK} goes back")
            return None if text.strip() == BACK else text


def _example(question: Question) -> str:
    """The example in words; some say what an empty answer means rather than give one."""
    said = question.example
    return said if question.problem({question.key: said}) else f"such as {said}"


def _lines(question: Question, answers: Draft, now: str, back: str) -> str | None:
    """Lines: those there are, or others, one prompt each."""
    if now:
        _say(now, indent="    ", hang="      ")
        rows = (("Keep these", "keep", ""), ("Change them", "change", ""), (back, BACK, ""))
        chosen = _choose(question.text, rows)
        if chosen != "change":
            return now if chosen == "keep" else None
    before, given = now.splitlines(), list[str]()
    while True:
        hint = f"empty ends; {BACK} goes back" if not before else "empty removes it"
        line = _type(f"{question.text}: line {len(given) + 1}", before[0] if before else "", hint)
        if line.strip() == BACK:
            answers.give(question.key, "\n".join(given + before))
            return None
        if line.strip():
            given.append(line)
        elif not before:
            return "\n".join(given)
        before = before[1:]


# --- review -------------------------------------------------------------------------------------


def _review(answers: Draft, library: SuggestionService, machine: HostState) -> int:
    """Show what the answers lead to and do what is chosen, until that ends the wizard."""
    code = 0
    while True:
        seen = _look(answers, machine)
        _show(seen, machine)
        _doubt(answers, library)
        match _decide(seen):
            case "build" | "afresh" as way if seen.recipe:
                code = _attempt(seen.recipe, answers, library, fresh=way == "afresh")
                if code == 130:
                    return _leave(answers, 130)
                if code in {0, 3}:
                    answers.clear()
                    return code
            case "install" if seen.forecast:
                _install(seen.forecast.lacking)
            case "save" if seen.recipe:
                _save(seen.recipe)
            case "export" if seen.plan:
                _export(seen.plan)
            case "open":
                _open(answers)
            case "change":
                _change(answers, library)
            case _:
                return _leave(answers, code)


def _look(answers: Draft, machine: HostState) -> BuildReview:
    """What the answers lead to; why not, if to nothing that can be built, is said."""
    seen = review.review_of(answers, machine)
    if not seen.forecast:
        _tell(seen.troubles)
    return seen


def _tell(troubles: tuple[UnmetRequirement, ...]) -> None:
    for trouble in troubles:
        _say(f"Problem: {trouble.said}")
        _say(f"Remedy: {trouble.remedy}", indent="  ")


def _show(seen: BuildReview, machine: HostState) -> None:
    if not (seen.recipe and seen.plan and seen.forecast):
        return
    _say("")
    _say(f"== Review: {seen.recipe.name}, {tables.what(seen.recipe)}")
    _say("Nothing runs before you say so.")
    for state in seen.forecast.steps:
        _say(_row(state), indent="  ", hang=" " * 31)
    _say(f"Archive: {seen.output / seen.plan.archive}")
    _say(f"Runs as: {machine.privilege.description}")
    _tell_space(seen)
    _tell(seen.troubles)


def _doubt(answers: Draft, library: SuggestionService) -> None:
    """Say which answers can be built with, and are probably not what was meant."""
    wrong = questions.problems(answers)
    asked = {q.key: q for q in questions.asked(answers) if q.key not in wrong}
    for key, said in suggestions.doubts(asked.values(), answers, library.known(answers)).items():
        _say(f"Perhaps not meant so: {asked[key].text}: {said}")


def _tell_space(seen: BuildReview) -> None:
    if ahead := seen.expected:
        _say(f"Needs about {size(ahead.needs)}; {size(ahead.free)} are free.")


def _row(state: StepState) -> str:
    if state.layer:
        taken, what = size(state.layer.bytes), f"there: {ago(state.layer.made, time.time())}"
    else:
        taken, what = f"~{size(state.step.size)}", f"will run: {state.reason}"
    # No-break spaces keep the columns apart where lines are wrapped.
    return f"{state.number:2}. {state.step.name:<13} {taken:>10}  ".replace(" ", "\u00a0") + what


def _decide(seen: BuildReview) -> str:
    """What to do next; "" to leave."""
    while True:
        chosen = _choose("What next?", _ways(seen))
        if chosen == "commands" and seen.plan:
            _commands(seen.plan)
            continue
        return chosen


def _commands(plan: Plan) -> None:
    """Every command whole and unwrapped, to be read and pasted; then the document's own."""
    sys.stdout.write(f"\n{sanitise(render.text(plan))}\n")
    for step in (step for step in plan.steps if step.document):
        own = textwrap.indent(sanitise(step.document), "      ")
        sys.stdout.write(f"{step.name}, in the document's own commands:\n{own}\n\n")


def _ways(seen: BuildReview) -> list[Row]:
    ways: list[Row] = []
    if seen.forecast:
        ways.append(("Build", "build", "see the problems above" if seen.troubles else ""))
        if lacking := seen.forecast.lacking:
            ways.append((f"Install {', '.join(sorted(lacking))}", "install", ""))
        ways += [("Show every command", "commands", ""), ("Save recipe", "save", "")]
    ways.append(("Change an answer", "change", ""))
    if seen.plan:
        ways.append(("Export a script that does the same", "export", ""))
    ways.append(("Open a recipe", "open", ""))
    if seen.forecast and seen.forecast.first and not seen.troubles:
        ways.append(("Build afresh: every step again, with today's packages", "afresh", ""))
    return [*ways, ("Leave (answers kept)", "", "")]


def _attempt(recipe: Recipe, answers: Draft, library: SuggestionService, *, fresh: bool) -> int:
    """Build, telling what happens; the exit code. A failure may lead to a question."""
    try:
        build = builds.open_for(recipe, Path.cwd())
        code, key = _attend(build, fresh=fresh)
    except ZwizardError as error:
        _complain(error)
        return error.exit_code
    asked = next((q for q in questions.asked(answers) if q.key == key), None)
    if asked:
        _ask(asked, answers, library)
    return code


def _install(names: frozenset[str]) -> None:
    _say(f"Runs: {tools.install_command(names)}")
    try:
        tools.install(names)
    except ZwizardError as error:
        _complain(error)


def _save(recipe: Recipe) -> None:
    """Write the recipe to a file that the user names."""
    if name := _write(f"{recipe.name}.toml", lambda file: _portable(recipe, file).to_toml()):
        _say(f"Saved: `zwizard build {name}` builds it.")


def _export(plan: Plan) -> None:
    """Write the script to a file that the user names."""
    if name := _write(f"{plan.name}.sh", lambda _: render.script(plan)):
        _say(f"Saved: `bash {name} DIRECTORY ARCHIVE`, as root, does all of this on its own.")


def _write(name: str, text: Callable[[Path], str]) -> str:
    """Write what ``text`` gives for a file that the user names; its name, "" if there is none."""
    while True:
        name = _type("Save as", name, f"{BACK} goes back").strip()
        if name == BACK:
            return ""
        try:
            if _written(builds.place(name, Path.cwd()), text):
                return name
        except OSError as error:
            _say(f"Not possible: {name}: {error.strerror}.", indent="  ")
        except UsageError as error:
            _complain(error)


def _written(file: Path, text: Callable[[Path], str]) -> bool:
    """Whether ``file`` is written by now; False if another name is wanted."""
    rows = (("Replace it", "yes", ""), ("Name another", "no", ""))
    if file.is_dir():
        _say(f"Not possible: {file} is a directory.", indent="  ")
        return False
    if file.exists() and _choose(f"{file.name} is there already", rows) == "no":
        return False
    paths.write_atomically(file, text(file))
    return True


def _portable(recipe: Recipe, file: Path) -> Recipe:
    """What is relative to here must not become relative to there."""
    return builds.moved(recipe, Path.cwd(), file.parent)


def _open(answers: Draft) -> None:
    """Take the answers of a recipe that the user names."""
    name = ""
    while True:
        name = _type("Recipe", name, f"a file; {BACK} goes back").strip()
        if name in {"", BACK}:
            return
        try:
            answers.take(_opened(builds.place(name, Path.cwd())))
        except UsageError as error:
            _complain(error)
        else:
            return


def _change(answers: Draft, library: SuggestionService) -> None:
    """Let the user pick one question and answer it anew."""
    asked = {question.key: question for question in questions.asked(answers)}
    rows = [
        (textwrap.shorten(f"{q.text}: {_shown(q, answers)}", 70, placeholder=" ..."), key, "")
        for key, q in asked.items()
    ]
    wrong = next(iter(questions.problems(answers)), None)
    chosen = _choose("Which answer?", [*rows, ("< Back", BACK, "")], wrong)
    if chosen != BACK:
        _ask(asked[chosen], answers, library)


def _shown(question: Question, answers: Draft) -> str:
    text = question.answer(answers)
    titles = {choice.value: choice.title for choice in question.choices(answers)}
    return titles.get(text, text) or "(none)"


# --- a build ------------------------------------------------------------------------------------


def resume(build: Build) -> int:
    """Go on with ``build``, telling what happens, and do what is chosen when it fails."""
    try:
        code, key = _attend(build)
    except EOFError:
        return 1
    return new(build.recipe_file, key) if key else code


def _attend(build: Build, *, fresh: bool = False) -> tuple[int, str]:
    """Build until it ends well or the user has enough; the exit code, and what to ask anew."""
    _say("Ctrl-C stops it; what is finished is kept.")
    while True:
        code = build_progress.foreground(build, fresh=fresh, as_json=False)
        if code != 1:
            return code, ""
        way, key = _after_failure(build)
        if way != "retry":
            return code, key if way == "change" else ""
        fresh = False


def _after_failure(build: Build) -> tuple[str, str]:
    """What is to be done about a failure, and the answer behind it: retry, change, or nothing."""
    told = status.of(build)
    key = status.answer_behind(told, build.recipe())
    question = next((q for q in questions.QUESTIONS if q.key == key), None)
    step = told.step.name if told.step else ""
    rows: list[Row] = [(f"Retry {step}".rstrip(), "retry", "")]
    if question:
        rows.append((f"Change the answer: {question.text}", "change", ""))
    if step:
        rows.append((f"Open a shell in the tree of {step}", "shell", ""))
    rows += [("Write a bug report to a file", "bundle", ""), ("Leave it", BACK, "")]
    while True:
        _say("")
        chosen = _choose("It failed. What next?", rows)
        try:
            if chosen == "shell":
                debug_shell.enter(build, step)
            elif chosen == "bundle":
                sys.stdout.write(
                    sanitise(bug_report.describe(bug_report.make(build, Path.cwd()))) + "\n"
                )
            else:
                return chosen, key
        except ZwizardError as error:
            _complain(error)


# --- the terminal -------------------------------------------------------------------------------


def _prepare() -> None:
    # A serial line answers no query for the cursor's position: better not to ask, and wait.
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")


def _say(text: str, *, indent: str = "", hang: str | None = None) -> None:
    """Print ``text``, made safe, wrapped to the line."""
    for line in sanitise(text).split("\n"):
        folded = textwrap.fill(
            line,
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=indent if hang is None else hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
        sys.stdout.write(folded.replace("\u00a0", " ") + "\n")
    sys.stdout.flush()


def _complain(error: ZwizardError) -> None:
    _say(f"Not possible: {error.message}")
    if error.hint:
        _say(error.hint, indent="  ")


def _choose(message: str, rows: Sequence[Row], now: str | None = None) -> str:
    """The value of the row that the user chooses; ``now`` is where the pointer begins."""
    able = {value for _, value, unable in rows if not unable}
    chosen: str = questionary.select(
        one_line(message),
        [questionary.Choice(one_line(t), v, disabled=unable or None) for t, v, unable in rows],
        default=now if now in able else None,
        use_shortcuts=len(rows) < 10,
        use_jk_keys=False,
        instruction="(arrow keys or number, then Enter)"
        if len(rows) < 10
        else "(arrow keys, then Enter)",
    ).unsafe_ask()
    return chosen


def _type(message: str, now: str, hint: str) -> str:
    """A line that the user types; it begins as ``now``."""
    # The prompt shows control characters as ^[ and the like: safe, and Enter changes nothing.
    typed: str = questionary.text(
        one_line(message), default=now.replace("\n", " "), instruction=f"({one_line(hint)})"
    ).unsafe_ask()
    # A line that is not UTF-8 comes as surrogates, which nothing can be written with.
    return typed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

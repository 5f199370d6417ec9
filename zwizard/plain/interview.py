"""The questions of the wizard, asked one after another."""

import textwrap
import threading

from zwizard.plain.terminal import choose, say, type_line
from zwizard.sources import entrypoint_check
from zwizard.wizard import questions, suggestions
from zwizard.wizard.draft import Draft
from zwizard.wizard.previews import preview
from zwizard.wizard.questions import Choice, Question
from zwizard.wizard.suggestion_service import SuggestionService
from zwizard.wizard.suggestions import Hint

SEARCH = "?"  # in front of words, searches the possible answers
_MOST = 20  # answers that a search shows


class Interview:
    """Asks the questions that fill ``draft``; every answer is saved as it is given."""

    def __init__(self, draft: Draft, service: SuggestionService) -> None:
        self.draft, self.service = draft, service

    def ask_all(self) -> bool:
        """Ask from the first question without a good answer to the last; False to quit."""
        draft, asked = self.draft, questions.asked(self.draft)
        at = next(
            (i for i, q in enumerate(asked) if q.key not in draft or questions.problem(q, draft)),
            None,
        )
        if at is None:
            return True
        page = ""
        while at < len(asked):
            if at < 0:
                return False
            question = asked[at]
            if question.page != page:
                for line in preview(page, draft, 0):
                    say(line, indent="  ")
                page = question.page
                self._announce(page)
            self.read_lists()
            at += 1 if self.ask(question, first=at == 0) else -1
            asked = questions.asked(draft)
        return True

    def read_lists(self) -> None:
        """Read the lists that the answers call for, while the questions continue."""
        if reading := self.service.pending(dict(self.draft)):
            threading.Thread(target=reading, daemon=True).start()

    def ask_key(self, key: str) -> bool:
        """Ask the question of ``key``; False if these answers do not ask it."""
        found = next((q for q in questions.asked(self.draft) if q.key == key), None)
        if found:
            self.ask(found)
        return found is not None

    def ask(self, question: Question, *, first: bool = False) -> bool:
        """Ask until the answer is good; False to go back."""
        say("")
        say(question.why, indent="  ")
        if question.source:
            say(question.source, indent="  ")
        for choice in self._choices(question):
            if choice.means:
                say(f"- {choice.title}: {choice.means}", indent="  ", hang="    ")
        following = self._following(question)
        back = "< Quit (the draft is saved)" if first else "< Back"
        while True:
            text = self._prompt(question, back)
            if text is None:
                return False
            if suggestions.offered(question) and text.strip().startswith(SEARCH):
                self._search(question, text.strip().removeprefix(SEARCH))
            elif self._take(question, text):
                self._renew(following)
                return True

    def change(self) -> None:
        """Let the user pick one question and answer it again."""
        asked = {question.key: question for question in questions.asked(self.draft)}
        rows = [
            (textwrap.shorten(f"{q.text}: {self._shown(q)}", 70, placeholder=" ..."), key, "")
            for key, q in asked.items()
        ]
        wrong = next(iter(questions.problems(self.draft)), None)
        if chosen := choose("Which answer?", rows, wrong, back="< Back"):
            self.ask(asked[chosen])

    def warn(self) -> None:
        """Name the answers that can be built and are probably wrong."""
        current = self.service.current(self.draft)
        for question, reason in suggestions.all_doubts(self.draft, current).items():
            say(f"Warning: {question.text}: {reason}")

    def _announce(self, name: str) -> None:
        pages = questions.pages(self.draft)
        number, page = next((i, p) for i, p in enumerate(pages, 1) if p.name == name)
        say("")
        say(f"== {page.title} ({number} of {len(pages)}): {page.heading}")

    def _take(self, question: Question, text: str) -> bool:
        """Save an answer and say what is wrong with it; whether it stays."""
        draft = self.draft
        draft.set(question.key, text)
        if question.key == entrypoint_check.ENTRYPOINT and entrypoint_check.takes_long(draft):
            say("Searching the source for it ...", indent="  ")
        hint = suggestions.hint(question, draft, self.service.current(draft, question.key))
        if problem := questions.problem(question, draft):
            say(f"Invalid: {text!r}. {problem}{suggestions.meant(hint.near)}", indent="  ")
            return False
        if hint.doubt:
            return self._confirm(question, hint)
        if hint.text:
            say(hint.text, indent="  ")
        return True

    def _confirm(self, question: Question, hint: Hint) -> bool:
        """Whether a doubtful answer stays: as it is, or replaced by what was probably meant."""
        say(f"Warning: {hint.text}", indent="  ")
        rows = [("Keep it", "keep", ""), ("Type it again", "again", "")]
        if hint.near:
            rows.insert(0, (f"Use {hint.near} instead", "near", ""))
        chosen = choose("What now?", rows)
        if chosen == "near":
            text = question.answer(self.draft)
            self.draft.set(question.key, text.replace(hint.word, hint.near))
        return chosen != "again"

    def _following(self, question: Question) -> list[Question]:
        """The other questions whose answers are defaults that depend on other answers."""
        return [
            other
            for other in questions.asked(self.draft)
            if other.fallback
            and other.key != question.key
            and self.draft.get(other.key) == other.default(self.draft)
        ]

    def _renew(self, following: list[Question]) -> None:
        """Update answers that were defaults to today's defaults, and say so."""
        still = set(questions.asked(self.draft))
        for question in following:
            now = question.default(self.draft)
            if question in still and self.draft.get(question.key) != now:
                self.draft.set(question.key, now)
                say(f"{question.text} is now: {now}", indent="  ")

    def _search(self, question: Question, words: str) -> None:
        """List the possible answers that contain ``words``."""
        current = self.service.current(self.draft)
        found = suggestions.search(question, self.draft, current, words, _MOST + 1)
        for offer in found[:_MOST]:
            say(f"{offer.value}: {offer.means}".rstrip(": "), indent="  ", hang="    ")
        if not found:
            say(suggestions.nothing(question, current), indent="  ")
        elif len(found) > _MOST:
            say(f"Only the first {_MOST}; add words to narrow the search.", indent="  ")

    def _prompt(self, question: Question, back: str) -> str | None:
        """One answer as text; None to go back."""
        now = question.answer(self.draft)
        match question.kind:
            case "choice":
                rows = [(c.title, c.value, c.unavailable) for c in self._choices(question)]
                return choose(question.text, rows, now, back)
            case "lines" | "settings":
                return self._lines(question, now, back)
            case _:
                like = _example(question) if question.example and not now else ""
                find = f"{SEARCH}WORD searches" if suggestions.offered(question) else ""
                return type_line(question.text, now, ", ".join(filter(None, (like, find))))

    def _choices(self, question: Question) -> tuple[Choice, ...]:
        return suggestions.choices(question, self.draft, self.service.current(self.draft))

    def _lines(self, question: Question, now: str, back: str) -> str | None:
        """An answer of several lines, a prompt for each; None to go back."""
        if now:
            say(now, indent="    ", hang="      ")
            rows = (("Keep these", "keep", ""), ("Change them", "change", ""))
            chosen = choose(question.text, rows, back=back)
            if chosen != "change":
                return now if chosen else None
        before, typed = now.splitlines(), list[str]()
        while True:
            hint = "an empty line removes it" if before else "an empty line ends"
            prompt = f"{question.text}: line {len(typed) + 1}"
            line = type_line(prompt, before[0] if before else "", hint)
            if line is None:
                self.draft.set(question.key, "\n".join(typed + before))
                return None
            if line.strip():
                typed.append(line)
            elif not before:
                return "\n".join(typed)
            before = before[1:]

    def _shown(self, question: Question) -> str:
        text = question.answer(self.draft)
        titles = {choice.value: choice.title for choice in question.choices(self.draft)}
        return titles.get(text, text) or "(none)"


def _example(question: Question) -> str:
    """The example in words; some say what an empty answer means instead."""
    example = question.example
    return example if question.own_problem({question.key: example}) else f"for example {example}"

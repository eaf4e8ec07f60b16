"""A goal that its model calls ambiguous: what it asks is answered by a person, or assumed, and asked again with that.

Questions and answers become a document of the root, so that whoever is asked below sees them as data, they are stored
with the run, and a resumed run has them. Words of models and people are bounded, and without control characters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ramify.planner.asking.asker import Asker
from ramify.planner.asking.person import Person
from ramify.planner.asking.reading import reads_words
from ramify.planner.errors import UsageError, WaitingError, WorkFailedError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.planning.policy import Verb
from ramify.planner.runtime.border import error_text
from ramify.planner.runtime.terminal import one_printable_line, printable
from ramify.planner.store.changes import TaskEdited
from ramify.planner.workers import Outcome
from ramify.planner.workers.answers import read_answer
from ramify.prompts import ExecuteVariables, Material
from ramify.prompts.blocks import cut
from ramify.tasks import ReplyError, Task
from ramify.tasks.counting import counted
from ramify.tasks.gaps import ANSWERED, ASSUMED, ASSUMES, clarifications_of
from ramify.tasks.json_text import json_text
from ramify.tasks.prompt_variables import GOAL_LENGTH, materials_of
from ramify.tasks.tree.running import put

Found = TypeVar("Found")

MOST_ROUNDS = 3
"""How often a model may ask about one goal."""

MOST_QUESTIONS = 5
LONGEST_QUESTION = 500
LONGEST_ANSWER = 4_000

_ASSUME = (
    "Questions were asked about the goal, and nobody can answer them. For each of the `questions`, in their order, say"
    " in one line what is most likely meant, as an assumption that the work can go on with. Write nothing else, and do"
    " none of the work."
)


def questions_of(words: str) -> list[str]:
    r"""Return the questions that a model asks, a line each; more than a few, or very long ones, are cut.

    >>> questions_of("Which city?\n\n  By when?\x07")
    ['Which city?', 'By when?']
    """
    lines = [one_printable_line(line) for line in words.splitlines()]
    return [_cut(line, LONGEST_QUESTION) for line in lines if line][:MOST_QUESTIONS]


def answers_of(said: Any, questions: Sequence[str]) -> list[str]:
    """Return what was answered: a text for all questions, or one for each; nothing if nobody has answered.

    Raises:
        UsageError: if it is something else, or too long.
    """
    if said is None:
        return []
    answers = [said] if isinstance(said, str) else list(said) if isinstance(said, Sequence) else [said]
    if not all(isinstance(each, str) for each in answers) or len(answers) not in {0, 1, len(questions)}:
        raise UsageError(
            f"answer {counted(len(questions), 'question')} with one text for all, or a list with one text each"
        )
    answers = [printable(each).strip() for each in answers]
    if any(len(each) > LONGEST_ANSWER for each in answers):
        raise UsageError(f"an answer may have at most {LONGEST_ANSWER:,} characters; attach longer texts as a file")
    return answers if any(answers) else []


def rounds_of(root: Task) -> int:
    """Return how often questions about the goal were answered, or assumptions made."""
    return len(clarifications_of(root.attachments))


def with_answers(root: Task, questions: Sequence[str], answers: Sequence[str], *, assumed: bool = False) -> None:
    """Let `root` have a document of questions and answers; an answer that is missing stands for none."""
    pairs = (
        zip(questions, answers, strict=True) if len(answers) == len(questions) else [("\n".join(questions), answers[0])]
    )
    head = ASSUMES if assumed else "answer: "
    text = "\n\n".join(f"question: {question}\n{head}{answer or '(none)'}" for question, answer in pairs)
    name = f"{ASSUMED if assumed else ANSWERED}, {rounds_of(root) + 1}"
    put(root, attachments=(*root.attachments, Material(name=name, text=text)))


def assumptions_of(root: Task) -> list[str]:
    """Return what is assumed about the goal, a line each, as answers tell it."""
    texts = [each.text for each in root.attachments if each.name.startswith(ASSUMED)]
    return [line for text in texts for line in text.splitlines() if line.startswith(ASSUMES)]


def open_questions(events: Sequence[Any]) -> list[str]:
    """Return what was asked about the goal last, if it was not answered since, from the events of a run."""
    questions: list[str] = []
    for event in events:
        if event.data.get("about") == "goal":
            questions = list(event.data["questions"]) if event.type == EventType.PERSON_ASKED else []
    return questions


@dataclass(slots=True)
class Clarifier:
    """Has the questions of one run's model about its goal answered.

    Attributes:
        root: the goal.
        recorder: writes them down.
        person: who is asked.
        asker: asks the model what it assumes.
        assumes: whether that is done instead of asking a person.
        is_on: whether anything is done at all.
    """

    root: Task
    recorder: Recorder
    person: Person
    asker: Asker
    assumes: bool
    is_on: bool

    async def clarified(self, task: Task, verb: Verb, error: Exception) -> bool:
        """Return whether what a model has asked is answered now, so that it can be asked again.

        After the last round the goal stays whole; what is asked when it is done is assumed then, once.

        Raises:
            WaitingError: if only a person can answer, and nobody has; the question is quoted.
        """
        asked = error.question if isinstance(error, WorkFailedError) else ""
        questions = questions_of(asked) if task is self.root and self.is_on and reads_words(self.asker.agent) else []
        left = MOST_ROUNDS - rounds_of(self.root)
        if not questions or left < 0 or (left == 0 and verb.plans):
            return False
        assumes = self.assumes or not left
        answers = await (self._assumed(questions) if assumes else self._answered(questions))
        if not answers:
            return False
        if not left:
            self.recorder.warn(
                f"the model asks about the goal for the {MOST_ROUNDS + 1}th time; the run continues with its"
                " assumptions, and the goal fails if it asks again"
            )
        with_answers(self.root, questions, answers, assumed=assumes)
        told: Mapping[str, Any] = {"about": "goal", "answers": answers, "assumed": assumes}
        await self.recorder.commit(EventType.PERSON_ANSWERED, None, TaskEdited.of(self.root), **told)
        return True

    def noted(self, task: Task, found: Found) -> Found | Outcome:
        """Return what came of a task; the answer to the goal says what was assumed."""
        if task is not self.root or not isinstance(found, Outcome):
            return found
        assumed = assumptions_of(task)
        return replace(found, gaps=(*found.gaps, *assumed)) if assumed else found

    async def _answered(self, questions: list[str]) -> list[str]:
        self.recorder.put(EventType.PERSON_ASKED, about="goal", questions=questions)
        clarify, why = self.person.clarify, ""
        if clarify is not None:
            try:
                if answers := answers_of(await self.person.answer(clarify, questions), questions):
                    return answers
            except Exception as error:  # noqa: BLE001 - the caller's own code: whatever it raises, the run waits
                why = f" (clarify failed: {error_text(error)})"
        run_id = self.recorder.writer.run_id
        raise WaitingError(
            f"the goal is ambiguous and nobody answered{why}: {' '.join(questions)} Answer with `ramify resume"
            f' {run_id} --answer "..."`, or let the model make assumptions: `ramify resume {run_id} --assume`',
            task_id=self.root.id,
            options=("--answer", "TEXT"),
        )

    async def _assumed(self, questions: list[str]) -> list[str]:
        """Return what the model assumes, a line for each question; nothing if it does not say so."""
        root = self.root
        variables = ExecuteVariables(
            task_id=root.id,
            task=_ASSUME,
            root_goal=cut(root.content, GOAL_LENGTH),
            materials=materials_of(root),
            inputs={"questions": json_text(questions)},
            **self.asker.agent.prompt_settings,
        )
        try:
            answer = await self.asker.ask(root, variables, read_answer, attempt=root.attempts + 1)
        except ReplyError:
            return []
        if answer.failed is not None:
            return []
        lines = questions_of(answer.text)
        return lines if len(lines) == len(questions) else [_cut(" ".join(lines), LONGEST_ANSWER)] if lines else []


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."

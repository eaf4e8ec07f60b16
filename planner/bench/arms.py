"""The arms of a study: how each does an item, from `short=upfront,prompts=./mine` to the tree of a run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ramify.planner.asking.agent import Agent
from ramify.planner.errors import UsageError
from ramify.planner.export.study.content import COT, DIRECT, SAMPLES, WHOLE, ArmSpec
from ramify.planner.models.protocol import Model
from ramify.planner.planning.policies import BUILT_IN, policy_named
from ramify.planner.planning.split import PlanLimits
from ramify.planner.strategies.parameters import PLAN, Varied, vary
from ramify.tasks import Task
from ramify.tasks.json_text import read_json

SAMPLE = "sample"
"""The type of a task that is one plain answer, or several that are voted on."""

USUAL_SAMPLES = 5
_NEVER_BLANK = frozenset({"model", "base_url", "prompts"})
MOST_SAMPLES = 1_000
ALWAYS = (DIRECT, f"{SAMPLES}:{USUAL_SAMPLES}")
"""The arms that are there unless they are taken out: what splitting has to beat."""

USUAL = ("as_needed", "upfront")
"""The arms besides, if nobody names any."""

THINK = "Think step by step."


@dataclass(frozen=True)
class Arm:
    """One way to do every item of a study.

    Attributes:
        name: what it is called.
        kind: `direct` (the question, one plain call), `cot` (the same, step by step), `self-consistency` (several of
            these, and a vote), or a policy: `upfront`, `as_needed`, `streaming`, ...
        samples: how many answers `self-consistency` asks for.
        parameters: what else it does otherwise, as `Strategy` takes it: model, prompts, temperature, max_depth, ...; a
            `model` may be one of your own.
    """

    name: str
    kind: str
    samples: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def own_model(self) -> Model | None:
        """Its model, if that is one of the user's own."""
        model = self.parameters.get("model")
        return model if isinstance(model, Model) else None

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data; a model of one's own is there by its name."""
        given = {key: value.name if isinstance(value, Model) else value for key, value in self.parameters.items()}
        return {"name": self.name, "kind": self.kind, "samples": self.samples, "parameters": given}


def read_arms(given: Iterable[str | Arm], *, without: Iterable[str] = (), plan: PlanLimits | None = None) -> list[Arm]:
    """Return the arms of a study, the ones that are always there first.

    Args:
        given: arms, or texts such as "self-consistency:5" and "short=upfront,prompts=./mine"; `USUAL` if none are.
        without: names or kinds of arms that are taken out.
        plan: how goals are split where an arm says nothing.

    Raises:
        UsageError: if one of them cannot be used, or is taken out too, or two have one name, or fewer than two are
            left.
    """
    asked_for = [each if isinstance(each, Arm) else read_arm(each) for each in given]
    named = asked_for or [read_arm(each) for each in USUAL]
    out = {*without}
    kinds = {arm.kind for arm in named if arm.name.startswith(arm.kind)}  # no name of their own: they stand instead
    arms = [arm for arm in map(read_arm, ALWAYS) if arm.kind not in kinds] + named
    arms.sort(key=lambda arm: WHOLE.index(arm.kind) if arm.kind in WHOLE and not arm.parameters else len(WHOLE))
    for name in out:
        if not any(name in _names(arm) for arm in arms):
            raise UsageError(
                f"there is no arm {name!r} to leave out; the arms are {', '.join(arm.name for arm in arms)}"
            )
    for arm in asked_for:
        if taken_out := sorted(out & _names(arm)):
            what = f"the arm {arm.name!r} is both named and left out (without {taken_out[0]}); drop one of the two"
            raise UsageError(f"{what}; it already replaces {ALWAYS[1]}" if arm.name.startswith(SAMPLES) else what)
    arms = [arm for arm in arms if not out & _names(arm)]
    twice = next((arm.name for place, arm in enumerate(arms) if arm.name in [each.name for each in arms[:place]]), None)
    if twice is not None:
        raise UsageError(f"two arms are named {twice!r}; give one another name, such as short={twice}")
    if len(arms) < 2:  # noqa: PLR2004 - there is nothing to compare
        raise UsageError("a study needs at least two arms; add one with --arm")
    return [checked(arm, plan) for arm in arms]


def _names(arm: Arm) -> set[str]:
    """Return what an arm is taken out by: its name, and its kind if it is nothing else."""
    return {arm.name} if arm.parameters else {arm.name, arm.kind}


def read_arm(text: str) -> Arm:
    """Return the arm that `[NAME=]KIND[:N][,KEY=VALUE...]` means; a value is JSON where it can be.

    Raises:
        UsageError: if it means none.

    >>> read_arm("short=upfront,prompts=./mine,max_depth=2")
    Arm(name='short', kind='upfront', samples=1, parameters={'prompts': './mine', 'max_depth': 2})
    >>> read_arm("self-consistency:3").samples
    3
    """
    first, *others = text.split(",")
    name, equals, kind = first.rpartition("=")
    kind, colon, number = kind.strip().partition(":")
    if not kind or (equals and not name.strip()):
        raise UsageError(f"{text!r} is not an arm; write [NAME=]KIND[,KEY=VALUE...], with a kind such as {_KINDS}")
    samples = USUAL_SAMPLES if kind == SAMPLES else 1
    if colon:
        samples = _samples(number, kind, text)
    return Arm(name.strip() or text, kind, samples, _parameters(others, text))


def _samples(number: str, kind: str, text: str) -> int:
    if kind != SAMPLES:
        raise UsageError(f"the arm {text!r}: only {SAMPLES} asks several times; write {kind} without :{number}")
    if not number.isdecimal() or not 1 < int(number) <= MOST_SAMPLES:
        raise UsageError(f"the arm {text!r}: {SAMPLES}:N asks N times, from 2 to {MOST_SAMPLES:,}; {COT} asks once")
    return int(number)


def _parameters(words: Sequence[str], text: str) -> dict[str, Any]:
    pairs: list[list[str]] = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            pairs.append([key.strip(), value])
        elif pairs:
            pairs[-1][1] += f",{word}"  # a comma in a value
        else:
            raise UsageError(f"the arm {text!r}: {word!r} is not KEY=VALUE")
    twice = next((key for place, (key, _) in enumerate(pairs) if key in [each for each, _ in pairs[:place]]), None)
    if twice is not None:
        raise UsageError(f"the arm {text!r} sets {twice} twice")
    if blank := next((key for key, value in pairs if key in _NEVER_BLANK and not value.strip()), None):
        raise UsageError(f"the arm {text!r} leaves {blank} blank; give it a value, or leave it out")
    return {key: _json(value) for key, value in pairs}


def _json(text: str) -> Any:
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return text


def checked(arm: Arm, plan: PlanLimits | None) -> Arm:
    """Return an arm that can be used, with the folder of its prompts where it is found from anywhere.

    Raises:
        UsageError: if it cannot.
    """
    if arm.kind not in WHOLE:
        _check_policy(arm, plan)
    elif unused := next((name for name in PLAN if name in arm.parameters), None):
        raise UsageError(f"the arm {arm.name!r} is {arm.kind}, which splits nothing; leave out {unused}")
    if "policy" in arm.parameters:
        raise UsageError(f"the arm {arm.name!r}: write its policy first: {arm.name}={arm.parameters['policy']}")
    prompts = arm.parameters.get("prompts")
    if isinstance(prompts, str | Path):
        if not Path(prompts).is_dir():
            raise UsageError(f"the arm {arm.name!r}: there is no folder {prompts} of prompts")
        arm = replace(arm, parameters={**arm.parameters, "prompts": str(Path(prompts).absolute())})
    try:
        varied(spec_of(arm.to_data()), Agent("rules"), plan)
    except UsageError as error:
        raise UsageError(f"the arm {arm.name!r} cannot be used: {error}") from None
    return arm


def check_draws(arms: Iterable[Arm], temperature: float | None) -> None:
    """Refuse to sample answers that are alike.

    Args:
        arms: the arms.
        temperature: the one of arms that say none.

    Raises:
        UsageError: if an arm asks several times at temperature 0; before any call is paid for.
    """
    for arm in arms:
        if arm.samples > 1 and arm.parameters.get("temperature", temperature) == 0:
            raise UsageError(
                f"the arm {arm.name!r} asks {arm.samples} times, but at temperature 0 all answers are the same; set"
                f" one (--arm {SAMPLES}:{arm.samples},temperature=0.7), or leave the arm out (--without {SAMPLES})"
            )


def _check_policy(arm: Arm, plan: PlanLimits | None) -> None:
    try:
        policy_named(arm.kind, (plan or PlanLimits()).max_depth)
    except UsageError as error:
        if arm.kind in BUILT_IN:
            raise
        raise UsageError(f"the arm {arm.name!r}: {arm.kind!r} is not one of {_KINDS}, and {error}") from None


def spec_of(data: Mapping[str, Any]) -> ArmSpec:
    """Return the arm that `to_data` wrote, as studies show it."""
    return ArmSpec(**data)


def varied(arm: ArmSpec, agent: Agent, plan: PlanLimits | None, *, models: Mapping[str, Model] | None = None) -> Varied:
    """Return who answers in an arm, and how it splits; the task is a placeholder.

    Args:
        arm: the arm.
        agent: who answers unless the arm says otherwise.
        plan: how goals are split unless it does.
        models: models of the user's own, by the names that stand for them.

    Raises:
        UsageError: if a parameter cannot be used.
    """
    how = dict(arm.parameters)
    if arm.splits:
        how["policy"] = arm.kind
    found = vary(Task(content="an item", id="0"), agent, plan, how, models=models)
    return found if arm.splits else replace(found, plan=None)


def tree_of(arm: ArmSpec, question: str, *, ask: str, form: str) -> Task:
    """Return the tree of the run that does an item in an arm.

    Args:
        arm: the arm.
        question: the item's.
        ask: what every arm is told besides, such as how an answer ends.
        form: how answers are judged, for votes.
    """
    is_told_to_think = arm.kind in {COT, SAMPLES}
    words = "\n\n".join(filter(None, (question, THINK if is_told_to_think else "", ask)))
    if arm.splits:
        return Task(content=words, id="0")
    root = Task(content=words, id="0", type=SAMPLE)
    if arm.samples > 1:
        root.inputs = {"form": form}
        numbers = range(arm.samples)
        root.add_subtasks(
            [Task(content=words, id=f"0.{each + 1}", type=SAMPLE, inputs={"sample": each}) for each in numbers]
        )
    return root


_KINDS = f"{', '.join(WHOLE)}, {', '.join(name for name in BUILT_IN if name not in WHOLE)}"

"""What may follow what in a conversation with tools, and the diagram of it."""

import re
from pathlib import Path

import pytest
from ramify.planner.errors import FollowUpError
from ramify.planner.tools.transitions import (
    FOLLOW_UPS,
    ROLES,
    End,
    Kind,
    When,
    check_follow_up,
    follow_ups,
    transition_diagram,
)

from .ramify_command import Ramify

EDGES = {(old.value, new.kind.value) for old, found in FOLLOW_UPS.items() for new in found}
# S1.13-S1.21 of the text that the table is made from, with the conditions under which each holds.
ASKED_FOR = [
    (Kind.USER_MESSAGE, Kind.STRUCTURED_MESSAGE, [When.TOOLS]),
    (Kind.USER_MESSAGE, Kind.TOOL_CALL, [When.NATIVE]),
    (Kind.USER_MESSAGE, Kind.ASSISTANT_MESSAGE, []),
    (Kind.STRUCTURED_MESSAGE, Kind.ASSISTANT_MESSAGE, [When.ANSWER]),
    (Kind.STRUCTURED_MESSAGE, Kind.TOOL_CALL, [When.COMMAND]),
    (Kind.TOOL_CALL, Kind.TOOL_RESULT, []),
    (Kind.UPLOADED_FILES, Kind.USER_MESSAGE, []),
    (Kind.UPLOADED_FILES, Kind.ASSISTANT_MESSAGE, []),
    (Kind.UPLOADED_FILES, Kind.STRUCTURED_MESSAGE, [When.TOOLS]),
    (Kind.TOOL_RESULT, Kind.STRUCTURED_MESSAGE, []),
    (Kind.ERROR_REPORT, Kind.SYSTEM_MESSAGE, [When.REPAIR]),
    (Kind.SYSTEM_MESSAGE, Kind.STRUCTURED_MESSAGE, []),
    (Kind.ASSISTANT_MESSAGE, End.TERMINATION, []),
    (Kind.ASSISTANT_MESSAGE, Kind.STRUCTURED_MESSAGE, [When.AUTONOMOUS]),
]


@pytest.mark.parametrize(("old", "new", "when"), ASKED_FOR)
def test_what_may_follow_follows_under_its_condition_and_not_without(
    old: Kind, new: Kind | End, when: list[When]
) -> None:
    check_follow_up(old, new, when)
    for condition in when:
        with pytest.raises(FollowUpError, match=f"^{new} cannot follow {old} unless {condition}; what may") as caught:
            check_follow_up(old, new, set(When) - {condition})
        assert (caught.value.old, caught.value.new, caught.value.missing) == (old, new, (condition,))


@pytest.mark.parametrize("old", list(Kind))
def test_what_the_table_does_not_hold_never_follows(old: Kind) -> None:
    never = [new for new in (*Kind, *End) if (old.value, new.value) not in EDGES]
    assert never
    for new in never:
        with pytest.raises(FollowUpError, match=f"^{new} cannot follow {old}; what may follow: ") as caught:
            check_follow_up(old, new, set(When))
        assert caught.value.missing == ()


def test_a_conversation_begins_with_a_person() -> None:
    assert [each.kind for each in follow_ups(None)] == [Kind.UPLOADED_FILES, Kind.USER_MESSAGE]
    with pytest.raises(FollowUpError, match="tool_call cannot follow the beginning"):
        check_follow_up(None, Kind.TOOL_CALL, set(When))


def test_every_kind_has_a_role_and_a_way_to_both_ends() -> None:
    assert set(ROLES.values()) == set("AUSF")
    assert set(ROLES) == set(FOLLOW_UPS) == set(Kind)
    for start in Kind:
        reached, todo = {start.value}, [start.value]
        for old in todo:
            fresh = {new for before, new in EDGES if before == old} - reached
            reached |= fresh
            todo += fresh
        assert {*map(str, End)} <= reached


def test_the_diagrams_have_every_edge_and_no_other() -> None:
    mermaid = {
        (found[1], found[2])
        for line in transition_diagram().splitlines()
        if (found := re.match(r" +(\w+) (?:-- .* )?--> (\w+)$", line))
    }
    dot = {
        (found[1], found[2])
        for line in transition_diagram("dot").splitlines()
        if (found := re.match(r" +(\w+) -> (\w+)", line))
    }
    assert mermaid == dot == EDGES
    assert '-- "if the agent is autonomous and the model calls tools itself" -->' in transition_diagram()


def test_the_diagram_of_the_documentation_is_drawn_from_the_table() -> None:
    page = Path(__file__).parent.parent / "docs" / "reference.md"
    assert f"```mermaid\n{transition_diagram()}```" in page.read_text(encoding="utf-8")


def test_the_command_prints_both_diagrams(ramify: Ramify) -> None:
    assert ramify("tools", "transitions").out == transition_diagram()
    assert ramify("tools", "transitions", "-f", "dot").out == transition_diagram("dot")

"""Plans, streams of plans and evolved tasks: what counts, what is an error, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.tasks import ReplyError
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.replies.grammar import PlannedTask, PlanRules, PlanStream, is_restatement, parse_evolved, parse_plan

Shape = list[tuple[str, str, tuple[str, ...], str | None]]


def shape(reply: str, **rules: object) -> Shape:
    """Return the tasks of a plan as plain tuples."""
    return [(task.key, task.content, task.needs, task.type) for task in parse_plan(reply, **rules).tasks]  # type: ignore[arg-type]


def complaint(reply: str, **rules: object) -> str:
    with pytest.raises(ReplyError) as caught:
        parse_plan(reply, **rules)  # type: ignore[arg-type]
    assert not isinstance(caught.value, TruncatedReplyError)
    assert caught.value.reply == reply
    return caught.value.complaint


@pytest.mark.parametrize(
    "tag",
    [
        '<task id="b" needs="a" type="x">',
        "<task type='x' needs='a' id='b'>",
        "<TASK ID=b NEEDS=a TYPE=x>",
        "<task id=\u201cb\u201d needs=\u201ea\u201c type=\u00abx\u00bb>",
        "<task id=\uff02b\uff02 needs=\u2018a\u2019 type=\u300cx\u300d>",
        "<task id\uff1d\uff02b\uff02 needs = \uff07a\uff07 type=x>",
        '<task\n  id="b"\n  needs="a"\n  type="x"\n>',
        '<task id=\\"b\\" needs=\\"a\\" type=\\"x\\">',
        '<Task key="b" depends_on="a" worker="x">',
        '<task id="b" dependsOn="[a]" type="x" priority="high">',
        "<task id='b' title='a > c' needs='a, none' type=x>",
        "<task id=b needs='1' type=x>",
        "<task id=b needs=a a type=x>",
    ],
)
def test_attributes_are_read_in_any_form(tag: str) -> None:
    assert shape(f'<task id="a">First</task>{tag}Second</task>')[1] == ("b", "Second", ("a",), "x")


@pytest.mark.parametrize(
    "reply",
    [
        "<task>One</task><task>Two</task>",
        "<tasks>\n<task>One</task>\n<task>Two</task>\n</tasks>",
        "<plan><subtasks><task>One</task><task>Two</task></subtasks></plan>",
        "Sure! Here is the plan:\n<task>One</task> and then <task>Two</task>\nGood luck!",
        "```xml\n<task>One</task>\n<task>Two</task>\n```",
        "The plan:\n\n```\n<task>One</task>\n<task>Two</task>\n```\nThat is all.",
        "<TASK>One</TASK>\n<Task>Two</Task >",
        "<task>One<\\/task><task>Two</ task>",
        "<task>\n  One\n</task><task><![CDATA[Two]]></task>",
        "<think>Maybe <task>Zero</task>?</think><task>One</task><task>Two</task>",
        "<thinking>\n<atomic/>\n</thinking>\n\n<task>One</task><task>Two</task>",
        "I wonder whether to split it.</think><task>One</task><task>Two</task>",
        "Each goes into `<task>` and `</task>`, not `<atomic/>`: <task>One</task><task>Two</task>",
        "<task>One</task><task>Two</task></task>",
        '["One", "Two"]',
        "1. One\n2. Two",
        "- One\n- Two",
    ],
)
def test_tasks_are_found_whatever_stands_around_them(reply: str) -> None:
    assert shape(reply) == [("1", "One", (), None), ("2", "Two", (), None)]


@pytest.mark.parametrize(
    ("inside", "content"),
    [
        ("R&D at AT&T", "R&D at AT&T"),
        ("a &lt;b&gt; &amp;amp; &quot;c&quot; &#65;&#x42;", 'a <b> &amp; "c" AB'),
        ("see /?a=1&copy=2&#xD800;&#0;&nope;", "see /?a=1&copy=2&#xD800;&#0;&nope;"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("write <b>bold</b> <br/> text", "write <b>bold</b> <br/> text"),
        ('outer <task id="x">inner</task> end', 'outer <task id="x">inner</task> end'),
        ("explain `<task>` and `</task>`", "explain `<task>` and `</task>`"),
        ("keep <atomic/> and <failed>this</failed>", "keep <atomic/> and <failed>this</failed>"),
        ("```\ncode\n```", "```\ncode\n```"),
        ("<![CDATA[a &amp; <b>]]>", "a &amp; <b>"),
        ("\u0644\u062e\u0635 \u7ffb\u8bd1", "\u0644\u062e\u0635 \u7ffb\u8bd1"),
        ('an odd " quote <i>and', 'an odd " quote <i>and'),
    ],
)
def test_content_is_what_stands_inside_decoded_once(inside: str, content: str) -> None:
    assert shape(f"<task>{inside}</task>") == [("1", content, (), None)]


@pytest.mark.parametrize(
    "reply",
    [
        "<atomic/>",
        "<ATOMIC />",
        "<atomic>",
        "<atomic></atomic>",
        "<atomic>one worker can do it</atomic>",
        "It is one piece of work: <atomic/>. Go on.",
        "```xml\n<atomic/>\n```",
        "`<atomic/>`",
        "The answer is `<atomic/>`",
        "`<atomic/>`\n\nBecause:\n- it is small\n- it is one piece",
        "<think>split?</think>\n<atomic/>",
        "Atomic.",
        '{"atomic": true}',
    ],
)
def test_atomic_is_said_in_many_ways(reply: str) -> None:
    plan = parse_plan(reply)
    assert (plan.atomic, plan.tasks, plan.failed) == (True, (), None)


@pytest.mark.parametrize(
    ("reply", "reason", "detail"),
    [
        ('<failed reason="missing_input">No file.</failed>', "missing_input", "No file."),
        ("<failed reason='Missing input'>No file.</failed>", "missing_input", "No file."),
        ("<failed>R&amp;D is closed</failed>", "other", "R&D is closed"),
        ('<failed reason="refused"/>', "refused", ""),
        ('<failed reason="too big > 5">Sorry.</failed>', "other", "too big > 5: Sorry."),
        ("Sorry. <failed reason=no-tool>No shop,\nno ticket.</failed>", "no_tool", "No shop,\nno ticket."),
        ("<failed>one</failed><failed>two</failed>", "other", "one; two"),
        ('{"failed": {"reason": "ambiguous", "detail": "Two readings."}}', "ambiguous", "Two readings."),
        ('{"failed": "Two readings."}', "other", "Two readings."),
    ],
)
def test_a_failure_is_told_with_its_reason(reply: str, reason: str, detail: str) -> None:
    plan = parse_plan(reply)
    assert plan.failed is not None
    assert (plan.failed.reason, plan.failed.detail, plan.tasks, plan.atomic) == (reason, detail, (), False)


@pytest.mark.parametrize(
    ("attributes", "needs"),
    [
        ('needs="a"', ("a",)),
        ('needs="a b"', ("a", "b")),
        ('needs="b,a;b"', ("b", "a")),
        ('needs="a\u3001b"', ("a", "b")),
        ('needs="1 2"', ("a", "b")),
        ('needs="#2"', ("b",)),
        ('needs="0.7 a"', ("0.7", "a")),
        ('needs=""', ()),
        ('needs="none"', ()),
        ('needs="-"', ()),
        ('needs="a" depends_on="b"', ("a", "b")),
        ('needs="2 b"', ("b",)),
        ('needs="last"', ("last",)),
        ('needs="4"', ("last",)),
    ],
)
def test_needs_name_ids_positions_or_known_tasks(attributes: str, needs: tuple[str, ...]) -> None:
    reply = f'<task id="a">A</task><task id="b">B</task><task id="c" {attributes}>C</task><task id="last">D</task>'
    assert parse_plan(reply, known_ids={"0.7"}).tasks[2].needs == needs


@pytest.mark.fault("3.3")
@pytest.mark.parametrize(
    "needs",
    ["nil", "NIL", "0", "nothing", "Nothing.", "no", "n/a", "N.A.", "none", "(none)", "[]", "-", "\u2014", "null",
     "None, none", "not applicable", "undefined", "keine", "\u65e0", "\u6ca1\u6709", "\u306a\u3057"],
)  # fmt: skip
def test_words_for_nothing_are_no_needs(needs: str) -> None:
    assert shape(f'<task id="a">A</task><task id="b" needs="{needs}">B</task>')[1][2] == ()


@pytest.mark.fault("3.3")
@pytest.mark.parametrize("name", ["0", "nil", "none", "-"])
def test_a_task_of_that_name_is_needed_all_the_same(name: str) -> None:
    assert shape(f'<task id="{name}">A</task><task id="b" needs="{name}">B</task>')[1][2] == (name,)
    assert shape(f'<task id="b" needs="{name}">B</task>', known_ids=[name])[0][2] == (name,)
    later = f'<task id="b" needs="{name}">B</task><task id="{name}">A</task>'
    assert complaint(later) == f'it is not clear which task a need of "{name}" means; give the tasks other ids'


@pytest.mark.fault("3.3")
def test_zero_beside_another_need_is_not_passed_over() -> None:
    assert 'needs "0", which is no task' in complaint('<task>A</task><task>B</task><task needs="0 1">C</task>')
    assert 'needs "0", which is no task' in complaint('{"tasks": [{"task": "A"}, {"task": "B", "needs": [0, 1]}]}')


@pytest.mark.fault("3.5")
def test_a_type_is_left_out_and_noted_where_there_are_none() -> None:
    plan = parse_plan('<task type="web">A</task><task type="none">B</task><task type="mail">C</task>', types=[])
    assert [task.type for task in plan.tasks] == [None, None, None]
    assert plan.notes == ('no workers are listed, so these types are left out: "web", "mail"',)


@pytest.mark.fault("3.3")
def test_a_word_for_nothing_is_no_type_unless_a_worker_is_called_so() -> None:
    assert shape('<task type="none">A</task>', types=["web"])[0][3] is None
    assert shape('<task type="none">A</task>', types=["none"])[0][3] == "none"


def test_an_id_of_the_plan_comes_before_a_known_one_and_that_before_a_position() -> None:
    assert shape('<task id="2">A</task><task id="b" needs="2 1">B</task>', known_ids=["1", "2"])[1][2] == ("2", "1")
    assert shape('<task id="x">A</task><task id="b" needs="1">B</task>')[1][2] == ("x",)


def test_an_id_of_several_words_is_found_whole() -> None:
    assert shape('<task id="task 1">A</task><task id="task 2" needs="task 1">B</task>')[1][2] == ("task 1",)


@pytest.mark.fault("3.9")
@pytest.mark.parametrize(
    "reply",
    [
        'The form is `<task id="x">Example</task>`.\n<task>One</task><task>Two</task>',
        'Use `<task>` as in `<task id="x">Example</task>`: <task>One</task><task>Two</task>',
        "Say `<task>a</task><task>b</task>` or `<atomic></atomic>`.\n```xml\n<task>One</task>\n<task>Two</task>\n```",
        "<task>One</task>\n<task>Two</task>\nI wrote `<task>One</task>` first.",
        "Don`t worry: <task>One</task>\n<task>Two</task>",
        "`<task>One</task>` `<task>Two</task>`",
        "`<task>One</task>\n<task>Two</task>`",
    ],
)
def test_an_example_in_inline_code_is_no_task(reply: str) -> None:
    assert [(task.content, task.needs) for task in parse_plan(reply).tasks] == [("One", ()), ("Two", ())]


@pytest.mark.fault("3.9")
def test_a_text_in_an_attribute_is_that_of_a_task_without_words() -> None:
    reply = '<task id="a" description="Look"></task><task id="b" needs="a" title="Leap"/><task name="x">Land</task>'
    assert [(task.content, task.needs) for task in parse_plan(reply).tasks] == [
        ("Look", ()), ("Leap", ("a",)), ("Land", ()),
    ]  # fmt: skip


def test_a_type_is_kept_as_it_is_unless_types_are_given() -> None:
    assert shape('<task type="web">A</task>')[0][3] == "web"
    assert shape('<task type="web">A</task><task type="">B</task>', types=["web"])[1][3] is None


@pytest.mark.parametrize(
    ("reply", "rules", "words"),
    [
        (
            '<task id="a">A</task><task id="b" needs="c">B</task>',
            {},
            'task "b" needs "c", which is no task of this reply; the tasks are a, b',
        ),
        (
            '<task id="b" needs="c a">B</task><task id="a" needs="b">A</task>',
            {},
            (
                'task "b" needs "c", which is no task of this reply; the tasks are b, a; '
                'these tasks need each other in a circle: "b" -> "a" -> "b"; remove one of the needs'
            ),
        ),
        ('<task id="a" needs="a">A</task>', {}, 'task "a" needs itself; remove that need'),
        ('<task id="a" needs="1">A</task>', {}, 'task "1" needs itself; remove that need'),
        ('<task id="a">A</task><task id="a">B</task>', {}, 'two tasks have the id "a"; give each its own'),
        ('<task id="2">A</task><task>B</task>', {}, 'two tasks have the id "2"; give each its own'),
        ("<task>A</task><task> &nbsp;\u200b</task>", {}, 'task "2" is blank; say what is to be done, or leave it out'),
        ('<task id="x"/><task>B</task>', {}, 'task "x" is blank; say what is to be done, or leave it out'),
        ("<task> </task>", {"blank": "skip"}, "all tasks are blank; say what is to be done"),
        (
            '<task>A</task><task>\n</task><task needs="2">C</task>',
            {"blank": "skip"},
            'task "3" needs "2", which is blank; remove the need, or say what is to be done',
        ),
        (
            '<task type="web">A</task>',
            {"types": ["shell", "mail"]},
            'task "1" has the type "web", which is unknown; the types are shell, mail',
        ),
        (
            "<task>A</task>" * 500,
            {"max_tasks": 8},
            "there are 500 tasks, the most is 8; join some of them",
        ),
        ("<atomic/><task>A</task>", {}, "`<atomic/>` stands beside 1 task; give one or the other"),
        ("<task>A</task><failed>x</failed>", {}, "`<failed>` stands beside 1 task; give one or the other"),
        ("<failed>x</failed><atomic/>", {}, "`<atomic/>` stands beside `<failed>`; give one or the other"),
        ('{"atomic": true, "tasks": ["A", "B"]}', {}, "`<atomic/>` stands beside 2 tasks; give one or the other"),
        (
            '<task id="a" needs="2">A</task><task id="b">B</task><task id="2">C</task>',
            {},
            'it is not clear which task a need of "2" means; give the tasks other ids',
        ),
        (
            '<task id="a needs="b">A</task>',
            {},
            'the tag of task "a needs= b" cannot be read; put each attribute in quotes',
        ),
        ("I cannot plan this. What is the budget?", {}, "the reply holds neither tasks nor `<atomic/>`"),
        ("[]", {}, "the reply holds neither tasks nor `<atomic/>`"),
        ("", {}, "the reply is blank"),
        (" \n\t\u200b", {}, "the reply is blank"),
        ("<think>Hm.</think> \n", {}, "the reply holds nothing but thoughts"),
        ("Hm.</think>", {}, "the reply holds nothing but thoughts"),
        (
            "Maybe <task>A</task>?</think><task>B</task>",
            {},
            "`</think>` stands after the first element; give the reply alone, without thoughts",
        ),
        (
            "A format:\n```\n<task>Example</task>\n```\n<task>B</task>",
            {},
            "there are elements in a code fence and others outside of it; give the reply once, without examples",
        ),
        ('<task id="a<b">A</task>', {}, "there is a `</task>` without its `<task>`; write each element whole"),
        (
            "<task/>A</task>",
            {},
            (
                "there is a `</task>` without its `<task>`; write each element whole; "
                'task "1" is blank; say what is to be done, or leave it out'
            ),
        ),
    ],
)
def test_what_is_wrong_is_said_exactly(reply: str, rules: dict[str, object], words: str) -> None:
    assert complaint(reply, **rules) == words


def test_all_faults_are_told_at_once() -> None:
    said = complaint('<task id="a">A</task><task id="a"/><task id="b" needs="x" type="t">B</task>', types=["u"])
    assert said.split("; ") == [
        'task "a" is blank', "say what is to be done, or leave it out",
        'task "b" has the type "t", which is unknown', "the types are u",
        'task "b" needs "x", which is no task of this reply', "the tasks are a, b",
    ]  # fmt: skip


def test_many_faults_are_counted() -> None:
    said = complaint("<task/>" * 40)
    assert said.count("blank") == 10
    assert said.endswith("; and 30 more faults")


def test_hostile_names_are_shortened_in_complaints() -> None:
    name = "n" * 5000
    said = complaint(f'<task id="{name}" needs="x\ny">A</task>')
    assert len(said) < 500
    assert "\n" not in said


def test_a_long_circle_is_shown_as_its_path() -> None:
    tasks = "".join(f'<task id="t{i}" needs="t{(i + 1) % 3}">T</task>' for i in range(3))
    assert '"t0" -> "t1" -> "t2" -> "t0"' in complaint(f'<task id="s" needs="t0">S</task>{tasks}')


def test_skipped_blanks_are_counted_and_keep_their_place() -> None:
    plan = parse_plan('<task>A</task><task/><task> </task><task needs="1">D</task>', blank="skip")
    assert plan.skipped == 2
    assert [(task.key, task.needs) for task in plan.tasks] == [("1", ()), ("4", ("1",))]


@pytest.mark.parametrize(
    "reply",
    [
        '<task>A</task><task id="b',
        "<task>A</task><ta",
        "<task>A<task>B</task>",
        "<atomic",
        "<think>Let me see",
        "<think>Let me see <task>A</task>",
        '["A", "B',
        '{"tasks": ["A", "B"]',
        '```json\n[{"task": "A"}, {"ta\n```',
    ],
)
def test_a_reply_that_breaks_off_is_truncated(reply: str) -> None:
    with pytest.raises(TruncatedReplyError) as caught:
        parse_plan(reply)
    assert caught.value.reply == reply


@pytest.mark.parametrize("reply", ["<atomic/>", "<task>A</task>", "", "1. A", "<think>"])
@pytest.mark.parametrize(("reason", "words"), [("length", "length limit"), ("content_filter", "content filter")])
def test_a_cut_reply_is_never_a_plan(reply: str, reason: str, words: str) -> None:
    with pytest.raises(TruncatedReplyError, match=words):
        parse_plan(reply, finish_reason=reason)


def test_the_error_names_the_element_without_an_end() -> None:
    with pytest.raises(TruncatedReplyError, match='the `<task>` with the id "b" has no end: `</task>` is missing'):
        parse_plan('<task id="a">A</task><task id="b">B', finish_reason="unknown")


@pytest.mark.fault("3.8")
@pytest.mark.parametrize(
    "reply",
    [
        "<task>A</task><task>B",
        "<task>A</task><task>B</task",
        "```\n<task>A</task>\n<task>B\n```",
        "<task>A</task>\n<task>B\n",
    ],
)
def test_the_last_task_may_lack_its_end_if_the_model_stopped(reply: str) -> None:
    assert shape(reply) == [("1", "A", (), None), ("2", "B", (), None)]


@pytest.mark.fault("3.8")
def test_a_failure_may_lack_its_end() -> None:
    failed = parse_plan('<failed reason="refused">never').failed
    assert failed is not None
    assert (failed.reason, failed.detail) == ("refused", "never")


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(TypeError, match="max_task"):
        parse_plan("<atomic/>", max_task=3)  # type: ignore[call-arg]


def test_a_stream_gives_each_task_as_its_element_closes() -> None:
    stream = PlanStream()
    given = {
        chunk: [task.key for task in stream.feed(chunk)] for chunk in ("<task>A</ta", "sk><task>B", "</task", ">", "!")
    }
    assert given == {"<task>A</ta": [], "sk><task>B": ["1"], "</task": [], ">": ["2"], "!": []}
    assert [task.content for task in stream.close().tasks] == ["A", "B"]


def test_a_stream_holds_a_task_back_until_its_needs_are_there() -> None:
    stream = PlanStream()
    assert stream.feed('<task id="a" needs="c">A</task><task id="b">B</task>') == []
    given = stream.feed('<task id="c">C</task>')
    assert [(task.key, task.needs) for task in given] == [("a", ("c",)), ("b", ()), ("c", ())]


@pytest.mark.parametrize(
    ("first", "fault", "rules"),
    [
        ("<task>A</task>", "<task/>", {}),
        ("<task>A</task>", "<atomic/>", {}),
        ("<task>A</task>", '<task id="1">B</task>', {}),
        ("<task>A</task>", '<task type="x">B</task>', {"types": ("y",)}),
        ("<task>A</task>", "<task>B</task>", {"max_tasks": 1}),
        ("<task>A</task>", '<task needs="9">B</task>', {}),
        ("<task>A</task>", "oh</task>", {}),
    ],
)
def test_a_stream_gives_nothing_after_a_fault(first: str, fault: str, rules: PlanRules) -> None:
    stream = PlanStream(**rules)
    assert len(stream.feed(first)) == 1
    assert stream.feed(fault) == []
    assert stream.feed("<task>Z</task>") == []
    with pytest.raises(ReplyError):
        stream.close()


def test_a_stream_that_was_cut_is_no_plan() -> None:
    stream = PlanStream()
    stream.feed("<task>A</task>")
    with pytest.raises(TruncatedReplyError):
        stream.close("length")


_words = st.text("ab<>&\"'\n \u00e9", min_size=1, max_size=8).filter(lambda text: text.strip() and "<" not in text)


@given(contents=st.lists(_words, min_size=1, max_size=6), data=st.data())
def test_a_written_plan_is_read_back(contents: list[str], data: st.DataObject) -> None:
    needs = [
        tuple(data.draw(st.sets(st.integers(0, max(place - 1, 0)))) if place else ()) for place in range(len(contents))
    ]
    expected = tuple(
        PlannedTask(f"t{place}", content.strip(), tuple(f"t{need}" for need in needs[place]))
        for place, content in enumerate(contents)
    )
    reply = "\n".join(
        f'<task id="{task.key}" needs="{" ".join(task.needs)}">{task.content.replace("&", "&amp;")}</task>'
        for task in expected
    )
    assert parse_plan(reply).tasks == expected


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<task>Count legs.</task>", "Count legs."),
        ("<think>hm</think>Sure: <task>R&amp;D</task>!", "R&D"),
        ("  Count the legs of two spiders.\n", "Count the legs of two spiders."),
        ("```\n<task>Count legs.</task>\n```", "Count legs."),
        ("Is 3 < 4 impossible?", "Is 3 < 4 impossible?"),
    ],
)
def test_an_evolved_task_is_one_element_or_plain_text(reply: str, text: str) -> None:
    assert parse_evolved(reply) == text


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("<task>A</task><task>B</task>", "there are 2 elements, and exactly one `<task>` was asked for"),
        ("<task> </task>", "the task is blank; say what is to be done"),
        ('<failed reason="refused">Harmful.</failed>', "no task was made: Harmful. (refused)"),
        ("<failed/>", "no task was made: no reason was given (other)"),
        ("", "the reply is blank"),
        ("<think>hm</think>", "the reply holds nothing but thoughts"),
    ],
)
def test_an_evolved_task_that_is_none_is_refused(reply: str, words: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_evolved(reply)
    assert words in caught.value.complaint


@pytest.mark.parametrize(("reply", "reason"), [("<task>A", ""), ("<think>A", "stop"), ("<task>A</task>", "length")])
def test_an_evolved_task_that_was_cut_is_truncated(reply: str, reason: str) -> None:
    with pytest.raises(TruncatedReplyError):
        parse_evolved(reply, finish_reason=reason)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Plan the trip.", "plan  the\ntrip", True),
        ('"Plan the trip!"', "Plan the trip", True),
        ("\uff30lan the trip", "Plan the trip", True),
        ("STRASSE kehren", "stra\u00dfe kehren", True),
        ("Plan the trip.", "Plan the trips.", False),
        ("Compute 1.5 + 2", "Compute 15 + 2", False),
        ("Compute 5 - 3", "Compute 5 / 3", False),
        ("Compute -5", "Compute 5", False),
    ],
)
def test_a_restatement_differs_in_form_alone(a: str, b: str, same: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_restatement(a, b) is same

"""Our own SVG: boxes that do not overlap, words that stay words, folding that loses nothing."""

import doctest
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.errors import UsageError
from ramify.planner.export import fold, labels
from ramify.planner.export import view as views
from ramify.planner.export.columns import Breaking, usual_breaking
from ramify.planner.export.fold import subtree_ends, within_limit
from ramify.planner.export.labels import text_em, wrap
from ramify.planner.export.layout import Layout
from ramify.planner.export.legend import legend
from ramify.planner.export.look import GLYPHS, THEMES, Theme
from ramify.planner.export.routes import LEVEL_GAP, dependency_arrows, tree_lines
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.svg import to_svg
from ramify.planner.export.view import Direction, GraphView, ViewOptions
from ramify.tasks import Task, TaskState, Usage

SVG = "{http://www.w3.org/2000/svg}"
ALL = ViewOptions(max_nodes=None)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "]]> &amp; &lt;b&gt; & < > ' \"",
    "null \x00 bell \x07 escape \x1b[31m delete \x7f end",
    "lone surrogate \ud800 and noncharacter \ufffe",
    "turned \u202e around \u2066 twice",
    "e" + "\u0301" * 500,
    "W" * 10_000,
    "漢字" * 500,
    "javascript:alert(1) url(#x) \\N \\l",
]


def family() -> Task:
    root = Task(content="Compare two cities", id="0", state="RUNNING")
    first = Task(
        content="Describe Oslo", id="0.1", state="DONE", type="python:fetch", usage=Usage(calls=1, cost_usd=0.25)
    )
    first.started_at = datetime(2026, 1, 1, tzinfo=UTC)
    first.completed_at = first.started_at + timedelta(seconds=2.5)
    second = Task(content="Describe Rome", id="0.2", state="FAILED", dependencies=["0.1"], origin="added")
    root.add_subtasks([first, second])
    second.add_subtasks(
        [Task(content="Find sources", id="0.2.1"), Task(content="Read them", id="0.2.2", state="DELETED")]
    )
    return root


def random_tree(seed: int, count: int) -> Task:
    chance = random.Random(seed)
    tasks = [Task(content="root", id="0")]
    for number in range(1, count):
        task = Task(content="word " * chance.randint(1, 30), id=str(number), state=chance.choice(list(TaskState)))
        chance.choice(tasks[-chance.randint(1, 20) :]).add_subtask(task)
        tasks.append(task)
    walked = list(tasks[0].walk())
    for _ in range(count // 2):
        earlier, later = sorted(chance.sample(range(len(walked)), 2))
        if walked[earlier] not in walked[later].ancestors():
            walked[later].dependencies.append(walked[earlier].id)
    return tasks[0]


def chain(count: int) -> Task:
    root = last = Task(content="step", id="0")
    for number in range(1, count):
        task = Task(content="step", id=str(number))
        last.add_subtask(task)
        last = task
    return root


def flat(count: int) -> Task:
    root = Task(content="step", id="0")
    root.add_subtasks(
        Task(content="step", id=str(number), dependencies=[str(number - 1)] if number > 1 else [])
        for number in range(1, count)
    )
    return root


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}text")]


def contrast(one: str, other: str) -> float:
    # Source: WCAG 2.2, relative luminance and contrast ratio
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_box_says_id_state_content_worker_duration_and_cost() -> None:
    shown = texts(to_svg(graph_view(family())))
    assert {"0.1", "DONE", "Describe Oslo", "python:fetch · 2.5 s · $0.2500"} <= set(shown)


def test_task_added_while_running_is_told_by_a_word() -> None:
    assert "model · added" in texts(to_svg(graph_view(family())))


def test_footer_says_what_made_the_answers() -> None:
    shown = texts(to_svg(graph_view(family(), made_by="rules (no language model)")))
    assert shown[-1] == "Ramify · answers by rules (no language model)"


def test_unknown_maker_is_said_to_be_unknown() -> None:
    assert texts(to_svg(graph_view(family())))[-1] == "Ramify · the model is not recorded"


LEGENDS = [
    (Task(content="alone", id="0"), ["OPEN"]),
    (chain(2), ["OPEN", "line: subtask"]),
    (flat(3), ["OPEN", "line: subtask", "dashed arrow: dependency"]),
    (family(), [*TaskState.states(), "line: subtask", "dashed arrow: dependency", "dotted box: added while running"]),
]


@pytest.mark.fault("5.6")
@pytest.mark.parametrize(("root", "words"), LEGENDS, ids=["alone", "chain", "flat", "family"])
def test_legend_explains_what_is_in_the_picture_and_nothing_else(root: Task, words: list[str]) -> None:
    assert [entry.words for entry in legend(graph_view(root))] == words
    assert set(words) <= set(texts(to_svg(graph_view(root))))


def test_every_state_has_its_own_glyph() -> None:
    assert set(GLYPHS) == set(TaskState)
    assert len(set(GLYPHS.values())) == len(TaskState)


def test_dependency_is_dashed_with_a_head_and_a_tree_edge_is_not() -> None:
    with_dependency, without = to_svg(graph_view(family())), family()
    without.subtasks[1].dependencies.clear()
    dashes = (
        with_dependency.count('stroke-dasharray="6 4"'),
        to_svg(graph_view(without)).count('stroke-dasharray="6 4"'),
    )
    assert dashes == (1, 0)


def test_whole_text_stands_in_the_title_of_the_box() -> None:
    content = "one two three " * 50
    titles = [
        element.text or "" for element in parsed(to_svg(graph_view(Task(content=content, id="0")))).iter(f"{SVG}title")
    ]
    assert any(content in title for title in titles)


def test_picture_is_one_labelled_image_for_screen_readers() -> None:
    root = parsed(to_svg(graph_view(family())))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Task tree: Compare two cities"
    assert "5 tasks: 1 open, 1 running, 1 done, 1 failed, 1 deleted" in (root.findtext(f"{SVG}desc") or "")


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words: str) -> None:
    root = Task(content=words, id="0", type=words)
    svg = to_svg(graph_view(root, title=words, made_by=words))
    elements = list(parsed(svg).iter())
    assert {element.tag.removeprefix(SVG) for element in elements} <= {
        "svg",
        "title",
        "desc",
        "g",
        "rect",
        "path",
        "circle",
        "text",
    }
    assert not [name for element in elements for name in element.attrib if name.startswith("on") or "href" in name]
    assert not {"\u202e", "\u2066", "\x1b", "\ufffe"} & set(svg)


@given(st.text())
def test_any_text_makes_well_formed_xml(words: str) -> None:
    view = graph_view(Task(content=f"x{words}", id="0"), made_by=words)
    assert parsed(to_svg(view)).tag == f"{SVG}svg"


@given(st.text(), st.floats(2, 30), st.integers(1, 4))
def test_wrapped_lines_fit_the_width_and_the_number_of_lines(words: str, width_em: float, lines: int) -> None:
    wrapped = wrap(words, width_em=width_em, lines=lines)
    assert len(wrapped) <= lines
    assert all(text_em(line) <= width_em for line in wrapped)


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=6))
def test_text_that_fits_is_not_changed(words: list[str]) -> None:
    assert " ".join(wrap(" ".join(words), width_em=8, lines=6)) == " ".join(words)


def test_text_that_is_cut_ends_in_an_ellipsis() -> None:
    assert wrap("word " * 100, width_em=10, lines=2)[-1].endswith("…")


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_of_every_theme_is_readable_on_its_boxes(theme: Theme) -> None:
    grounds = [theme.background, *(look.fill for look in theme.states.values())]
    ratios = [contrast(text, ground) for text in (theme.text, theme.muted) for ground in grounds]
    assert min(ratios) >= 4.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_lines_and_outlines_of_every_theme_can_be_seen(theme: Theme) -> None:
    lines = (theme.edge, theme.dependency, theme.critical)
    ratios = [contrast(colour, theme.background) for colour in lines]
    ratios += [
        contrast(look.border, ground) for look in theme.states.values() for ground in (theme.background, look.fill)
    ]
    assert min(ratios) >= 3


@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(10, 300))
def test_boxes_never_overlap_and_children_stand_beyond_their_parent(seed: int, count: int, tallest: int) -> None:
    view = graph_view(random_tree(seed, count), options=ALL)
    chance = random.Random(seed)
    sizes = [(chance.randint(10, 90), chance.randint(10, tallest)) for _ in view.nodes]
    layout = Layout(view.nodes, sizes, level_gap=LEVEL_GAP)
    for level in layout.levels:
        boxes = [layout.boxes[place] for place in level]
        assert all(one.breadth_end < other.breadth for one, other in pairwise(boxes))
    assert all(layout.boxes[child].depth > layout.boxes[parent].depth_end for parent, child in view.tree_edges())
    assert all(box.breadth >= 0 and box.breadth_end <= layout.breadth_size for box in layout.boxes)


@given(st.integers(0, 10_000), st.integers(1, 120), st.integers(1, 9), st.integers(1, 9))
def test_boxes_in_columns_overlap_no_more_than_others(seed: int, count: int, longest: int, most: int) -> None:
    view = graph_view(random_tree(seed, count), options=ALL)
    chance = random.Random(seed)
    sizes = [(chance.randint(10, 90), chance.randint(10, 90)) for _ in view.nodes]
    layout = Layout(view.nodes, sizes, level_gap=LEVEL_GAP, breaking=Breaking(longest, most))
    for level in layout.levels:
        boxes = [layout.boxes[place] for place in level]
        assert all(one.breadth_end < other.breadth for one, other in pairwise(boxes))
    assert all(layout.boxes[child].depth > layout.boxes[parent].depth_end for parent, child in view.tree_edges())
    assert all(box.breadth >= 0 and box.breadth_end <= layout.breadth_size for box in layout.boxes)


@given(st.integers(0, 10_000), st.integers(2, 120), st.integers(1, 9), st.integers(1, 9))
def test_line_to_a_box_in_a_further_column_ends_at_it(seed: int, count: int, longest: int, most: int) -> None:
    view = graph_view(random_tree(seed, count), options=ALL)
    layout = Layout(view.nodes, [(242, 60)] * len(view.nodes), level_gap=LEVEL_GAP, breaking=Breaking(longest, most))
    for parent, child in view.tree_edges():
        steps = tree_lines(layout, parent, [child])
        assert steps[0][1][0] == (layout.boxes[parent].depth_end, layout.boxes[parent].middle)
        assert steps[-1][1][-1] == (layout.boxes[child].depth, layout.boxes[child].middle)


@pytest.mark.parametrize("count", [100, 300])
@pytest.mark.parametrize("make", [flat, lambda count: random_tree(5, count)])
def test_large_picture_fits_a_page_and_is_no_strip(make: Callable[[int], Task], count: int) -> None:
    root = parsed(to_svg(graph_view(make(count))))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert 0.5 < height / width < 2.2


def test_small_picture_is_not_broken() -> None:
    assert usual_breaking(graph_view(family())) is None
    assert usual_breaking(graph_view(flat(10))) is None


def test_parent_stands_centred_on_its_children() -> None:
    view = graph_view(flat(6))
    layout = Layout(view.nodes, [(100, 40)] * 6, level_gap=LEVEL_GAP)
    assert layout.boxes[0].middle == (layout.boxes[1].middle + layout.boxes[5].middle) // 2


@given(st.integers(0, 10_000), st.integers(2, 60))
def test_dependencies_run_from_prerequisite_to_dependent(seed: int, count: int) -> None:
    view = graph_view(random_tree(seed, count), options=ALL)
    layout = Layout(view.nodes, [(242, 60)] * len(view.nodes), level_gap=LEVEL_GAP)
    arrows = dependency_arrows(layout, view.dependencies)
    for (prerequisite, dependent), arrow in zip(view.dependencies, arrows, strict=True):
        source, target = layout.boxes[prerequisite], layout.boxes[dependent]
        depth, breadth = arrow.steps[0][1][0]
        assert source.depth <= depth <= source.depth_end
        assert source.breadth <= breadth <= source.breadth_end
        assert target.depth <= arrow.tip[0] <= target.depth_end
        assert target.breadth <= arrow.tip[1] <= target.breadth_end


@pytest.mark.parametrize(("make", "direction"), [(chain, "LR"), (flat, "TB")])
def test_20_000_tasks_are_drawn(make: Callable[[int], Task], direction: Direction) -> None:
    svg = to_svg(graph_view(make(20_000), options=ViewOptions(max_nodes=None, direction=direction)))
    assert svg.count("<title>") == 20_001


@given(st.integers(0, 10_000), st.integers(1, 120), st.integers(1, 130))
def test_folding_loses_no_task_and_keeps_the_limit(seed: int, count: int, limit: int) -> None:
    whole = graph_view(random_tree(seed, count), options=ALL)
    folded = within_limit(whole, limit)
    assert len(folded.nodes) <= limit
    assert folded.counts() == whole.counts()
    ends = subtree_ends(folded.nodes)
    for one, other in folded.dependencies:
        assert ends[min(one, other)] <= max(one, other), "a box and its own ancestor"


def test_folded_box_says_how_many_tasks_it_holds_and_how_they_stand() -> None:
    shown = texts(to_svg(graph_view(family(), options=ViewOptions(max_depth=2))))
    assert "+2 tasks: 1 open, 1 deleted" in shown


def test_picture_of_many_tasks_is_folded_and_says_so() -> None:
    view = graph_view(flat(1_000))
    assert len(view.nodes) == 300
    assert "300 of 1,000 tasks shown; boxes with a + hold the others" in texts(to_svg(view))


def test_families_share_the_room_of_a_level_that_does_not_fit() -> None:
    root = Task(content="root", id="0")
    for family_number in range(4):
        parent = Task(content="family", id=f"0.{family_number}")
        root.add_subtask(parent)
        parent.add_subtasks(Task(content="member", id=f"{parent.id}.{number}") for number in range(10))
    view = graph_view(root, options=ViewOptions(max_nodes=17))
    assert [sum(node.id.startswith(f"0.{number}.") for node in view.nodes) for number in range(4)] == [3, 3, 3, 3]


def test_dependency_of_a_folded_task_goes_to_the_box_that_holds_it() -> None:
    root = family()
    root.add_subtask(Task(content="Write", id="0.3", dependencies=["0.2.1"]))
    view = graph_view(root, options=ViewOptions(max_depth=2))
    assert ids_of(view, view.dependencies) == {("0.1", "0.2"), ("0.2", "0.3")}


def test_focus_shows_what_is_above_below_and_needed() -> None:
    root = family()
    root.add_subtasks([Task(content="Write", id="0.3", dependencies=["0.2.1"]), Task(content="Print", id="0.4")])
    root.subtasks[2].add_subtask(Task(content="Outline", id="0.3.1"))
    view = graph_view(root, options=ViewOptions(focus="0.3"))
    assert [node.id for node in view.nodes] == ["0", "0.2", "0.2.1", "0.3", "0.3.1"]


def test_focus_below_the_fold_is_still_shown() -> None:
    view = graph_view(chain(1_000), options=ViewOptions(focus="50", max_nodes=10))
    assert "50" in [node.id for node in view.nodes]


def test_critical_path_marks_its_steps() -> None:
    view = graph_view(family(), options=ViewOptions(critical_path=("0.1", "0.2", "0")))
    assert {(1, 2), (2, 0), (0, 2)} <= view.critical_steps()
    assert "thick: critical path" in texts(to_svg(view))


@pytest.mark.parametrize(
    "options",
    [ViewOptions(focus="7"), ViewOptions(critical_path=("7",)), ViewOptions(max_depth=0), ViewOptions(max_nodes=0)],
)
def test_options_that_cannot_be_used_are_refused(options: ViewOptions) -> None:
    with pytest.raises(UsageError, match=r"7, which is not in the tree|give 1 or more"):
        graph_view(family(), options=options)


def test_view_does_not_change_with_the_tree() -> None:
    root = family()
    view = graph_view(root)
    before = to_svg(view)
    root.subtasks[0].content = "Something else"
    root.add_subtask(Task(content="More", id="0.9"))
    assert to_svg(view) == before


def test_subtree_can_be_drawn_alone() -> None:
    view = graph_view(family().subtasks[1])
    assert [(node.id, node.parent, node.depth) for node in view.nodes] == [
        ("0.2", -1, 1),
        ("0.2.1", 0, 2),
        ("0.2.2", 0, 2),
    ]


@pytest.mark.parametrize("module", [fold, labels, views])
def test_examples_in_docstrings_are_right(module: ModuleType) -> None:
    tried = doctest.testmod(module)
    assert (tried.failed, tried.attempted > 0) == (0, True)


def test_task_in_focus_is_told_by_a_word() -> None:
    assert "model · in focus" in texts(to_svg(graph_view(family(), options=ViewOptions(focus="0.2.1"))))


def test_importing_the_exports_does_not_import_graphviz() -> None:
    code = "import sys, ramify.planner.export; sys.exit('graphviz' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


def ids_of(view: GraphView, pairs: tuple[tuple[int, int], ...]) -> set[tuple[str, str]]:
    return {(view.nodes[one].id, view.nodes[other].id) for one, other in pairs}

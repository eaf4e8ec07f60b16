"""From a task tree to a view of it: what is read of each task, and the folds that the options ask for."""

from collections.abc import Mapping

from ramify.planner.errors import UsageError
from ramify.tasks import Task
from ramify.tasks.tree.replanning import REPLACES
from ramify.tasks.tree.shown import shown_words

from .fold import around_focus, within_depth, within_limit
from .labels import one_line, shorten
from .view import GraphView, ViewNode, ViewOptions

_MOST_TITLE_CHARACTERS = 300
_MADE_BY_EM = 45
_DEFAULTS = ViewOptions()


def graph_view(
    root: Task, *, title: str | None = None, made_by: str | None = None, options: ViewOptions = _DEFAULTS
) -> GraphView:
    """Return what pictures of the tree under `root` show.

    Args:
        root: the task at the top of the picture; dependencies on tasks outside its tree are not shown.
        title: the picture's title; the root's content unless given.
        made_by: what the answers come from, such as a model's `maker`.
        options: what to show, and how.

    Raises:
        UsageError: if the focus or an id of the critical path is not in the tree, or a limit is below 1.
    """
    tasks = list(root.walk())
    places = {task: place for place, task in enumerate(tasks)}
    by_id = {task.id: place for place, task in enumerate(tasks)}
    view = GraphView(
        title=one_line((title or root.content)[:_MOST_TITLE_CHARACTERS]) or root.id,
        made_by=shorten(one_line(made_by), width_em=_MADE_BY_EM) if made_by else None,
        nodes=_nodes(tasks, places, focus=options.focus),
        dependencies=tuple(
            (by_id[needed], place)
            for place, task in enumerate(tasks)
            for needed in task.dependencies
            if needed in by_id
        ),
        critical_path=tuple(_place_of(by_id, task_id, "critical path") for task_id in options.critical_path),
        options=options,
    )
    if options.focus is not None:
        _place_of(by_id, options.focus, "focus")
        view = around_focus(view)
    if options.max_depth is not None:
        view = within_depth(view, options.max_depth)
    return view if options.max_nodes is None else within_limit(view, options.max_nodes)


def _nodes(tasks: list[Task], places: Mapping[Task, int], *, focus: str | None) -> tuple[ViewNode, ...]:
    nodes: list[ViewNode] = []
    parents: set[int] = set()
    notes = _notes(tasks)
    for task in tasks:
        parent = places[task.parent] if nodes and task.parent is not None else -1
        parents.add(parent)
        nodes.append(
            ViewNode(
                id=task.id,
                content=shown_words(task),
                state=task.state,
                worker=task.type or "model",
                parent=parent,
                depth=nodes[parent].depth + 1 if parent >= 0 else 1,
                duration_s=task.duration_s,
                usage=task.usage,
                is_added=task.origin == "added",
                note=notes.get(task.id, ""),
                is_focus=task.id == focus,
            )
        )
    return tuple(
        node._replace(has_shown_subtasks=True) if place in parents else node for place, node in enumerate(nodes)
    )


def _notes(tasks: list[Task]) -> dict[str, str]:
    """Return what became of tasks whose plan was changed, by id."""
    instead: dict[str, list[str]] = {}
    for task in tasks:
        if isinstance(old := task.metadata.get(REPLACES), str):
            instead.setdefault(old, []).append(task.id)
    notes = {old: f"replaced by {' '.join(new)}" for old, new in instead.items()}
    return notes | {new: f"replaces {old}" for old, each in instead.items() for new in each}


def _place_of(by_id: Mapping[str, int], task_id: str, role: str) -> int:
    place = by_id.get(task_id)
    if place is None:
        raise UsageError(f"the {role} names task {task_id}, which is not in the tree; give the id of one of its tasks")
    return place

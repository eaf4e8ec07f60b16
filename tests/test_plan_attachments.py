"""Plan files attach text files, by paths that start at the folder of the plan."""

import json
from pathlib import Path

import pytest
from ramify.planner import Executor
from ramify.planner.testing import ScriptedModel
from ramify.tasks import DocumentError, Material, Task, lint_plan, load_plan, read_plan, save_plan, write_plan

from .ramify_command import Ramify

NOTES = "Oslo has 700,000 inhabitants.\n"
PLAN = """\
goal: How many live there?
attachments: [data/notes.txt, {name: x, text: Bergen has fewer.}]
"""


def place(home: Path, plan: str = PLAN, name: str = "plan.yaml") -> Path:
    """Write a plan, and the file that it attaches, into a folder below `home`."""
    folder = home / "trip"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "notes.txt").write_text(NOTES, encoding="utf-8")
    (folder / "data" / "bytes.bin").write_bytes(b"ab\xff")
    (folder / name).write_text(plan, encoding="utf-8")
    return folder / name


def documents(task: Task) -> dict[str, str]:
    return {each.name: each.text for each in task.attachments}


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("plan.yaml", PLAN),
        ("plan.json", '{"goal": "g", "attachments": ["data/notes.txt", {"name": "x", "text": "Bergen has fewer."}]}'),
    ],
)
def test_paths_start_at_the_folder_of_the_plan(tmp_path: Path, name: str, plan: str) -> None:
    root = load_plan(place(tmp_path, plan, name))
    assert documents(root) == {"data/notes.txt": NOTES, "x": "Bergen has fewer."}


def test_one_file_alone_is_one_and_tasks_have_files_of_their_own(tmp_path: Path) -> None:
    root = load_plan(place(tmp_path, "goal: g\ntasks: [{task: a, attachments: data/notes.txt}]"))
    assert documents(root.find("0.1")) == {"data/notes.txt": NOTES}


AT_FOLDER = "; the paths of a plan start at its folder"


@pytest.mark.parametrize(
    ("entries", "place_and_message"),
    [
        ("[nowhere.txt]", f"2:15: {{}}/nowhere.txt cannot be read: No such file or directory{AT_FOLDER}"),
        ("[data]", f"2:15: {{}}/data is a folder; name the text files in it{AT_FOLDER}"),
        (
            "[data/bytes.bin]",
            f"2:15: {{}}/data/bytes.bin is not text in UTF-8 (byte 2 is 0xff); convert it first{AT_FOLDER}",
        ),
        (
            "[data/notes.txt, {name: data/notes.txt, text: a}]",
            "2:31: data/notes.txt is attached twice; rename one",
        ),
        ('["a\\0b"]', "2:15: 'a\\x00b' is not a file path"),
    ],
)
def test_what_cannot_be_attached_is_a_finding_with_its_place(
    tmp_path: Path, entries: str, place_and_message: str
) -> None:
    path = place(tmp_path, f"goal: g\nattachments: {entries}\n")
    where, _, message = place_and_message.format(path.parent).partition(": ")
    ((line, column, said),) = lint_plan(path)
    assert (f"{line}:{column}", said) == (where, f"task 0: attachments: {message}")
    with pytest.raises(DocumentError, match=rf"plan\.yaml:{where}: task 0: attachments: "):
        load_plan(path)


def test_documents_that_are_written_out_may_have_one_name() -> None:
    twins = [Material(name="a", text="one"), Material(name="a", text="two")]
    root = read_plan(write_plan(Task(content="g", id="0", attachments=twins)), source="plan")
    assert list(root.attachments) == twins


def test_text_that_is_in_no_folder_attaches_no_files() -> None:
    with pytest.raises(DocumentError, match=r"notes\.txt names a file, but this text is in no folder"):
        read_plan("goal: g\nattachments: [notes.txt]", source="plan")


def test_a_plan_that_is_saved_keeps_its_paths(tmp_path: Path) -> None:
    path = place(tmp_path)
    root = load_plan(path)
    root.content = "How many live in Oslo?"
    save_plan(root, path)
    assert path.read_text(encoding="utf-8") == PLAN.replace("there", "in Oslo")


def test_a_resumed_run_has_the_contents_that_the_files_had(tmp_path: Path) -> None:
    path = place(tmp_path)
    model = ScriptedModel(["<failed reason='impossible'>no</failed>", "<result>700,000</result>"])
    run = Executor(model, store=tmp_path / "runs.db").run(load_plan(path))
    (path.parent / "data" / "notes.txt").unlink()
    again = Executor.resume(tmp_path / "runs.db", run.id, agent=model, retry_failed=True)
    assert again.result == "700,000"
    assert NOTES in model.requests[-1].messages[-1]["content"]


def test_run_attaches_files_to_the_goal_of_a_plan(ramify: Ramify, home: Path) -> None:
    (home / "more.md").write_text(NOTES, encoding="utf-8")
    (home / "plan.md").write_text("# 1+1\n", encoding="utf-8")
    assert ramify("run", "--model", "rules", "plan.md", "-f", "more.md").code == 0
    (task,) = json.loads(ramify("show", "--last", "--json").out)["tasks"]
    assert task["attachments"] == [{"name": "more.md", "text": NOTES}]


def test_a_file_that_the_plan_attaches_already_is_refused(ramify: Ramify, home: Path) -> None:
    (home / "notes.txt").write_text(NOTES, encoding="utf-8")
    (home / "plan.yaml").write_text("goal: g\nattachments: [notes.txt]\n", encoding="utf-8")
    said = ramify("run", "--model", "rules", "plan.yaml", "-f", "notes.txt")
    assert (said.code, said.last_line) == (2, "ramify: error: plan.yaml: notes.txt is attached twice")


def test_an_estimate_counts_the_files_that_a_plan_attaches(ramify: Ramify, home: Path) -> None:
    (home / "notes.txt").write_text(NOTES * 100, encoding="utf-8")
    tokens = {}
    for more in ("", "attachments: [notes.txt]\n"):
        (home / "plan.yaml").write_text(f"goal: g\n{more}", encoding="utf-8")
        said = json.loads(ramify("run", "--model", "gpt-4o-mini", "plan.yaml", "--estimate", "--json").out)
        tokens[more] = said["estimate"]["input_tokens"][0]
    assert max(tokens.values()) - min(tokens.values()) > len(NOTES) * 100 // 6

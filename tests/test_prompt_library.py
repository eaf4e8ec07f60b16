"""Which template is in use, what a broken one says, and the copy that a user starts from."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ramify.prompts import (
    TASK_COMPOSE_PROMPT,
    TASK_DECOMPOSE_PROMPT,
    TASK_EVOLVE_PROMPT,
    DecomposeVariables,
    ExecuteVariables,
    Prompt,
    PromptError,
    PromptLibrary,
)
from ramify.prompts.variables import EvolveVariables, WorkerCard

NONCE = "5eed0123"
TASK = ExecuteVariables(task_id="0", task="Name the capital of Peru.")
SOUND = """{# version: 7-own #}
{% block system %}
Do it. {% block contract %}Reply with text.{% endblock %}
{% endblock %}
{% block user %}
{{ whole(task=task) }}
{% endblock %}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder that holds one template."""

    def make(source: str = SOUND, *, file: str = "execute.j2") -> Path:
        (tmp_path / file).write_text(source, encoding="utf-8")
        return tmp_path

    return make


def test_names_are_the_template_files() -> None:
    library = PromptLibrary()
    files = {path.stem for path in TASK_DECOMPOSE_PROMPT.path.parent.iterdir()}
    assert library.names() == (
        "decompose", "fit", "execute", "tools", "compose", "verify", "replan", "steer", "repair", "evolve",
    )  # fmt: skip
    assert set(library.names()) == files


@pytest.mark.parametrize("name", PromptLibrary().names())
def test_built_in_template_is_sound(name: str) -> None:
    prompt = PromptLibrary().get(name)
    prompt.check()
    assert prompt.is_builtin
    assert prompt.version.isdecimal()
    assert len(prompt.sha256) == 64


@pytest.mark.parametrize(
    ("prompt", "name"),
    [(TASK_DECOMPOSE_PROMPT, "decompose"), (TASK_COMPOSE_PROMPT, "compose"), (TASK_EVOLVE_PROMPT, "evolve")],
)
def test_constants_are_the_built_in_templates(prompt: Prompt, name: str) -> None:
    assert prompt.name == name
    assert prompt.sha256 == PromptLibrary().get(name).sha256


def test_own_template_wins_by_its_name(folder: Callable[..., Path]) -> None:
    library = PromptLibrary(folder())
    prompt = library.render(TASK, nonce=NONCE)
    assert [message["content"] for message in prompt.messages] == [
        "Do it. Reply with text.",
        '<data-5eed0123 kind="task">\nName the capital of Peru.\n</data-5eed0123>',
    ]
    assert (prompt.name, prompt.version) == ("execute", "7-own")
    assert prompt.sha256 == library.get("execute").sha256 != PromptLibrary().get("execute").sha256
    assert not library.get("execute").is_builtin
    assert library.get("decompose").is_builtin


def test_own_contract_is_the_one_that_repair_is_given(folder: Callable[..., Path]) -> None:
    assert PromptLibrary(folder()).contract_of("execute") == "Reply with text."


def test_own_template_may_start_with_a_byte_order_mark(folder: Callable[..., Path]) -> None:
    assert PromptLibrary(folder("\ufeff" + SOUND)).get("execute").version == "7-own"


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        PromptError, match=r"nowhere: the folder of templates cannot be read: No such file or directory; name"
    ):
        PromptLibrary(tmp_path / "nowhere")


def test_file_in_place_of_the_folder_is_refused(folder: Callable[..., Path]) -> None:
    with pytest.raises(PromptError, match="the folder of templates cannot be read"):
        PromptLibrary(folder() / "execute.j2")


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        ("decompse.j2", r"did you mean decompose\.j2\?"),
        ("execute.txt", r"did you mean execute\.j2\?"),
        ("notes.j2", r"there are decompose\.j2, fit\.j2"),
    ],
)
def test_file_that_is_no_template_is_named(folder: Callable[..., Path], file: str, hint: str) -> None:
    with pytest.raises(PromptError, match=f"{file}: is not the file of a template; {hint}"):
        PromptLibrary(folder(file=file))


@pytest.mark.parametrize("file", ["README.md", ".gitignore", "execute.j2~"])
def test_file_that_is_put_aside_is_left_alone(folder: Callable[..., Path], file: str) -> None:
    assert PromptLibrary(folder(file=file)).get("execute").is_builtin


def test_unknown_template_is_refused_with_the_nearest() -> None:
    with pytest.raises(PromptError, match=r"no template 'compos'; did you mean compose\?"):
        PromptLibrary().get("compos")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("task=task", "task=tsk", r'execute\.j2:6: "tsk" is not a name .* "user" may use; did you mean "task"\?'),
        ("task=task", "task=zzz", r"execute\.j2:6: .*the names are: task_id, "),
        ("Do it.", "{{ task }}", r'execute\.j2:3: "task" cannot be used in the block "system"'),
        ("Do it.", "{{ nonce }}", r'execute\.j2:3: "nonce" cannot be used in the block "system"'),
        ("with text", "in {{ language }}", r'execute\.j2:3: "language" cannot be used in the block "contract"'),
        ("Do it.", "{{ range(3) }}", r'execute\.j2:3: "range" is not a name'),
        ("Do it.", "{% if %}", r"execute\.j2:3: "),
        ("Do it.", '{% include "x" %}', r"execute\.j2:3: a template must be one file"),
        ("Do it.", '{% import "x" as y %}', r"execute\.j2:3: a template must be one file"),
        ("block user", "block usr", r"execute\.j2:1: there is no block 'user'"),
        ("{# version: 7-own #}", "{# 7-own #}", r"execute\.j2:1: the first line must declare the version"),
        ("{# version: 7-own #}", "", r"execute\.j2:1: the first line must declare the version"),
    ],
)
def test_broken_template_is_refused_with_its_line(
    folder: Callable[..., Path], old: str, new: str, complaint: str
) -> None:
    with pytest.raises(PromptError, match=complaint) as caught:
        PromptLibrary(folder(SOUND.replace(old, new)))
    assert caught.value.template == "execute"


def test_template_that_is_not_utf8_is_refused(folder: Callable[..., Path]) -> None:
    path = folder()
    (path / "execute.j2").write_bytes(b"\xff\xfe")
    with pytest.raises(PromptError, match=r"execute\.j2: cannot be read"):
        PromptLibrary(path)


@pytest.mark.parametrize(
    "expression",
    [
        "task.no_such",
        "task.__class__",
        "task + 1",
        "''.__class__.__mro__",
        "needs.append(1)",
        "needs[0]",
        "1 // 0",
    ],
)
def test_expression_that_fails_is_refused_with_its_line(folder: Callable[..., Path], expression: str) -> None:
    library = PromptLibrary(folder(SOUND.replace("whole(task=task)", expression)))
    with pytest.raises(PromptError, match=r"execute\.j2:6: \w+Error: "):
        library.render(TASK, nonce=NONCE)


def test_variables_of_another_template_are_refused() -> None:
    with pytest.raises(PromptError, match="template compose takes ComposeVariables, not EvolveVariables"):
        TASK_COMPOSE_PROMPT.render(EvolveVariables(task_id="0", task="Count."), nonce=NONCE)


def test_unknown_variables_are_refused() -> None:
    with pytest.raises(ValueError, match="goall"):
        DecomposeVariables.model_validate({"task_id": "0", "goal": "Count.", "goall": "Count."})


def test_workers_are_listed_in_the_system_message() -> None:
    workers = (WorkerCard(type="sql", description="asks the database {{ goal }}"),)
    variables = DecomposeVariables(task_id="0", goal="Count.", workers=workers)
    assert "- `sql`: asks the database {{ goal }}\n" in PromptLibrary().render(variables, nonce=NONCE).text


def test_copy_is_the_template_in_use_and_can_be_used(tmp_path: Path) -> None:
    copy = PromptLibrary().copy_template("compose", tmp_path / "own" / "prompts")
    assert copy.name == "compose.j2"
    assert PromptLibrary(copy.parent).get("compose").sha256 == TASK_COMPOSE_PROMPT.sha256


def test_copy_overwrites_only_by_force(folder: Callable[..., Path]) -> None:
    path = folder()
    with pytest.raises(PromptError, match=r"execute\.j2: already exists"):
        PromptLibrary().copy_template("execute", path)
    assert (path / "execute.j2").read_text(encoding="utf-8") == SOUND
    PromptLibrary().copy_template("execute", path, force=True)
    assert (path / "execute.j2").read_text(encoding="utf-8") == PromptLibrary().get("execute").source


def test_copy_below_a_file_is_refused(folder: Callable[..., Path]) -> None:
    with pytest.raises(PromptError, match="cannot be written"):
        PromptLibrary().copy_template("execute", folder() / "execute.j2")

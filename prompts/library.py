"""Which templates there are, and whose count: the built-in ones, and a user's folder over them."""

from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from .blocks import DEFAULT_BUDGET
from .errors import PromptError
from .rendered import RenderedPrompt
from .template import SUFFIX, Prompt
from .variables import (
    ComposeVariables,
    DecomposeVariables,
    EvolveVariables,
    ExecuteVariables,
    FitVariables,
    PromptVariables,
    RepairVariables,
    ReplanVariables,
    SteerVariables,
    ToolsVariables,
    VerifyVariables,
)

VARIABLES = MappingProxyType(
    {
        model.template: model
        for model in (
            DecomposeVariables,
            FitVariables,
            ExecuteVariables,
            ToolsVariables,
            ComposeVariables,
            VerifyVariables,
            ReplanVariables,
            SteerVariables,
            RepairVariables,
            EvolveVariables,
        )
    }
)
"""The variables of each template, by its name."""

_BUILT_IN_PROMPTS = {name: Prompt(name, model) for name, model in VARIABLES.items()}  # each is compiled only once

TASK_DECOMPOSE_PROMPT = _BUILT_IN_PROMPTS["decompose"]
TASK_COMPOSE_PROMPT = _BUILT_IN_PROMPTS["compose"]
TASK_EVOLVE_PROMPT = _BUILT_IN_PROMPTS["evolve"]


class PromptLibrary:
    """The built-in templates, with those of a user's folder in their place.

    Args:
        folder: has `decompose.j2` and so on, whichever should differ; None for only the built-in ones.

    Raises:
        PromptError: if the folder is missing, holds a broken template, or a file that is no template's; a README,
            hidden files and subfolders are left alone.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        own = set() if self.folder is None else _overridden(self.folder)
        self._prompts = {
            name: Prompt(name, model, folder=self.folder) if self.folder and name in own else _BUILT_IN_PROMPTS[name]
            for name, model in VARIABLES.items()
        }
        for name in own:
            self._prompts[name].check()

    def names(self) -> tuple[str, ...]:
        """Return the names of the templates, in the order of use."""
        return tuple(self._prompts)

    def get(self, name: str) -> Prompt:
        """Return the template of that name.

        Raises:
            PromptError: if there is none; the message names the nearest.
        """
        if name not in self._prompts:
            raise PromptError(f"there is no template {name!r}; {_hint(name)}", template=name)
        return self._prompts[name]

    def render(self, variables: PromptVariables, *, nonce: str, budget: int = DEFAULT_BUDGET) -> RenderedPrompt:
        """Render the template for `variables`: see `Prompt.render`."""
        return self.get(variables.template).render(variables, nonce=nonce, budget=budget)

    def contract_of(self, name: str, *, as_json: bool = False) -> str:
        """Return the form of reply that this template asks for, for `repair`."""
        return self.get(name).contract(as_json=as_json)

    def copy_template(self, name: str, folder: Path | str, *, force: bool = False) -> Path:
        """Copy the template in use to `folder`, creating it if needed, and return the new file.

        Args:
            name: the template.
            folder: where the copy goes; it can be given to `PromptLibrary` afterwards.
            force: overwrite a file that is there.

        Raises:
            PromptError: if the template is unknown, the file is there, or it cannot be written.
        """
        prompt = self.get(name)
        target = Path(folder) / prompt.path.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("w" if force else "x", encoding="utf-8") as file:
                file.write(prompt.source)
        except OSError as error:
            is_there = isinstance(error, FileExistsError) and target.exists()
            cause = f"cannot be written: {error.strerror or error}; choose another folder"
            message = "already exists; use --force to overwrite it" if is_there else cause
            raise PromptError(message, template=name, path=target) from error
        return target


def _overridden(folder: Path) -> set[str]:
    """Return the names of the templates in `folder`."""
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not _is_aside(path))
    except OSError as error:
        message = f"the folder of templates cannot be read: {error.strerror or error}; name one that can"
        raise PromptError(message, template=None, path=folder) from error
    for path in files:
        if path.suffix != SUFFIX or path.stem not in VARIABLES:
            raise PromptError(f"is not the file of a template; {_hint(path.stem, SUFFIX)}", template=None, path=path)
    return {path.stem for path in files}


def _is_aside(path: Path) -> bool:
    return path.name.startswith((".", "README")) or path.name.endswith("~")


def _hint(name: str, suffix: str = "") -> str:
    near = get_close_matches(name, VARIABLES, 1)
    return f"did you mean {near[0]}{suffix}?" if near else f"there are {', '.join(n + suffix for n in VARIABLES)}"

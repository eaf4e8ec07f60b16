"""What a template is: a file with a version, a system message, a user message, and in one of them the reply's contract.

The first line is `{# version: 1 #}`. The block `contract` says which form the reply has. The block `system` does not
change from task to task: providers cache a prefix that stays the same. What changes is in the block `user`. A system
message without words is not sent.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .blocks import DEFAULT_BUDGET, Group, Tally, render_data, texts_of
from .errors import PromptError
from .rendered import Message, RenderedPrompt
from .variables import PromptVariables
from .whole_text import whole_text

if TYPE_CHECKING:
    from .jinja import CompiledTemplate

BUILT_IN = Path(__file__).with_name("templates")
"""The folder of the built-in templates."""

SUFFIX = ".j2"

_RUN_WIDE = ("instructions", "workers", "language", "examples", "tools", "is_native", "as_json")
_DATA_NAMES = ("nonce", "data", "whole")


class Prompt:
    """A prompt template, loaded and checked on first use.

    Attributes:
        name: its name, which is also the purpose of its calls.
        model: the class of its variables.
        path: its file.
    """

    def __init__(self, name: str, model: type[PromptVariables], *, folder: Path = BUILT_IN) -> None:
        self.name = name
        self.model = model
        self.path = folder / f"{name}{SUFFIX}"

    def __repr__(self) -> str:
        return f"Prompt({self.name!r}, path={str(self.path)!r})"

    @property
    def is_builtin(self) -> bool:
        """Whether it comes with Ramify."""
        return self.path.parent == BUILT_IN

    @cached_property
    def source(self) -> str:
        """The file's text.

        Raises:
            PromptError: if the file cannot be read.
        """
        try:
            return self.path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise PromptError(f"cannot be read ({error})", template=self.name, path=self.path) from error

    @cached_property
    def sha256(self) -> str:
        """The hash of the source."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @cached_property
    def version(self) -> str:
        """The version that the first line declares.

        Raises:
            PromptError: if it declares none.
        """
        match self.source.partition("\n")[0].split():
            case ["{#", "version:", version, *_, "#}"]:
                return version
        raise PromptError(
            'the first line must declare the version, such as "{# version: 1 #}"',
            template=self.name,
            path=self.path,
            line=1,
        )

    def contract(self, *, as_json: bool = False) -> str:
        """Return the form that it asks for, in the prompt's words.

        Raises:
            PromptError: if the template is broken.
        """
        return self._compiled.render_block("contract", {"as_json": as_json})

    def check(self) -> None:
        """Raise `PromptError` if the file is unreadable, has no version, or is not a valid template."""
        _ = self.version, self._compiled

    def render(self, variables: PromptVariables, *, nonce: str, budget: int = DEFAULT_BUDGET) -> RenderedPrompt:
        """Return the messages for `variables`.

        Args:
            variables: what the prompt is about; of the class `model`.
            nonce: what delimits the data; from `make_nonce`.
            budget: the most characters of supporting data, which is all data but the task itself.

        Raises:
            PromptError: if the template is broken or makes too much, the variables are another template's, or the
                nonce occurs in them.
        """
        given = self._check_variables(variables, nonce)
        fields = self._fields(variables)
        system = {name: fields[name] for name in _RUN_WIDE if name in fields}
        tally = Tally()
        contents = {
            "system": self._compiled.render_block("system", system, given=given),
            "user": self._compiled.render_block("user", fields | _data_names(nonce, budget, tally), given=given),
        }
        messages = tuple(Message(role=role, content=whole_text(content)) for role, content in contents.items())
        return RenderedPrompt(
            self.name, messages, variables, self.version, self.sha256, nonce, tally.shown, tally.given
        )

    def render_part(self, part: str, variables: PromptVariables, *, nonce: str, budget: int = DEFAULT_BUDGET) -> str:
        """Return one of the template's extra parts; arguments and errors as for `render`."""
        given = self._check_variables(variables, nonce)
        return self._compiled.render_block(part, self._fields(variables) | _data_names(nonce, budget), given=given)

    def _fields(self, variables: PromptVariables) -> dict[str, Any]:
        return {name: getattr(variables, name) for name in self.model.model_fields}

    def _check_variables(self, variables: PromptVariables, nonce: str) -> int:
        """Make sure that the template can be filled in with `variables`; return how many characters they have."""
        if not isinstance(variables, self.model):
            wanted, given = self.model.__name__, type(variables).__name__
            raise PromptError(f"template {self.name} takes {wanted}, not {given}", template=self.name)
        texts = "\0".join(texts_of(variables))
        if nonce in texts:
            raise PromptError(
                f"task {variables.task_id}: the nonce {nonce!r} occurs in the data of {self.name}, so it cannot delimit"
                " them; make one with make_nonce(..., data=texts_of(variables))",
                template=self.name,
            )
        return len(texts)

    @cached_property
    def _compiled(self) -> "CompiledTemplate":
        from .jinja import CompiledTemplate

        fields = tuple(self.model.model_fields)
        names = {
            "contract": ("as_json",),
            "system": tuple(name for name in _RUN_WIDE if name in fields),
            **dict.fromkeys(("user", *self.model.parts), fields + _DATA_NAMES),
        }
        return CompiledTemplate(
            self.source, path=self.path, name=self.name, names=names, is_bounded=not self.is_builtin
        )


def _data_names(nonce: str, budget: int, tally: Tally | None = None) -> dict[str, Any]:
    """Return what a user message may use beside its variables."""

    def data(**groups: Group) -> str:
        return render_data(groups, nonce=nonce, budget=budget, tally=tally)

    def whole(**groups: Group) -> str:
        return render_data(groups, nonce=nonce, budget=None)

    return {"nonce": nonce, "data": data, "whole": whole}

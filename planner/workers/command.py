"""The `subprocess` worker: runs a command in the task's own folder, within limits, in a sandbox if that is asked."""

import os
from copy import copy
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from ramify.planner.engines.sending import done_on, order_for, place_of
from ramify.planner.engines.table import EngineGiven, engine_class
from ramify.planner.errors import CommandError, UsageError, WorkFailedError
from ramify.planner.processes import CommandLimits, Finished, Sandbox, run_command
from ramify.planner.work.context import WorkContext
from ramify.planner.work.grants import SECRET
from ramify.planner.work.inputs import read_inputs
from ramify.planner.work.protocol import Outcome
from ramify.tasks import Task
from ramify.tasks.json_text import json_text
from ramify.tasks.prompt_variables import input_data

from .lists import ListWorker

SUBPROCESS, SHELL = "subprocess", "shell"
"""The permissions to run commands, and to have them read by a shell."""

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""What a command gets of Ramify's own environment; `HOME` is its folder."""

KEY_VARIABLE = "RAMIFY_IDEMPOTENCY_KEY"
"""What names to others what a command does, so that they do it once."""

_SHELL_PROGRAM = "/bin/sh"
_SANDBOX_OFF, _BUBBLEWRAP = "off", "bubblewrap"


class CommandInputs(BaseModel):
    """What a `subprocess` task takes.

    Attributes:
        command: the program and its arguments, as a list; or one text, with `shell`.
        shell: whether a shell reads the command; that takes the permission `shell` too.
        stdin: what it reads from standard input. Without it, it reads the results of the tasks that it needs, as a
            JSON object by id; nothing, if it needs none.
        env: variables of its environment, besides the few that it gets.
        secrets: secrets that it gets as variables of the same name; each takes the permission `secret:NAME`.
        sandbox: "bubblewrap", or "off".
        network: whether it has a network in the sandbox; that takes the permission `network` too.
        reads: files and folders that it can read in the sandbox.
        ok_codes: the exit codes that mean success.
        may_repeat: whether it can be run again if nobody knows whether it was done, as Ramify was killed in its middle;
            "with_key" if what it does is done once for one RAMIFY_IDEMPOTENCY_KEY, a variable that every command gets.
        max_output_bytes: the most that it may write to standard output.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str | tuple[str, ...]
    shell: bool = False
    stdin: str | None = None
    env: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    sandbox: Literal["bubblewrap", "off"] = "off"
    network: bool = False
    reads: tuple[str, ...] = ()
    ok_codes: tuple[int, ...] = (0,)
    may_repeat: bool | Literal["with_key"] = True
    max_output_bytes: Annotated[int, Field(ge=1)] = 10_000_000


class CommandWorker(ListWorker):
    """Runs commands; see `CommandInputs`."""

    about = "runs a program on this machine and returns its output"
    permissions = frozenset({SUBPROCESS})
    keeps = frozenset({"max_memory_mb"})
    inputs = CommandInputs
    engine: EngineGiven = "here"

    def placed(self, engine: EngineGiven) -> "CommandWorker":
        """Return the worker as it is in a run whose programs are run on `engine`, if it takes programs."""
        if not engine_class(engine).takes_programs:
            return self
        there = copy(self)
        there.engine = engine
        return there

    def needs(self, task: Task) -> frozenset[str]:
        """Return the permissions that the inputs of `task` make necessary."""
        return self.permissions | _needs(input_data(task))

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Run the command.

        Raises:
            NotAllowedError: if the inputs, as they are now, take a permission that is not granted.
            CommandError: if it failed, or was ended for what it took.
            UsageError: if it cannot be started, or the sandbox cannot be had.
        """
        context.services.grants.check(task, self.permissions | _needs(context.inputs))
        inputs = read_inputs(CommandInputs, context.inputs, task, worker="subprocess")
        words = _words(inputs, task)
        stdin = _stdin(inputs, context)
        given: JsonValue = {"command": [*words], "stdin": stdin, "env": {**inputs.env}, "sandbox": inputs.sandbox}
        run = partial(run_program, words, stdin, inputs, context)
        if self.engine != "here":
            run = partial(self._run_there, words, stdin, inputs, context)
        data: Any = await context.step("run", run, given=given, may_repeat=inputs.may_repeat)
        if not isinstance(data, dict) or "stdout" not in data:  # a person has said what came of it
            return Outcome(data if isinstance(data, str) else json_text(data), None if isinstance(data, str) else data)
        return Outcome(data["stdout"].strip() or f"exit code {data['exit_code']}, no output", data)

    async def _run_there(
        self, words: list[str], stdin: str, inputs: CommandInputs, context: WorkContext
    ) -> dict[str, Any]:
        """Do as `run_program` does, where the engine is."""
        sent = {"words": words, "stdin": stdin, "inputs": inputs.model_dump(mode="json")}
        is_once = inputs.may_repeat is False
        order = order_for(place_of(run_program), "subprocess", context, inputs=sent, is_once=is_once)
        data: dict[str, Any] = await done_on(
            self.engine, order, context, partial(run_program, words, stdin, inputs, context)
        )
        return data


async def run_program(words: list[str], stdin: str, inputs: CommandInputs, context: WorkContext) -> dict[str, Any]:
    """Run a program in the folder of its task, on whatever machine this is, and return how it ended.

    Raises:
        CommandError: if it failed, or was ended for what it took.
        UsageError: if it cannot be started.
    """
    folder = str(context.storage)
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - as short as can be; on a machine with its own disks it is new
    command = words
    if inputs.sandbox == _BUBBLEWRAP:
        command = Sandbox(has_network=inputs.network, reads=inputs.reads).wrap(words, cwd=folder)
    context.emit("command_started", command=words[0], sandbox=inputs.sandbox)
    limits = CommandLimits(max_memory_mb=context.config.max_memory_mb, max_output_bytes=inputs.max_output_bytes)
    env = _environment(inputs, context, folder)
    try:
        done = await run_command(command, cwd=folder, env=env, stdin=stdin.encode(), limits=limits)
    except UsageError as error:
        error.is_unknown = False  # it was not started
        raise
    if done.exit_code not in inputs.ok_codes:
        raise _failed(words, done)
    return {**done.to_data(), "sandbox": inputs.sandbox}


def _needs(inputs: dict[str, Any]) -> frozenset[str]:
    """Return what inputs take, before it is known whether they are right."""
    secrets = inputs.get("secrets")
    named = {f"{SECRET}:{name}" for name in secrets if isinstance(name, str)} if isinstance(secrets, list) else set()
    also = {permission for key, permission in (("shell", SHELL), ("network", "network")) if inputs.get(key)}
    return frozenset({*named, *also})


def _words(inputs: CommandInputs, task: Task) -> list[str]:
    command = inputs.command
    if isinstance(command, str):
        if not inputs.shell:
            raise WorkFailedError(
                f"the command of task {task.id} is a string; use a list such as ['ls', '-l'], or set shell: true,"
                " which needs the permission shell",
                task_id=task.id,
            )
        return [_SHELL_PROGRAM, "-c", command]
    if inputs.shell or not command or not command[0]:
        raise WorkFailedError(
            f"the command of task {task.id} is not a list with a program, or is a list for a shell, which needs a"
            " string",
            task_id=task.id,
        )
    return list(command)


def _stdin(inputs: CommandInputs, context: WorkContext) -> str:
    if inputs.stdin is not None:
        return inputs.stdin
    return json_text(results) if (results := context.results) else ""


def _environment(inputs: CommandInputs, context: WorkContext, folder: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    secrets = {name: context.secret(name) for name in inputs.secrets}
    return {**kept, "HOME": folder, KEY_VARIABLE: context.idempotency_key, **inputs.env, **secrets}


def _failed(words: list[str], done: Finished) -> CommandError:
    ended = f"was killed by signal {-done.exit_code}" if done.exit_code < 0 else f"exited with code {done.exit_code}"
    said = f":\n{done.error_tail}" if done.error_tail else ", and wrote nothing to standard error"
    return CommandError(f"the command {words[0]!r} {ended}{said}", may_pass=True, exit_code=done.exit_code)

"""`solve`, `decompose`, `run`, `resume` and `fork`: the commands that make or carry on a run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from ramify.planner.settings.options import OPTIONS, Group

from .flags import EDITED, PREVIEWS, RESUMED, SHOWN, Force, Last, RunId, flags, output_option, takes

if TYPE_CHECKING:
    from ramify.planner.executor import Executor
    from ramify.planner.run import Run
    from ramify.tasks import Task
    from ramify.tasks.plans.plans import Form

    from .approving import Opener

Goal = Annotated[str | None, typer.Argument(metavar="GOAL", help="The goal; - reads it from standard input.")]
Files = Annotated[list[str] | None, typer.Option("--file", "-f", metavar="FILE", help="A file to attach; repeatable.")]
_RUN: tuple[Group, ...] = ("limits", "running", "store", "working", "reusing")
PlanOutput = Annotated[Path | None, output_option("The file for the plan: .yaml, .json or .md.")]


@takes(*flags("asking", "agents", "voting", "planning", *_RUN), "record", *SHOWN, "detach", *PREVIEWS, "as_json")
def solve(
    given: Mapping[str, Any],
    *,
    goal: Goal = None,
    files: Files = None,
    check: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=VALUE",
            help="A check of the answer: matches=REGEX, schema=FILE, command=..., verify=...; repeatable.",
        ),
    ] = None,
    approve: Annotated[Literal["plan"] | None, typer.Option(help="Show the plan and ask before running it.")] = None,
) -> int:
    """Plan a goal, run the plan, and print the answer.

    Example: ramify solve "Compare Oslo and Bergen" --model gpt-5-mini
    """
    from .output import until_stored

    with until_stored():
        from ramify.planner.api import prepare
        from ramify.planner.errors import UsageError

        from .asking import person_there
        from .carrying import carry
        from .check_flags import checks_given
        from .detaching import check_detach, detached
        from .goals import read_goal

        check_detach(given, approve=approve)
        if approve is not None and (given["dry_run"] or given["estimate"]):
            option = "--dry-run" if given["dry_run"] else "--estimate"
            raise UsageError(f"{option} runs nothing, so there is nothing to approve; leave out --approve")
        executor, root = prepare(
            read_goal(goal),
            files=files or (),
            check=list(checks_given(check or ())),
            record=given["record"],
            **person_there(),
            **keywords_given(given),
        )
        is_preview = given["dry_run"] or given["estimate"]
        run = executor.new_run(root, plan_only=is_preview or approve is not None)
    if given["detach"]:
        return detached(run, given)
    code = carry(run, given)
    if is_preview and run.is_planned:
        return _preview(run, executor, given)
    if approve is not None:
        run, code = _approved(executor, run, code, given)
    return _finish(run, code, given)


@takes(*flags("asking", "agents", "planning", "limits", "store", "working"), *SHOWN)
def decompose(
    given: Mapping[str, Any],
    *,
    goal: Goal = None,
    files: Files = None,
    output: PlanOutput = None,
    force: Force = False,
) -> int:
    """Plan a goal, and print or save the plan.

    `ramify run FILE` runs it.

    Example: ramify decompose "Compare Oslo and Bergen" -o plan.yaml
    """
    from .output import print_exact, tell, until_stored

    with until_stored():
        from ramify.planner.api import prepare
        from ramify.planner.runtime.output_files import check_new, write_text
        from ramify.tasks.plans.plans import write_plan

        from .asking import person_there
        from .carrying import carry, tell_ending
        from .exits import DONE
        from .goals import read_goal

        form = _plan_form(output)
        check_new(output, force=force)
        executor, root = prepare(read_goal(goal), files=files or (), **person_there(), **keywords_given(given))
        run = executor.new_run(root, plan_only=True)
    code = carry(run, given)
    if not run.is_planned:
        tell_ending(run, code, given["store"])
        return code
    plan = write_plan(run.task, form)
    if output is None:
        print_exact(plan)
        tell(f"`ramify resume {run.id}` runs this plan; to edit it first, save it with -o FILE")
    else:
        write_text(output, plan)
        tell(f"the plan is in {output}; run it with `ramify run {output}`")
    return DONE


@takes(*flags("asking", "agents", "voting", "planning", *_RUN), "record", *SHOWN, "detach", *PREVIEWS, "as_json")
def run(
    given: Mapping[str, Any],
    *,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan: .yaml, .json, .md, or a script: .py.")],
    files: Files = None,
) -> int:
    """Run a plan file or a script, and print the answer.

    Tasks are not split further unless you set `--policy`, or `policy` in a task's config.

    Example: ramify run plan.yaml --jobs 4 -f notes.txt
    """
    from .output import until_stored

    with until_stored():
        from ramify.planner.api import executor_of, plan_limits, with_config
        from ramify.planner.errors import UsageError
        from ramify.planner.settings.settings import load_settings
        from ramify.tasks.plans.plans import load_plan

        from .asking import person_there
        from .carrying import carry
        from .detaching import check_detach, detached

        check_detach(given)
        is_preview = given["dry_run"] or given["estimate"]
        for name in ("record", "events") if is_preview else ():
            if given[name] is not None:
                option = "--dry-run" if given["dry_run"] else "--estimate"
                raise UsageError(f"{option} makes no calls for a plan file; leave out --{name}")
        settings = load_settings(**settings_given(given))
        if plan.suffix == ".py":
            from .scripting import script_run

            new = script_run(plan, settings, given, files or ())
        else:
            root = with_config(load_plan(plan, files=files or ()), settings)
            _check_planning(root, given)
            limits = plan_limits(settings, policy=given["policy"] or "direct") if given_of(given, "planning") else None
            executor = executor_of(settings, plan=limits, record=given["record"], **person_there())
            if is_preview:
                from .exits import DONE
                from .previewing import print_preview

                executor.check(root)
                print_preview(root, executor, given)
                return DONE
            new = executor.new_run(root)
    if given["detach"]:
        return detached(new, given)
    return _finish(new, carry(new, given), given)


@takes(*EDITED, "model", *RESUMED, "store", "record", *SHOWN, "detach", "as_json")
def resume(given: Mapping[str, Any], *, run_id: RunId = None, last: Last = False) -> int:
    """Continue a run.

    Finished tasks do not run again unless they depend on a change.

    Example: ramify resume --last --retry-failed
    """
    from ramify.planner.executor import Executor

    return _carried(Executor.reopen, given, run_id, last=last)


@takes(*EDITED, "model", *RESUMED, "store", "record", *SHOWN, "detach", "as_json")
def fork(given: Mapping[str, Any], *, run_id: RunId = None, last: Last = False) -> int:
    """Continue a copy of a run, and keep the original.

    The copy shares everything finished. `ramify compare` shows both.

    Examples: ramify fork r12 --from 0.2 --model gpt-5; ramify fork --last --set "0.2=Describe Oslo"
    """
    from ramify.planner.executor import Executor

    return _carried(Executor.new_fork, given, run_id, last=last)


COMMANDS = {"solve": solve, "decompose": decompose, "run": run, "resume": resume, "fork": fork}


def _carried(make: "Callable[..., Run]", given: Mapping[str, Any], run_id: str | None, *, last: bool) -> int:
    """Carry a stored run on, or a fork of it, as `make` makes it ready, with what is different in its plan."""
    from dataclasses import replace

    from ramify.planner.errors import UsageError

    from .asking import person_there
    from .carrying import carry
    from .detaching import check_detach, detached
    from .finding import opened_run
    from .plan_options import edit_of, results_of

    check_detach(given, approve=given["approve"])
    if given["approve"] is not None and given["steer"] is None:
        raise UsageError("--approve needs --steer; leave it out")
    edit = edit_of(
        given["plan"], contents=given["contents"] or (), results=given["results"] or (), again=given["again"] or ()
    )
    with opened_run(run_id, last=last, store=given["store"]) as (_, record):
        found = record.id
    kept: dict[str, Any] = {"record": given["record"], **person_there()}  # all else is stored by then
    stored = make(
        given["store"],
        found,
        agent=given["model"],
        retry_failed=given["retry_failed"],
        accept_changes=given["accept_changes"],
        answer=given["answer"],
        step_done=results_of(given["step_done"] or ()),
        step_again=given["step_again"] or (),
        edit=replace(edit, steer=given["steer"], waits=given["approve"] is not None),
        **kept,
        **{OPTIONS[name].stored_as: given[name] for name in RESUMED},
    )
    if given["detach"]:
        return detached(stored, given)
    code = carry(stored, given)
    if given["approve"] is not None:
        from .approving import Steered

        stored, code = _approved(Steered(given["store"], **kept), stored, code, given)
    return _finish(stored, code, given)


def _approved(opener: "Opener", run: "Run", code: int, given: Mapping[str, Any]) -> tuple["Run", int]:
    """Show the plan of a run until somebody lets it be run, or nobody does; return what came of it, with the code."""
    from .approving import approved_run
    from .carrying import carry

    while run.is_planned and (approved := approved_run(opener, run, given["store"])) is not None:
        run, code = approved, carry(approved, given)
    return run, code


def _finish(run: "Run", code: int, given: Mapping[str, Any]) -> int:
    """Print the answer of a run, or why there is none, and return its exit code."""
    from ramify.planner.events.losses import losses_text
    from ramify.tasks.gaps import told_gaps

    from .carrying import tell_ending
    from .exits import DONE, PARTIAL
    from .output import print_exact, print_json, tell

    is_answered = code in {DONE, PARTIAL}
    if given["as_json"]:
        print_json({"result": run.task.result if is_answered else None, "gaps": run.gaps, **run.to_data()})
    elif is_answered:
        print_exact(run.task.result)
        for kind, gap in told_gaps(run.gaps):
            tell(f"{kind}: {gap}")
    if words := losses_text(run.losses):
        tell(f"warning: {words}; attach less, or use a model with a larger window")
    tell_ending(run, code, given["store"])
    return code


def _preview(run: "Run", executor: "Executor", given: Mapping[str, Any]) -> int:
    """Show the plan that a run has made and stopped at."""
    from .carrying import resume_command
    from .exits import DONE
    from .output import tell
    from .previewing import print_preview

    print_preview(run.task, executor, given, run.methods)
    tell(f"nothing was run; `{resume_command(run.id, given['store'])}` runs this plan")
    return DONE


def _plan_form(output: Path | None) -> "Form":
    """Return how a plan is written to a file; `UsageError` if its ending names no form."""
    from ramify.planner.runtime.output_files import format_named_by
    from ramify.tasks.plans.plans import ENDINGS

    if output is None or not output.suffix:
        return "yaml"
    return format_named_by(output, ENDINGS, what="plan", otherwise="")


def _check_planning(root: "Task", given: Mapping[str, Any]) -> None:
    """Refuse what is said of how a plan file is split, where nothing is, and a limit that it breaks as it stands."""
    from ramify.planner.api import refuse_unused
    from ramify.planner.errors import UsageError
    from ramify.planner.planning.policies import names_policies

    if given["policy"] in {None, "direct"} and not names_policies(root):
        names = ("split", "max_depth", "max_children", "methods")
        if given["policy"]:
            refuse_unused(given, names, "policy is 'direct'")
        refuse_unused(given, names, "the plan is run as it is", "leave it out, or choose a policy that splits tasks")
    count, most = sum(1 for _ in root.walk()), given["max_tasks"]
    if most is not None and count > most:
        raise UsageError(f"the plan has {count:,} tasks, more than max_tasks = {most:,}; raise it or leave it out")


def given_of(given: Mapping[str, Any], group: Group) -> bool:
    """Return whether one of the options of a group was given."""
    return any(given[name] is not None for name in flags(group))


def settings_given(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that are settings."""
    settings = {name: value for name, value in given.items() if name in OPTIONS}
    if settings.get("agents") is not None:
        from ramify.planner.workers.agents import agents_file, read_agents

        path = settings["agents"]
        settings["agents"] = agents_file(path)
        read_agents(settings["agents"], source=str(path))  # refuses here, where the file is known
    return settings


def keywords_given(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that are settings, as `solve` takes them."""
    keywords = settings_given(given)
    if keywords.get("agents") is not None:
        from ramify.planner.workers.agents import read_agents

        keywords["agents"] = read_agents(keywords["agents"], source=str(given["agents"]))
    return keywords

"""Draw the picture of the live page in the README: a run in the middle, whose replies are scripted, as the page says.

python -m tests.live_picture docs/images/live.png
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Final

from ramify.planner import Executor, PlanLimits
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.serving import serve
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .readers import chromium

GOAL: Final = "Plan five days in Norway for a family of four, by train"

PLANS: Final[Mapping[str, str]] = {
    "0": "<task>Compare the ways from Oslo to Bergen and back</task>"
    "<task>Find places to stay in Oslo, Flåm and Bergen</task>"
    "<task needs='1,2'>Plan each of the five days</task>"
    "<task needs='1,2'>Add up the cost and compare it with the budget</task>",
    "0.1": "<task>Look up trains on the Bergen line</task>"
    "<task>Look up the Flåm railway and the ferry</task>"
    "<task needs='1,2'>Choose the way there and the way back</task>",
    "0.2": "<task>Two nights in Oslo near the station</task>"
    "<task>One night in Flåm</task>"
    "<task>Two nights in Bergen near the harbour</task>",
}
"""Which tasks are split, and into what; all others are done as they are."""

RESULTS: Final[Mapping[str, str]] = {
    "0.1.1": "Oslo to Bergen takes about seven hours. Four trains a day have family seats; the morning train has the"
    " best views.",
    "0.1.2": "The Flåm railway takes one hour down from Myrdal. The ferry through the Nærøyfjord takes two more. Both"
    " can be booked together with the train.",
    "0.2.1": "A family room five minutes from the station, with breakfast and a kitchen on each floor.",
}
"""What has come of the tasks that are done in the picture."""

_THINKING_S: Final = 0.4
_SIZE: Final = {"width": 1170, "height": 980}


def draw(path: Path) -> None:
    """Run the plan until only what the picture shows as running is left, and take the picture."""
    is_drawn = Event()

    async def reply(request: ModelRequest) -> str:
        await asyncio.sleep(_THINKING_S)
        if request.purpose == "decompose":
            return PLANS.get(request.task_id, "<atomic/>")
        while request.task_id not in RESULTS and not is_drawn.is_set():
            await asyncio.sleep(_THINKING_S / 4)
        return f"<result>{RESULTS.get(request.task_id, 'nothing')}</result>"

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "runs.db"
        model = ScriptedModel(reply, name="scripted", cost_usd=0.0021)
        run = Executor(model, plan=PlanLimits(max_depth=3), store=store).start(Task(content=GOAL, id="0"))
        with serve(store, port=0, show=False) as served, chromium() as browser:
            page = browser.new_page(viewport={**_SIZE}, color_scheme="light")  # type: ignore[arg-type]
            page.goto(served.url)
            page.goto(f"{served.url.partition('/?')[0]}/runs/{run.id}#task=0.1.1")
            page.locator(".chip.DONE", has_text=f"{len(RESULTS)}").wait_for()
            page.locator(".chip.RUNNING", has_text="3").wait_for()
            page.locator("#detail", has_text="seven hours").wait_for()
            page.evaluate(_SHARED)
            page.screenshot(path=path, animations="disabled")
        is_drawn.set()
        run.wait()


_SHARED: Final = """
for (const each of document.querySelectorAll("#facts dd"))
  if (each.textContent.startsWith("process ")) each.textContent = "process 4711 on laptop";
document.activeElement.blur();
"""
"""Leaves out whose machine the picture was made on."""


if __name__ == "__main__":
    draw(Path(sys.argv[1]))

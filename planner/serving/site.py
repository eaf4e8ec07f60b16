"""The site: which address gives what. It knows of no port, no token and no browser.

/                              the list of runs
/runs/RUN                      one run; `#task=ID` is one of its tasks
/page/FILE                     scripts and the style
/api/events                    the list as it changes, as server-sent events
/api/runs/RUN/events           a run as it changes
/api/runs/RUN/task?id=ID       all that is known of a task
/api/runs/RUN/search?words=..  the tasks in whose results and messages words stand
/api/runs/RUN/plans            the versions of its plan
/api/runs/RUN/graph.svg        a picture, in a `theme`; and timeline.svg
/api/runs/RUN/report.html      the report, as a file
/api/runs/RUN/members          the runs that are members of a study or sweep
/api/runs/RUN/study            what a study has found so far
/api/runs/RUN/study/PLOT.svg   a picture of that, in a `theme`
/api/runs/RUN/study.html       the page of a study, as a file
/api/runs/RUN/acts/ACT         posted: something is done to it
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from ramify.planner.errors import LeaseError, RunError, UsageError
from ramify.planner.export.look import THEMES, ThemeName
from ramify.planner.export.report.content import report_of
from ramify.planner.export.report.page import to_html
from ramify.planner.export.study.plots import plots_of
from ramify.planner.show.versions import TOLD_BY, versions_of
from ramify.planner.store import Store
from ramify.tasks import RamifyError, TreeError
from ramify.tasks.json_text import json_text, read_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from .acts import Acting
from .hub import Hub
from .live import Live
from .live_runs import LiveRun, Picture
from .looking import details_of, member_rows, tasks_with
from .pages import list_page, page_files, run_page
from .studies import STUDY, study_data, study_of

_MOST_BODY: Final = 200_000
_STATUSES: Final[Mapping[type[RamifyError], int]] = {LeaseError: 409, RunError: 404, TreeError: 404, UsageError: 400}


class Site:
    """Answers requests about the runs of a store.

    Args:
        store: an open store.
        acting: does what pages ask for; None if they may only look.
    """

    def __init__(self, store: Store, acting: Acting | None) -> None:
        self._store = store
        self._acting = acting
        self.hub = Hub(store, is_read_only=acting is None)

    def app(self) -> Starlette:
        """Return it as an application."""
        of_run = "/api/runs/{run:str}"
        return Starlette(
            routes=[
                Route("/", _list_page),
                Route("/runs/{run:str}", _run_page),
                Route("/page/{name:str}", _page_file),
                Route("/api/events", self._list_events),
                Route(f"{of_run}/events", self._run_events),
                Route(f"{of_run}/task", self._task),
                Route(f"{of_run}/search", self._search),
                Route(f"{of_run}/plans", self._plans),
                Route(f"{of_run}/graph.svg", self._graph),
                Route(f"{of_run}/timeline.svg", self._timeline),
                Route(f"{of_run}/report.html", self._report),
                Route(f"{of_run}/members", self._members),
                Route(f"{of_run}/study", self._study),
                Route(f"{of_run}/study/{{plot:str}}.svg", self._plot),
                Route(f"{of_run}/study.html", self._study_page),
                Route(f"{of_run}/acts/{{act:str}}", self._act, methods=["POST"]),
            ],
            exception_handlers={RamifyError: _told},
            lifespan=self._living,
        )

    @asynccontextmanager
    async def _living(self, _: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.hub.end()

    async def _list_events(self, request: Request) -> Response:
        return _stream(self.hub.list(), request)

    async def _run_events(self, request: Request) -> Response:
        return _stream(await self._live(request), request)

    async def _task(self, request: Request) -> Response:
        live = await self._live(request)
        return _json(await run_in_threadpool(details_of, self._store, live, request.query_params.get("id", "")))

    async def _search(self, request: Request) -> Response:
        live, words = await self._live(request), request.query_params.get("words", "").strip()
        return _json({"tasks": await run_in_threadpool(tasks_with, self._store, live, words) if words else []})

    async def _plans(self, request: Request) -> Response:
        live = await self._live(request)
        events = await run_in_threadpool(self._store.events_of, live.run.record.id, TOLD_BY)
        return _json({"plans": [version.to_data() for version in versions_of(events)]})

    async def _graph(self, request: Request) -> Response:
        return await self._picture("graph", request)

    async def _timeline(self, request: Request) -> Response:
        return await self._picture("timeline", request)

    async def _picture(self, picture: Picture, request: Request) -> Response:
        live, theme = await self._live(request), _theme(request)
        await asyncio.sleep(live.wait_s(picture))
        words = await run_in_threadpool(live.picture, picture, theme)
        return Response(words, media_type="image/svg+xml")

    async def _report(self, request: Request) -> Response:
        live = await self._live(request)
        run_id = live.run.record.id
        return _file(run_id, await run_in_threadpool(lambda: to_html(report_of(self._store.read_run(run_id)))))

    async def _members(self, request: Request) -> Response:
        record = await run_in_threadpool(self._store.find_run, request.path_params["run"])
        return _json({"runs": await run_in_threadpool(member_rows, self._store, record.id)})

    async def _study(self, request: Request) -> Response:
        live = await self._live(request)
        await asyncio.sleep(live.wait_s(STUDY))
        return _json(await run_in_threadpool(study_data, live))

    async def _plot(self, request: Request) -> Response:
        live, theme, name = await self._live(request), _theme(request), request.path_params["plot"]
        study = await run_in_threadpool(study_of, live)
        plot = next((plot for plot in plots_of(study) if plot.name == name), None)
        if plot is None:
            raise UsageError(f"study {study.run} has no plot {name!r} yet")
        drawn = await run_in_threadpool(live.made, f"{STUDY} {name} {theme}", lambda _: plot.draw(theme))
        return Response(drawn, media_type="image/svg+xml")

    async def _study_page(self, request: Request) -> Response:
        live = await self._live(request)
        study = await run_in_threadpool(study_of, live)
        return _file(study.run, await run_in_threadpool(study.to_html))

    async def _act(self, request: Request) -> Response:
        if self._acting is None:
            return _json({"error": "this page is read-only: it was started with --read-only"}, 403)
        live, given = await self._live(request), await _body(request)
        act = request.path_params["act"]
        try:
            done = await run_in_threadpool(self._acting.perform, live.run.record.id, act, given)
        except RunError as error:  # there is such a run, and that cannot be done to it
            return _json({"error": str(error)}, 409)
        finally:
            live.wake()
        return _json(done)

    async def _live(self, request: Request) -> LiveRun:
        """Return the run that a request is about, by its id or the unique beginning of one.

        Raises:
            RunError: if there is none.
        """
        record = await run_in_threadpool(self._store.find_run, request.path_params["run"])
        live = self.hub.run(record.id)
        await live.seen()
        return live


async def _list_page(_: Request) -> Response:
    return HTMLResponse(list_page())


async def _run_page(_: Request) -> Response:
    return HTMLResponse(run_page())


async def _page_file(request: Request) -> Response:
    found = page_files().get(request.path_params["name"])
    return Response(status_code=404) if found is None else Response(found[0], media_type=found[1])


def _file(run_id: str, page: str) -> Response:
    return HTMLResponse(page, headers={"content-disposition": f'attachment; filename="{run_id}.html"'})


async def _told(_: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 409)
    return _json({"error": str(error)}, status)


def _stream(live: Live, request: Request) -> Response:
    seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
    return StreamingResponse(live.updates(seen), media_type="text/event-stream")


async def _body(request: Request) -> dict[str, Any]:
    """Return what a page says with an act.

    Raises:
        UsageError: if it is no JSON object, or a very large one.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise UsageError("the body of an action is JSON; send it as application/json")
    words = b""
    async for part in request.stream():
        words += part
        if len(words) > _MOST_BODY:
            raise UsageError(f"the body of an action may have at most {_MOST_BODY:,} bytes")
    try:
        given = read_json(words or b"{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise UsageError("the body of an action must be a JSON object")
    return given


def _theme(request: Request) -> ThemeName:
    given = request.query_params.get("theme", "light")
    theme = next((name for name in THEMES if name == given), None)
    if theme is None:
        raise UsageError(f"there is no theme {given!r}; there are {', '.join(THEMES)}")
    return theme


def _json(data: dict[str, Any], status: int = 200) -> Response:
    words = json_text(data, default=str).encode("utf-8", "replace")
    return Response(words, status, media_type="application/json")

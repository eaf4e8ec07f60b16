"""The `http` worker: fetches pages under the task's limits, each in a step of its own, and says what is in them.

What it sends stands in `http_sending.py`.
"""

import re
from collections import deque
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ramify.planner.errors import FetchError, WorkFailedError
from ramify.planner.web import Fetcher, FetchLimits, WebPolicy
from ramify.planner.work.context import WorkContext
from ramify.planner.work.inputs import read_inputs
from ramify.planner.work.pages import FETCH
from ramify.planner.work.protocol import Outcome
from ramify.tasks import Task
from ramify.tasks.json_text import json_text
from ramify.tasks.prompt_variables import input_data

from .http_inputs import HttpInputs, check_sending
from .http_sending import SEND, answer_data, given_of, may_repeat_of, secrets_needed, sending_of
from .lists import ListWorker
from .services import services_of

if TYPE_CHECKING:
    from pydantic import JsonValue

NETWORK = "network"
"""The permission to reach public addresses; `network:HOST:PORT` names a private host that may be reached too."""

_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_AFTER_ADDRESS = ".,;:!?)]}"


class HttpWorker(ListWorker):
    """Fetches pages, and sends requests; see `HttpInputs`."""

    about = "fetches web pages: title, text and links; sends requests"
    permissions = frozenset({NETWORK})
    keeps = frozenset({"max_pages", "allowed_domains", "blocked_domains", "require_https", "user_agent"})
    inputs = HttpInputs

    def needs(self, task: Task) -> frozenset[str]:
        """Return the permissions that the inputs of `task` make necessary."""
        return self.permissions | secrets_needed(input_data(task))

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Fetch the pages that the inputs name, or send what they say.

        Raises:
            RefusedError: if one may not be fetched.
            FetchError: if one could not be.
            LimitError: if more pages are named than `max_pages` allows.
            UnknownStepError: if something may not be sent again, and nobody knows whether it was done.
        """
        context.services.grants.check(task, self.permissions | secrets_needed(context.inputs))
        inputs = read_inputs(HttpInputs, context.inputs, task, worker="http")
        check_sending(inputs, task)
        if inputs.method != "GET":
            return await _Visit(task, context, inputs).send()
        urls = _urls(inputs, task)
        pages = await _Visit(task, context, inputs).fetch(urls)
        is_one = inputs.urls is None and len(urls) == 1 and not inputs.follow
        output: JsonValue = pages[0] if is_one else [*pages]
        return Outcome("\n\n".join(map(_page_text, pages)), output)


class _Visit:
    """The pages of one attempt at one task."""

    def __init__(self, task: Task, context: WorkContext, inputs: HttpInputs) -> None:
        self._task = task
        self._context = context
        self._inputs = inputs
        self._fetcher = Fetcher(
            policy=WebPolicy.of(context.config, private_hosts=context.services.grants.arguments(NETWORK, task)),
            limits=FetchLimits(max_bytes=inputs.max_bytes, timeout_s=inputs.timeout_s),
            obeys_robots=inputs.robots,
            site_rules=services_of(context).site_rules,
        )

    async def send(self) -> Outcome:
        """Send what the inputs say, and return what was answered, now or before."""
        inputs, context = self._inputs, self._context
        secrets = {name: context.secret(name) for name in inputs.secrets}

        async def send() -> dict[str, Any]:
            async with AsyncExitStack() as stack:
                for rate in services_of(context).budget.rates(self._task):
                    await stack.enter_async_context(rate)
                sending = sending_of(inputs, secrets, context.idempotency_key)
                return answer_data(await self._fetcher.send(str(inputs.url), sending))

        said: Any = await context.step(SEND, send, given=given_of(inputs), may_repeat=may_repeat_of(inputs))
        if not isinstance(said, dict) or "status" not in said:  # a person has said what came of it
            return Outcome(said if isinstance(said, str) else json_text(said), None if isinstance(said, str) else said)
        return Outcome(said["text"] or f"{said['url']} answered {said['status']}, and nothing more", said)

    async def fetch(self, urls: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return the pages at `urls`, and those that are followed to from there."""
        pages = [await self._page(url, number, len(urls)) for number, url in enumerate(urls)]
        hosts = {urlsplit(page["url"]).netloc for page in pages}
        known = {page["url"] for page in pages} | set(urls)
        links = deque(_links(pages, hosts, known))
        followed = 0
        while links and followed < self._inputs.follow and services_of(self._context).pages.left(self._task) != 0:
            page = await self._page(links.popleft(), len(urls) + followed, len(urls) + self._inputs.follow, keeps=True)
            links.extend(_links([page], hosts, known))
            pages.append(page)
            followed += 1
        return pages

    async def _page(self, url: str, number: int, of: int, *, keeps: bool = False) -> dict[str, Any]:
        """Return a page as data, or its error in its place if that is wanted and another attempt would not help."""
        context = self._context
        context.progress(number / of, f"fetching {url}")
        try:
            page: dict[str, Any] = await context.step(FETCH, partial(self._counted, url), given=url)
        except FetchError as error:
            is_last = context.attempt > (context.config.max_retries or 0)
            if (keeps or self._inputs.on_error == "keep") and (is_last or not error.may_pass):
                return {"url": url, "error": str(error), "links": []}
            raise
        return page

    async def _counted(self, url: str) -> dict[str, Any]:
        services = services_of(self._context)
        async with AsyncExitStack() as stack:
            for rate in services.budget.rates(self._task):
                await stack.enter_async_context(rate)
            services.pages.check(self._task)
            page = await self._fetcher.fetch(url)
        services.pages.add(self._task)
        return page.to_data()


def _urls(inputs: HttpInputs, task: Task) -> tuple[str, ...]:
    if inputs.url is not None and inputs.urls is not None:
        raise WorkFailedError(f"task {task.id} has both url and urls; leave one out", task_id=task.id)
    if inputs.url is not None:
        return (inputs.url,)
    found = inputs.urls or tuple(found.rstrip(_AFTER_ADDRESS) for found in _ADDRESS.findall(task.content))
    if not found:
        raise WorkFailedError(
            f"task {task.id} has no address: add the input url or urls, or put an address in its content",
            task_id=task.id,
            reason="missing_input",
        )
    return found


def _links(pages: list[dict[str, Any]], hosts: set[str], known: set[str]) -> Iterator[str]:
    """Yield the links of `pages` that lead to one of `hosts` and are not known yet."""
    for page in pages:
        for link in page["links"]:
            if link not in known and urlsplit(link).netloc in hosts:
                known.add(link)
                yield link


def _page_text(page: dict[str, Any]) -> str:
    if "error" in page:
        return f"{page['url']}\n{page['error']}"
    return "\n".join(part for part in (page["title"], page["url"], "", page["text"] or "(no text)") if part is not None)

"""Read a small site under limits and report what it says."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ramify.planner import Executor, WorkContext, worker
from ramify.tasks import Task, TaskConfig


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing about requests."""


@worker
def report(task: Task, context: WorkContext) -> str:
    """List the pages with their first words."""
    pages = context.results["read"]
    lines = [f"- {page['title']}: {page['text'].splitlines()[-1]}" for page in pages if "error" not in page]
    refused = [f"- not read: {page['error'].rpartition('/')[2]}" for page in pages if "error" in page]
    return "\n".join([task.content, *lines, *refused])


site = Path(__file__).parent / "site"
server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"127.0.0.1:{server.server_port}"

root = Task(content="What does the site say about Oslo?", id="0")
read = Task(
    content="Read the site",
    id="read",
    type="http",
    inputs={"url": f"http://{host}/", "follow": 5},
    config=TaskConfig(max_pages=3, user_agent="Ramify example", requests_per_second=50),
)
root.add_subtasks([read, Task(content="Pages about Oslo:", id="report", type="report", dependencies=["read"])])

run = Executor("rules", workers=[report], allow=["network", f"network:{host}"]).run(root)
print(run.task.find("report").result)

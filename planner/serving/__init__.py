"""The live page of a store: a small web server on loopback that shows runs as they go on, and acts on them.

    Site (Starlette) <- Guard (hosts, origins, the token) <- EndingServer (uvicorn)
      LiveRun, LiveList    what pages watch: looked at once, whoever many watch; only differences are sent
      Acting               does what pages ask for; a process of its own goes on with a run

A page reads and writes through the store alone: a run that another process holds is asked, never overwritten. The look
and the parts of the page are those of the report; `page/` holds what is different in it.
"""

from .served import Served, serve

__all__ = ["Served", "serve"]

"""Where functions are called: engines, each of which takes orders, gives what came of them, and says when one is lost.

Knows no single worker, and nothing of the run but its id and how many tasks it does at a time. Begin with `protocol`;
the engines that come with Ramify are `here` and `process`, and `table` finds those of others.
"""

from .protocol import Engine, Home, Order

__all__ = ["Engine", "Home", "Order"]

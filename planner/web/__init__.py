"""Pages from the web, fetched under a policy: which addresses may be reached, how much is read, and what is in it.

Nothing of a page is ever run. No proxy is used, since a proxy would choose the address that is connected to.
"""

from .fetching import Fetcher, FetchLimits, Page, Sending
from .policy import WebPolicy

__all__ = ["FetchLimits", "Fetcher", "Page", "Sending", "WebPolicy"]

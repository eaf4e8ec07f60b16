"""LangGraph as in `langgraph_peer.py`, with the concurrency held by its own `max_concurrency`."""

import langgraph_peer

if __name__ == "__main__":
    langgraph_peer.LIMIT.is_own = True
    langgraph_peer.main()

"""What happens in a run: events, who is told, and the pen that writes states and events in one order.

Knows nothing of models, workers or the loop that makes things happen. Begin with `events`, then `recorder`.
"""

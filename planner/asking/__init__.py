"""Asking a model: agents, the journaled call, budgets, rates, outages, and prompts that fit.

Knows nothing of the run loop, nor of what a worker does with an answer. Begin with `agent`, then `asker`.
"""

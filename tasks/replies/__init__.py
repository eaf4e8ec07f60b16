"""The reply grammar: from a model's words to plans, answers, verdicts and tool calls.

Knows no tree that runs and no model; every text is hostile and read in linear time. Begin with `grammar`.
"""

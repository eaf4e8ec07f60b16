"""Which workers come with Ramify: each stands in the room of its feature, and is imported when a task is for it."""

from collections.abc import Mapping

MODEL = "model"
"""The type of tasks that say nothing."""

BUILT_IN: Mapping[str, str] = {
    MODEL: "workers.model:ModelWorker",
    "embed": "workers.embed:EmbedWorker",
    "evolve": "evolution.worker:EvolveWorker",
    "generate": "workers.texts:GenerateWorker",
    "http": "workers.http:HttpWorker",
    "human": "workers.model:HumanWorker",
    "judgement": "bench.grading:JudgementWorker",
    "list": "workers.lists:ListWorker",
    "prompt": "workers.texts:PromptWorker",
    "rewrite": "workers.texts:RewriteWorker",
    "sample": "bench.work:SampleWorker",
    "strategy": "strategies.work:StrategyWorker",
    "study": "bench.work:StudyWorker",
    "subprocess": "workers.command:CommandWorker",
    "trial": "bench.work:TrialWorker",
    "variation": "strategies.work:VariationWorker",
}
"""The workers that come with Ramify: type -> the module in `ramify.planner`, and a class that takes no arguments."""

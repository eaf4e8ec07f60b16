"""Run the plan `sums.yaml` and save its picture for the README: picture.py FILE."""

import sys
from pathlib import Path

from ramify.planner import Executor
from ramify.tasks.plans.plans import load_plan

run = Executor("rules").run(load_plan(Path(__file__).with_name("sums.yaml")))
Path(sys.argv[1]).write_text(run.to_svg(), encoding="utf-8")

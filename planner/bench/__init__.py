"""Is it worth splitting? A data set through arms, as one stored run: what each gets right, and what that takes."""

from ramify.planner.export.study.study import Study

from .api import abench, bench, open_study, resume_study
from .arms import Arm

__all__ = ["Arm", "Study", "abench", "bench", "open_study", "resume_study"]

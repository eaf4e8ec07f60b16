"""What a check says of one answer."""

from dataclasses import dataclass
from typing import Literal

CheckOutcome = Literal["pass", "fail", "unsure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found.

    Attributes:
        outcome: "unsure" if it could not be settled, which does not count against the answer.
        complaint: what is wrong, in words that can be put to whoever answers; why it is unsure.
    """

    outcome: CheckOutcome
    complaint: str = ""

    @classmethod
    def of(cls, complaint: str) -> "Finding":
        """Return a fail with that complaint, or a pass if there is none."""
        return cls("fail", complaint) if complaint else PASSED


PASSED = Finding("pass")

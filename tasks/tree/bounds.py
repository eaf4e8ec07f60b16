"""How far the limits of tasks go, for those who have to know it before a task is there."""

MOST_AHEAD = 1_000
"""The most for `vote_ahead`: so many questions may be put at the same time."""

SLOWEST_RATE = 1e-5
"""The lowest rate that can be set, in starts a second: a little less than one a day."""

MOST_SECONDS = 1e9
"""The longest that a task can be expected to take, in seconds: thirty years."""

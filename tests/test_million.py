"""The short form of `python -m tests.million`: hundreds of voted, durable steps, a kill in the middle, and no error."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from .million import Setting, apply, errors_in, next_move, run_killed, towers_after


def test_the_towers_are_known_for_every_move() -> None:
    for disks in range(1, 8):
        towers = towers_after(0, disks)
        for number in range(2**disks - 1):
            assert towers == towers_after(number, disks)
            apply(towers, next_move(towers, number, disks))
        assert towers == [[], [], list(range(disks, 0, -1))]


def test_an_unreliable_model_makes_no_error_in_a_voted_run_that_is_killed(tmp_path: Path) -> None:
    setting = Setting(store=tmp_path / "million.db", disks=8, stretch=32, error_rate=0.1)
    killed, ended = run_killed(setting, kills=1)
    known = int(re.findall(r"\d+", killed)[0])
    status, here, before, answers, wrong = re.findall(r"^(\w+)|(\d+)(?= steps| known| answers| wrong)", ended)
    assert status[0] == "done"
    assert 64 <= known == int(before[1])
    assert int(here[1]) + known == setting.moves, "no step that was on disk is taken again"
    assert int(answers[1]) > 3 * int(here[1]), "some votes took more than three answers"
    assert int(wrong[1]) > 5
    assert errors_in(setting) == []
    with closing(sqlite3.connect(setting.store)) as database:
        database.execute("UPDATE ramify_steps SET output = '\"AA\"' WHERE task_id = '0.3' AND key = 'move#7'")
        database.commit()
    assert "task 0.3: the move AA breaks the rules" in errors_in(setting)[0]

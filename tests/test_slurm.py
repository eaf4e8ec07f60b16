"""examples/slurm.sh in a real Slurm of one node on loopback; skipped where Slurm is not installed.

`apt-get install slurm-wlm` is all it takes, and to be root, as Slurm's daemons start jobs for other users; neither
systemd nor control groups are needed.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .documented import ROOT
from .patience import HANG_S, comes_true

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        None in map(shutil.which, ("munged", "slurmctld", "slurmd", "sbatch")),
        reason="Slurm is not installed: apt-get install slurm-wlm",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's daemons start jobs for other users, which takes root"),
]
pytest.importorskip("distributed", reason="Dask is not installed: pip install distributed")

CONFIG = """\
ClusterName=alone
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
KillWait=2
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
"""

PLAN = """\
goal: Two leaves
tasks:
  - id: first
    task: The first
    type: notes
    inputs: {{folder: {folder}}}
  - id: second
    task: The second
    type: waits
    needs: [first]
    inputs: {{folder: {folder}}}
"""

WORKERS = """\
import os
import time
from pathlib import Path

from ramify.planner import worker


@worker
def notes(folder: str) -> str:
    step = ".".join([os.environ["SLURM_JOB_ID"], os.environ["SLURM_STEP_ID"]])
    with Path(folder, "seen").open("a") as seen:
        print(step, file=seen)
    return step


@worker
def waits(folder: str) -> str:
    Path(folder, "waiting").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.05)
    return "gone on"
"""

RUN = ("ramify", "run", "plan.yaml", "--model", "rules", "--workers", "work.py")


class Slurm:
    """A Slurm of one node, a folder of work for it, and how jobs are given to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{folder}/bin:{os.environ['PATH']}"
        self.environment = {**os.environ, "SLURM_CONF": f"{folder}/slurm.conf", "PATH": path}
        self.work = folder / "work"

    def told(self, *command: str) -> str:
        """Return what a command of Slurm's says."""
        done = subprocess.run(
            command, env=self.environment, cwd=self.work, capture_output=True, text=True, check=False, timeout=HANG_S
        )
        return done.stdout.strip()

    def submit(self, *command: str) -> str:
        """Have the script do a command, and return the job's id."""
        options = ("--parsable", "--exclusive", "--output=%j.out")
        return self.told("sbatch", *options, f"{ROOT}/examples/slurm.sh", *command)

    def end(self, job: str) -> str:
        """Return how a job has ended, once it has."""
        ends = re.compile(r"JobState=(COMPLETED|FAILED|CANCELLED|TIMEOUT)\b.* ExitCode=(\S+)")
        said = comes_true(lambda: ends.search(self.told("scontrol", "show", "job", job, "--oneliner")))
        found = ends.search(self.told("scontrol", "show", "job", job, "--oneliner")) if said else None
        return " ".join(found.groups()) if found else "it does not end"

    def printed(self, job: str) -> str:
        return (self.work / f"{job}.out").read_text(encoding="utf-8")

    def seen(self) -> list[str]:
        file = self.work / "seen"
        return file.read_text(encoding="utf-8").split() if file.exists() else []


def free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], other.getsockname()[1]]


def written(folder: Path) -> None:
    """Write what the daemons and the jobs need; the folder's name is short, as it holds a socket."""
    for name in ("state", "spool", "munge", "bin", "work"):
        (folder / name).mkdir(mode=0o755)
    folder.chmod(0o755)  # munged asks for it
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(64))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(CONFIG.format(host=host, folder=folder, ports=free_ports()))
    for name, module in (("dask", "dask"), ("ramify", "ramify.planner.cli")):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        script.chmod(0o755)
    (folder / "work" / "work.py").write_text(WORKERS)
    (folder / "work" / "plan.yaml").write_text(PLAN.format(folder=folder / "work"))


@pytest.fixture(scope="module")
def daemons() -> Iterator[Path]:
    """The folder of a Slurm whose daemons run for as long as these tests."""
    with TemporaryDirectory(prefix="slurm") as name:
        folder = Path(name)
        written(folder)
        munge = [f"--{option}={folder}/munge/{file}" for option, file in MUNGE.items()]
        commands = (["munged", "--foreground", "--force", *munge], ["slurmctld", "-D"], ["slurmd", "-D"])
        started: list[subprocess.Popen[bytes]] = []
        with (folder / "log").open("wb") as log:
            try:
                for command in commands:
                    comes_true((folder / "munge" / "socket").exists) if started else None
                    started.append(
                        subprocess.Popen(command, env=Slurm(folder).environment, stdout=log, stderr=subprocess.STDOUT)
                    )
                assert comes_true(lambda: Slurm(folder).told("sinfo", "-h", "-o", "%T") == "idle"), log.name
                yield folder
            finally:
                for process in reversed(started):
                    process.terminate()
                    process.wait(HANG_S)


MUNGE = {"socket": "socket", "key-file": "key", "log-file": "log", "pid-file": "pid", "seed-file": "seed"}


@pytest.fixture
def slurm(daemons: Path) -> Slurm:
    for name in ("seen", "go", "waiting"):
        (daemons / "work" / name).unlink(missing_ok=True)
    return Slurm(daemons)


def test_a_run_whose_allocation_ends_goes_on_in_another_with_nothing_done_twice(slurm: Slurm) -> None:
    first = slurm.submit(*RUN)
    assert comes_true((slurm.work / "waiting").exists)
    slurm.told("scancel", first)
    assert slurm.end(first).startswith("CANCELLED")
    (slurm.work / "go").touch()
    second = slurm.submit("ramify", "resume", "--last")
    assert slurm.end(second) == "COMPLETED 0:0", slurm.printed(second)
    assert "gone on" in slurm.printed(second)
    assert slurm.seen() == [f"{first}.0"]  # in the step of the workers


def test_a_job_ends_as_its_command_does_and_leaves_no_scheduler_file(slurm: Slurm) -> None:
    job = slurm.submit("sh", "-c", "exit 3")
    assert slurm.end(job) == "FAILED 3:0", slurm.printed(job)
    assert not list(slurm.work.glob("dask-*.json"))

"""Run the benchmarks: Ramify beside its peers, on one machine in one go; writes RESULTS.md and PROFILE.md.

    python benchmarks/run.py [--only CASE,...] [--against 'NAME;...'] [--repeat 3] [--kills 5] [--scale 1]

All contenders are measured in turn, round after round, so that whatever else the machine does meets all of them.
"""

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES, Case, scaled
from contenders import CONTENDERS, HERE, OURS, Contender
from environments import EnvironmentFailedError, python_of, versions_of
from measuring import Desk, Sample
from report import Circumstances, results_page, shown

ONCE = ("stored", "million")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the pages, and print the table."""
    options = _options(arguments)
    cases = [scaled(case, options.scale) for case in CASES if case.name in options.only]
    contenders = [each for each in CONTENDERS if each is OURS or each.name in options.against]
    pythons, versions, samples = _make_ready(contenders, cases)
    desk = Desk(options.folder.resolve(), timeout_s=options.timeout)
    for round_number in range(max(options.repeat, options.kills)):
        for case in cases:
            if round_number >= _rounds(case, options):
                continue
            for contender in _in_turn(contenders, round_number):
                if contender.name not in pythons or case.kind in contender.declines:
                    continue
                program = [str(pythons[contender.name]), str(contender.program)]
                sample = desk.measure(case, program, round_number=round_number)
                samples.setdefault((case.name, contender.name), []).append(sample)
                _say(f"{round_number + 1}: {case.name}, {contender.name}: {_told(case, sample)}")
    how = Circumstances(
        _command(arguments), time.strftime("%Y-%m-%d"), _machine(options.folder), options.repeat, versions
    )
    page = results_page(cases, contenders, samples, how)
    options.output.write_text(page, encoding="utf-8")
    print(page.partition("## All samples")[0])
    if not options.no_profile:
        stages = [sys.executable, str(HERE / "stages.py"), "--output", str(options.output.with_name("PROFILE.md"))]
        return subprocess.run(stages, check=False).returncode  # noqa: S603 - our own command
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cases, peers = [case.name for case in CASES], [each.name for each in CONTENDERS if each is not OURS]
    parser.add_argument(
        "--only", type=partial(_named, cases, ","), default=cases, help=f"cases, by comma: {', '.join(cases)}"
    )
    parser.add_argument(
        "--against", type=partial(_named, peers, ";"), default=peers,
        help=f"peers, by semicolon, or '' for none: {'; '.join(peers)}",
    )  # fmt: skip
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each case")
    parser.add_argument("--kills", type=int, default=5, help="kills of each contender")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies all sizes, for a quick look")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds after which a program is stopped")
    parser.add_argument("--folder", type=Path, default=HERE / ".work", help="where stores are written; is emptied")
    parser.add_argument("--output", type=Path, default=HERE / "RESULTS.md")
    parser.add_argument("--no-profile", action="store_true", help="leave PROFILE.md as it is")
    return parser.parse_args(arguments)


def _named(known: Sequence[str], separator: str, text: str) -> list[str]:
    """Return the names that `text` lists; one that nobody has is refused, as nothing would be measured for it."""
    names = [name.strip() for name in text.split(separator) if name.strip()]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no {name!r}; there are: {f'{separator} '.join(known)}")
    return names


def _make_ready(
    contenders: Sequence[Contender], cases: Sequence[Case]
) -> tuple[dict[str, Path], dict[str, str], dict[tuple[str, str], list[Sample]]]:
    """Return the interpreter and the versions of each contender; who cannot be installed has failed every case."""
    pythons: dict[str, Path] = {}
    versions: dict[str, str] = {}
    samples: dict[tuple[str, str], list[Sample]] = {}
    for contender in contenders:
        try:
            pythons[contender.name] = python_of(contender)
        except EnvironmentFailedError as error:
            _say(f"{contender.name}: {error}")
            samples.update({(case.name, contender.name): [Sample(failure=str(error))] for case in cases})
            continue
        found = versions_of(contender, pythons[contender.name])
        versions[contender.name] = ", ".join(f"{name} {version}" for name, version in found.items())
    return pythons, versions, samples


def _rounds(case: Case, options: argparse.Namespace) -> int:
    if case.kind in ONCE:
        return 1
    return int(options.kills if case.kind == "crash" else options.repeat)


def _in_turn(contenders: Sequence[Contender], round_number: int) -> list[Contender]:
    first = round_number % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def _told(case: Case, sample: Sample) -> str:
    return sample.failure if sample.value is None else shown(sample.value, case.unit)


def _command(arguments: Sequence[str] | None) -> str:
    given = list(sys.argv[1:] if arguments is None else arguments)
    return shlex.join(["python", "benchmarks/run.py", *given])


def _machine(folder: Path) -> str:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}"
    return f"{system}, {python}; a write that reaches the disk takes {_sync_ms(folder):.1f} ms"


def _sync_ms(folder: Path, times: int = 50) -> float:
    """Return how long `fsync` takes on the disk that is measured, in milliseconds."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (folder / "sync").open("wb", buffering=0) as file:
            began = time.perf_counter()
            for _ in range(times):
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
            return (time.perf_counter() - began) / times * 1000
    finally:
        shutil.rmtree(folder)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

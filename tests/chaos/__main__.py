"""`python -m tests.chaos`: breaks a home on purpose, and counts what its clients notice. See docs/faults.md.

Ends with one line of JSON; exit code 0 when nothing was wrong, 1 when something was.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from tests.chaos.fuzz import fuzz
from tests.chaos.home import BrokenHome, broken_home
from tests.chaos.kills import kill_rounds
from tests.chaos.report import Findings, table, write_results
from tests.chaos.soak import soak


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts that have a count."""
    arguments = _parser().parse_args(argv)
    findings = Findings()
    if arguments.fuzz:
        _timed(findings, "fuzz", lambda: _fuzz(findings, arguments))
    if arguments.rounds or arguments.questions or arguments.windows:
        _timed(findings, "home", lambda: _break_home(findings, arguments))
    print(table(findings))
    for problem in findings.problems():
        print(f"WRONG: {problem[:2000]}")
    if arguments.results:
        command = " ".join(["python -m tests.chaos", *(sys.argv[1:] if argv is None else argv)])
        write_results(arguments.results, findings, command)
    line = json.dumps(findings.line())
    if arguments.json:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)
    return 1 if findings.problems() else 0


def _end(number: int, frame: FrameType | None) -> None:
    """Unlike the signal's own way: the home is taken down on the way out."""
    sys.exit(128 + number)


def _fuzz(findings: Findings, arguments: argparse.Namespace) -> None:
    findings.fuzzed = fuzz(limit=arguments.fuzz, quiet=arguments.quiet, seed=arguments.seed)


def _break_home(findings: Findings, arguments: argparse.Namespace) -> None:
    with broken_home() as broken:
        if arguments.rounds:
            _timed(findings, "rounds", lambda: _kill(findings, broken, arguments))
        if arguments.questions or arguments.windows:
            _timed(findings, "soak", lambda: _soak(findings, broken, arguments))


def _kill(findings: Findings, broken: BrokenHome, arguments: argparse.Namespace) -> None:
    findings.kills = kill_rounds(broken, findings.tally, arguments.rounds, arguments.seed)


def _soak(findings: Findings, broken: BrokenHome, arguments: argparse.Namespace) -> None:
    findings.grown = soak(broken, findings.tally, arguments.questions, arguments.windows)
    findings.questions, findings.windows = arguments.questions, arguments.windows


def _timed(findings: Findings, name: str, act: Callable[[], None]) -> None:
    """A part that breaks off is a finding, not the end of the report."""
    began_s = time.monotonic()
    print(f"{name} …", file=sys.stderr, flush=True)
    try:
        act()
    except Exception as error:  # noqa: BLE001 - reported with everything else
        findings.broken.append(f"{name} broke off: {type(error).__name__}: {error}")
    if name != "home":  # its parts are timed apart
        findings.seconds[name] = time.monotonic() - began_s


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=200, help="kill -9 so many times (default: %(default)s)"
    )
    parser.add_argument("--fuzz", type=int, default=200_000, help="messages at most (default: %(default)s)")
    parser.add_argument(
        "--quiet", type=int, default=30_000, help="stop the fuzzer when so many messages reach nothing new"
    )
    parser.add_argument("--questions", type=int, default=100_000, help="of the soak (default: %(default)s)")
    parser.add_argument(
        "--windows", type=int, default=86_400, help="of the soak, a second each (default: a day)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", help="write faults.md and faults.json there"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the line of JSON there, too")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())

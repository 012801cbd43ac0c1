"""What a run found: figures, a table, one line of JSON, files for docs/results. Breaks nothing itself."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.asking import Tally
from tests.chaos.fuzz import Fuzzed
from tests.chaos.gauges import Growth
from tests.chaos.kills import Rounds

ROOT = Path(__file__).parents[2]
MAX_GROWTH_MIB = 16.0
MAX_GROWTH_FDS = 4
MAX_GROWTH_THREADS = 2


@dataclass
class Findings:
    """Everything that one run did.

    Attributes:
        questions, windows: of the soak.
        grown: growth by process in the soak.
        broken: what ended a part early, a line each.
        seconds: of each part.
    """

    tally: Tally = field(default_factory=Tally)
    kills: Rounds = field(default_factory=Rounds)
    fuzzed: Fuzzed = field(default_factory=Fuzzed)
    questions: int = 0
    windows: int = 0
    grown: dict[str, Growth] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def all_growth(self) -> dict[str, Growth]:
        """The soak's and the fuzzer's."""
        return {**self.grown, **({"fuzz: this process": self.fuzzed.growth} if self.fuzzed.growth else {})}

    def line(self) -> dict[str, Any]:
        """The figures of the JSON line; its keys are stable."""
        grown = self.all_growth().values()
        restarts = sorted(self.kills.restarts_s)
        return {
            "rounds": self.kills.done,
            "unanswered": len(self.tally.unanswered),
            "crossed": len(self.tally.crossed),
            "fuzz_messages": self.fuzzed.messages,
            "crashes": len(self.fuzzed.crashes) + len(self.tally.crashes),
            "rss_growth_mib": round(max((one.rss_mib for one in grown), default=0.0), 2),
            "fds_growth": max((one.fds for one in grown), default=0),
            "threads_growth": max((one.threads for one in grown), default=0),
            "asked": self.tally.asked,
            "soak_questions": self.questions,
            "soak_windows": self.windows,
            "not_restarted": len(self.kills.lost),
            "restart_s_p50": round(restarts[len(restarts) // 2], 2) if restarts else None,
            "fuzz_crash_rate_below": self.fuzzed.crash_rate_below if self.fuzzed.messages else None,
            "seconds": round(sum(self.seconds.values()), 1),
        }

    def problems(self) -> list[str]:
        """A line per thing that is wrong; empty: the run is good."""
        found = [*self.broken, *self.tally.unanswered, *self.tally.crossed, *self.tally.crashes]
        found += [*self.kills.lost, *self.fuzzed.crashes]
        for name, one in self.all_growth().items():
            if one.rss_mib > MAX_GROWTH_MIB or one.fds > MAX_GROWTH_FDS or one.threads > MAX_GROWTH_THREADS:
                found.append(
                    f"{name} grew by {one.rss_mib:.1f} MiB, {one.fds} descriptors, {one.threads} threads"
                )
        return found


def table(findings: Findings) -> str:
    """The figures as Markdown."""
    kills, tally, fuzzed = findings.kills, findings.tally, findings.fuzzed
    restarts = sorted(kills.restarts_s)
    rows: list[tuple[str, str]] = []
    if kills.done:
        rows.append(("rounds of kill -9", f"{kills.done} ({_counted(kills.killed)})"))
        rows.append(("not started again", str(len(kills.lost))))
    if restarts:
        middle_s, longest_s = restarts[len(restarts) // 2], restarts[-1]
        rows.append(("whole again after, middle and longest", f"{middle_s:.1f} s, {longest_s:.1f} s"))
    if tally.asked:
        rows += [
            ("questions, soak included", f"{tally.asked} ({_counted(tally.verdicts)})"),
            ("without an answer or error before the deadline", str(len(tally.unanswered))),
            ("crossed or about somebody absent", str(len(tally.crossed))),
        ]
    if fuzzed.messages:
        rows += [
            ("fuzzed messages", f"{fuzzed.messages}, the last {fuzzed.quiet} reached nothing new"),
            ("steps and wordings reached, corpus", f"{len(fuzzed.features)}, {len(fuzzed.corpus)}"),
            ("crashes, hangs, dropped requests", str(len(fuzzed.crashes))),
            ("crashes per message, 95 % bound (3/n)", f"< {fuzzed.crash_rate_below:.1e}"),
        ]
    for name, one in findings.all_growth().items():
        memory = f"{one.rss_mib:+.2f} of {one.before.rss_mib:.0f} MiB"
        files = f"{one.fds:+d} of {one.before.fds} descriptors"
        threads = f"{one.threads:+d} of {one.before.threads} threads"
        rows.append((f"growth, {name}", f"{memory}, {files}, {threads}"))
    return "\n".join(["| what | found |", "|---|---|", *(f"| {what} | {found} |" for what, found in rows)])


def write_results(folder: Path, findings: Findings, command: str) -> None:
    """`faults.json` and `faults.md`, with commit, command and machine."""
    made = {"commit": _commit(), "command": command, "machine": _machine()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "faults.json").write_text(json.dumps({**findings.line(), **made}) + "\n", encoding="utf-8")
    head = (
        "# What breaks, and what happens then\n\n"
        f"`{command}` at commit {made['commit']}, {made['machine']}.\n"
        "The line is [faults.json](faults.json); what counts as wrong: [faults](../faults.md).\n\n"
    )
    problems = "".join(f"- {problem}\n" for problem in findings.problems())
    (folder / "faults.md").write_text(
        head + table(findings) + "\n" + (f"\n## Wrong\n\n{problems}" if problems else ""), encoding="utf-8"
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _machine() -> str:
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), Python {platform.python_version()}"

"""Progress on stderr: a bar with rate and time left. Knows no training."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping


def bar(label: str) -> Callable[[int, int], None]:
    """A function (done, total) that redraws a line on stderr, twice a second; a log gets one in 30 s."""
    began = last = time.monotonic()
    live = sys.stderr.isatty()
    pause, start = (0.5, "\r") if live else (30.0, "")

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < pause and done < total:
            return
        last = now
        left = (now - began) / max(done, 1) * (total - done)
        filled = "#" * (24 * done // max(total, 1))
        end = "\n" if done >= total or not live else ""
        sys.stderr.write(f"{start}{label:<14} [{filled:<24}] {done}/{total}  {left:4.0f} s left {end}")
        sys.stderr.flush()

    return show


def steps(label: str, total: int) -> Callable[[int, Mapping[str, float], float], None]:
    """A progress function for `train.fit.fit`: one line a report, losses and time left."""
    first: list[tuple[int, float]] = []

    def show(step: int, means: Mapping[str, float], seconds: float) -> None:
        first.append((step, seconds))
        begun, at = first[0]
        left = (seconds - at) / max(1, step - begun) * (total - step)
        losses = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        sys.stderr.write(f"{label} {step}/{total}  {losses}  {left:.0f} s left\n")
        sys.stderr.flush()

    return show

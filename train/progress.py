"""Progress on stderr: a bar with rate and time left. Knows no training."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping


def bar(label: str) -> Callable[[int, int], None]:
    """A function (done, total) that redraws one line on stderr, at most twice a second."""
    began = last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.5 and done < total:
            return
        last = now
        left = (now - began) / max(done, 1) * (total - done)
        filled = "#" * (24 * done // max(total, 1))
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{label:<14} [{filled:<24}] {done}/{total}  {left:4.0f} s left {end}")
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

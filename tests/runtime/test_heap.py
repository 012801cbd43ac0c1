"""Claims about memory that is freed while weights are loaded."""

from __future__ import annotations

import subprocess
import sys

_HELD = """
import contextlib, sys
import numpy as np
from runtime.engines.heap import freed_is_given_back

def held():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024

def mib(count):
    return np.ones(count << 17)

large = mib(31)
del large  # from here on one MiB is no large block for glibc
before = held()
with freed_is_given_back() if sys.argv[1] else contextlib.nullcontext():
    blocks = [mib(1) for _ in range(64)]
    last = mib(1)
    del blocks
print(held() - before)
"""


def test_what_is_freed_while_weights_are_loaded_goes_back_to_the_system() -> None:
    within, without = (
        float(subprocess.run([sys.executable, "-c", _HELD, how], capture_output=True, check=True).stdout)
        for how in ("yes", "")
    )
    assert without > 50
    assert within < 8

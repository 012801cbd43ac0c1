"""`python -m tests.chaos.daemon HOME`: a home's daemon, with short waits before what was killed starts again.

A home waits up to half a minute before it starts something that keeps dying; 200 rounds cannot.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from device.daemon.backoff import Backoff
from device.daemon.service import Daemon
from device.paths import Home
from device.runtime_process import stop_runtime


def quick_backoff() -> Backoff:
    """Waits of at most a second."""
    return Backoff(first_s=0.1, longest_s=1.0)


def main(root: str) -> None:
    """Run until SIGTERM."""
    os.umask(0o077)
    home = Home(Path(root))
    stop_runtime(home)
    daemon = Daemon(home, new_backoff=quick_backoff)
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
    daemon.run()


if __name__ == "__main__":
    main(sys.argv[1])

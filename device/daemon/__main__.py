"""`python -m device.daemon --home DIR`: set up logging and signals, then run the daemon of one home."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

from device.config import load_config
from device.daemon.service import Daemon
from device.paths import Home
from runtime.contract.errors import PvchatError
from runtime.logs import log_formatter

_LOG_BYTES = 4 << 20
_LOG_FILES = 2
_log = logging.getLogger("device.daemon")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code is the error's."""
    arguments = _parser().parse_args(argv)
    home = Home.from_environment() if arguments.home is None else Home(arguments.home.absolute())
    os.umask(0o077)
    try:
        handler = _set_up_logging(home.create())
        handler.setFormatter(log_formatter(load_config(home.config_file).log))
        daemon = Daemon(home)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: daemon.stop())
        daemon.run()
    except PvchatError as error:
        _log.error("%s: %s", error.code, error)
        print(f"pvchat-edge daemon: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _set_up_logging(home: Home) -> logging.Handler:
    handler = RotatingFileHandler(home.logs / "daemon.log", maxBytes=_LOG_BYTES, backupCount=_LOG_FILES)
    handler.setFormatter(log_formatter("text"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return handler


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pvchat-edge daemon", description="Watch the cameras of this home and answer questions."
    )
    parser.add_argument("--home", type=Path, help="the home's folder (default: PVCHAT_HOME)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

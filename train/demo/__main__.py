"""`python -m train.demo`: the whole product on a rendered household; started by `pvchat-edge demo`.

The last line on stdout is one line of JSON. Exit code 1: too many wrong answers, or somebody was fooled.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from runtime.contract.errors import PvchatError
from train.demo.console import Console
from train.demo.run import CHAPTERS, Options, run

EXIT_WRONG, EXIT_INTERRUPTED = 1, 130
_SEED, _TRAIN_SECONDS = 7, 45.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; the exit code is 0, 1, or that of the error that ended it."""
    arguments = _parser().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # so that nothing that was started stays behind
    options = Options(arguments.out, arguments.seed, arguments.train_seconds, arguments.keep)
    try:
        outcome = run(options, Console(CHAPTERS))
    except PvchatError as error:
        print(f"pvchat-edge demo: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("pvchat-edge demo: stopped.", file=sys.stderr)
        return EXIT_INTERRUPTED
    line = json.dumps(outcome.summary)
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line, flush=True)
    return EXIT_WRONG if outcome.problems else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pvchat-edge demo", description="The whole product, in minutes.")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder of page and clips")
    parser.add_argument("--seed", type=int, default=_SEED, help="which household is drawn")
    parser.add_argument("--train-seconds", type=float, default=_TRAIN_SECONDS, help="for one adapter")
    parser.add_argument("--keep", action="store_true", help="keep the temporary home")
    parser.add_argument("--json", type=Path, help="write the JSON line to this file, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())

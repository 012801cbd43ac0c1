"""`python -m runtime`: serve a bundle at a socket or a pipe, test it, build its engines.

Prints the wire's schema, too. Sets up logging and signals.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from runtime.address import Claim
from runtime.config import RuntimeConfig, load_runtime_config
from runtime.contract.bundle import Bundle
from runtime.contract.errors import ConfigError, PvchatError
from runtime.contract.serving import Session
from runtime.logs import LogFormat, log_formatter
from runtime.pipe import serve_lines
from runtime.router import Server
from runtime.server import BESIDE, SessionHandler
from runtime.stats import ServerStats
from runtime.wire_schema import wire_schema

EXIT_SELFTEST_FAILED = 5
_TIDY_S = 10.0
_log = logging.getLogger("runtime")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is the error's."""
    arguments = _parser().parse_args(argv)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(log_formatter(arguments.log_format))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        if arguments.verb == "schema":
            print(json.dumps(wire_schema(), indent=1))
            return 0
        config = _config(arguments)
        if arguments.verb == "build-engines":
            return build_engines(arguments.bundle, arguments.engines)
        if arguments.verb == "selftest":
            return selftest(arguments.bundle, config, arguments.adapter)
        if arguments.verb == "pipe":
            pipe(arguments.bundle, config)
            return 0
        serve(arguments.bundle, arguments.socket, config, until_stdin_ends=arguments.until_stdin_ends)
    except PvchatError as error:
        print(f"pvchat-edge runtime: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def serve(root: Path, endpoint: str, config: RuntimeConfig, *, until_stdin_ends: bool) -> None:
    """Serve a bundle until SIGTERM, SIGINT or, if wanted, the end of standard input."""
    Claim(endpoint).release()  # refuse a taken or impossible address before loading anything
    bundle, session = load(root, config)
    stats = ServerStats()
    handler = SessionHandler(session, bundle, stats, save_evidence=config.save_evidence)
    server = Server(endpoint, handler, queue_size=config.queue, beside=BESIDE, stats=stats)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    with server:
        if until_stdin_ends:
            threading.Thread(target=_stop_at_end_of_stdin, args=(server,), daemon=True).start()
        _log.info("serving bundle %s at %s", bundle.bundle_id, endpoint)
        stopped = threading.Event()
        threading.Thread(target=_tidy, args=(handler, stopped), daemon=True).start()
        server.serve()
        stopped.set()
    _log.info("stopped after %.0f s: %s", stats.uptime_s, stats.counts())


def _tidy(handler: SessionHandler, stopped: threading.Event) -> None:
    """What was seen by a camera goes with it, also when nobody asks any more."""
    while not stopped.wait(_TIDY_S):
        handler.tidy()


def pipe(root: Path, config: RuntimeConfig) -> None:
    """Answer requests on standard input, a line each, until it ends."""
    bundle, session = load(root, config)
    handler = SessionHandler(session, bundle, ServerStats(), save_evidence=config.save_evidence)
    serve_lines(sys.stdin.buffer, sys.stdout.buffer, handler)


def selftest(root: Path, config: RuntimeConfig, adapter: Path | None) -> int:
    """Verify a bundle and run its golden clips; one line per problem on stdout."""
    _, session = load(root, config)
    problems = session.selftest() if adapter is None else session.selftest(adapter.absolute())
    for problem in problems:
        print(problem)
    return EXIT_SELFTEST_FAILED if problems else 0


def load(root: Path, config: RuntimeConfig) -> tuple[Bundle, Session]:
    """A verified bundle and its session."""
    bundle = Bundle.open(root.absolute())
    bundle.verify()
    # Engines are heavy and an optional extra: a bad address or bundle must be told without them.
    from runtime.session import open_session

    return bundle, open_session(bundle, config)


def build_engines(root: Path, engines: Path | None) -> int:
    """Build a bundle's TensorRT plans here; one line of JSON on stdout."""
    if engines is None:
        raise ConfigError("build-engines writes to a folder of plans.", "Give --engines DIR.")
    bundle = Bundle.open(root.absolute())
    bundle.verify()
    from runtime.engines import cuda, trt, trt_build
    from runtime.session.plans import plans_of

    trt_build.wanted_step(bundle)  # said before TensorRT is missed
    folder = plans_of(engines, bundle)
    built = trt_build.build_bundle_plans(
        bundle, folder, trt=trt.library(), cuda=cuda.open_cuda(), say=_log.info
    )
    engine_lines = [{**dataclasses.asdict(one), "seconds": round(one.seconds, 1)} for one in built]
    print(json.dumps({"bundle_id": bundle.bundle_id, "folder": str(folder), "engines": engine_lines}))
    return 0


def _config(arguments: argparse.Namespace) -> RuntimeConfig:
    config = load_runtime_config(arguments.config)
    given = {name: getattr(arguments, name) for name in ("models", "engines", "threads")}
    try:
        return dataclasses.replace(
            config, **{name: found for name, found in given.items() if found is not None}
        )
    except ValueError as error:
        raise ConfigError(f"--threads: {error}.") from error


def _stop_at_end_of_stdin(server: Server) -> None:
    """A parent that dies, however it dies, closes our standard input."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runtime", description=__doc__)
    parser.add_argument(
        "--log-format", choices=get_args(LogFormat), default="text", help="of each line of log"
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, help="TOML file; see configs/runtime/default.toml")
    common.add_argument("--models", type=Path, help="folder of models of others that are installed")
    common.add_argument("--engines", type=Path, help="folder of TensorRT plans, one folder a bundle")
    common.add_argument("--threads", type=int, help="CPU threads of one engine run")
    serving = verbs.add_parser("serve", parents=[common], help="answer requests at a socket")
    serving.add_argument("--bundle", type=Path, required=True)
    serving.add_argument("--socket", required=True, help="ipc:// and an absolute path")
    serving.add_argument("--until-stdin-ends", action="store_true", help="stop when the parent is gone")
    piping = verbs.add_parser("pipe", parents=[common], help="answer lines of JSON on standard input")
    piping.add_argument("--bundle", type=Path, required=True)
    verbs.add_parser("schema", help="print every message of the wire as JSON schema")
    testing = verbs.add_parser("selftest", parents=[common], help="check a bundle; exit 0 or 5")
    testing.add_argument("bundle", type=Path)
    testing.add_argument("--adapter", type=Path, help="one adapter file to check with it")
    building = verbs.add_parser("build-engines", parents=[common], help="build a bundle's TensorRT plans")
    building.add_argument("bundle", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())

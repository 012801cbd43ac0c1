"""`serve-http`: answers over HTTP, for what people have already. Knows no routes."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from device.cli.output import PROGRAM, Output
from device.config import DeviceConfig, load_config
from device.daemon_client import daemon_address
from device.http_home import HttpHome
from device.paths import Home
from runtime.async_client import AsyncClient
from runtime.contract.errors import ConfigError, PvchatError
from runtime.http.access import open_gate
from runtime.http.settings import HttpConfig
from runtime.logs import JsonLines

if TYPE_CHECKING:
    from runtime.http.desk import Desk

_LOG_BYTES = 4 << 20
_LOG_FILES = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """What overrides the settings file's [http]."""
    parser.add_argument("--host", metavar="ADDRESS", help="where to listen (default: settings)")
    parser.add_argument("--port", type=int, metavar="PORT", help="0: any free one (default: settings)")


def run(args: argparse.Namespace, out: Output) -> int:
    """Serve until SIGTERM or Ctrl-C; exit code 0."""
    home = Home.from_environment().create()
    config = load_config(home.config_file)
    http = _with(config.http, args)
    gate = open_gate(http)
    try:
        from runtime.http.app import make_app
        from runtime.http.serve import address_of, listen, serve
    except ModuleNotFoundError as error:
        raise PvchatError(
            f"{PROGRAM} serve-http needs {error.name}.", f"Run `pip install '{PROGRAM}[http]'`."
        ) from error
    os.umask(0o077)
    _set_up_logging(home)
    with listen(http) as socket:
        house = HttpHome(home, config.limits)
        try:
            house.prepare()
        except PvchatError as error:
            out.hint(f"The runtime does not answer yet: {error}")
        desk = make_desk(home, house, dataclasses.replace(config, http=http))
        try:
            out.result(
                {"listening": address_of(socket), "pid": os.getpid()}, f"Listening at {address_of(socket)}"
            )
            serve(make_app(desk, gate), socket)
        finally:
            desk.close()
    return 0


def make_desk(home: Home, house: HttpHome, config: DeviceConfig) -> Desk:
    """The desk of this home: its runtime for clips and pictures, its daemon for the cameras."""
    from runtime.http.desk import Desk, Rules

    endpoint, keys, next_step = daemon_address(home, config.network)
    return Desk(
        house,
        AsyncClient(home.runtime_endpoint, next_step=f"See `{PROGRAM} doctor`."),
        AsyncClient(endpoint, keys=keys, next_step=next_step),
        Rules(
            clip_folders=tuple(Path(one) for one in config.http.clip_folders),
            max_waiting=config.http.max_waiting,
            timeout_ms=config.limits.ask_timeout_ms,
            show_paths=config.http.is_local,
        ),
    )


def _with(http: HttpConfig, args: argparse.Namespace) -> HttpConfig:
    try:
        return dataclasses.replace(
            http,
            host=http.host if args.host is None else args.host,
            port=http.port if args.port is None else args.port,
        )
    except ValueError as error:
        raise ConfigError(f"{error}.", "See --help.") from error


def _set_up_logging(home: Home) -> None:
    handler = RotatingFileHandler(home.logs / "http.log", maxBytes=_LOG_BYTES, backupCount=_LOG_FILES)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)

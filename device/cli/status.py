"""`status`: daemon, cameras, bundle and people at a glance, and who was last seen where."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

from device.cli.output import Output, table
from device.cli.person_list import state
from device.cli.seen import last_seen_json, last_seen_rows, look_words, looks_json
from device.config import load_config
from device.daemon_client import daemon_status
from device.paths import Home
from device.store.store import Store
from runtime.contract.bundle import Bundle
from runtime.contract.errors import PvchatError, UnavailableError
from runtime.wire import DaemonStatusReply


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 0 whether or not the daemon runs; `daemon` is null in JSON when it does not."""
    home = Home.from_environment()
    with Store.open(home) as store:
        people = store.people()
    bundle = _bundle(home)
    try:
        daemon: DaemonStatusReply | None = daemon_status(home, load_config(home.config_file).network)
    except UnavailableError as error:
        daemon = None
        out.hint(f"The daemon does not answer: {error}")
    rows = [
        {
            "name": person.subject.name,
            "subject_id": person.subject.subject_id,
            "state": state(person),
            "release": active.release if (active := person.adapter()) else None,
            "kind": active.kind if active else None,
        }
        for person in people
    ]
    data = {
        "home": str(home.root),
        "bundle": bundle,
        "people": rows,
        "daemon": _daemon_json(daemon, _names(rows)),
    }
    out.result(data, _text(home, bundle, rows, daemon))
    return 0


def _bundle(home: Home) -> dict[str, str]:
    try:
        bundle = Bundle.open(home.current_bundle())
    except PvchatError as error:
        return {"error": str(error)}
    manifest = bundle.manifest
    return {
        "bundle_id": bundle.bundle_id,
        "kind": manifest.kind,
        "base": manifest.base,
        "path": str(bundle.root),
    }


def _names(people: list[dict[str, Any]]) -> dict[str, str]:
    return {person["subject_id"]: person["name"] for person in people}


def _daemon_json(daemon: DaemonStatusReply | None, names: Mapping[str, str]) -> dict[str, Any] | None:
    if daemon is None:
        return None
    return {
        "pid": daemon.pid,
        "uptime_s": daemon.uptime_s,
        "rss_mib": daemon.rss_mib,
        "runtime": daemon.runtime,
        "bundle_id": daemon.bundle_id,
        "base": daemon.base,
        "subjects": daemon.subjects,
        "cameras": [dataclasses.asdict(camera) for camera in daemon.cameras],
        "notes": list(daemon.notes),
        "looks": looks_json(daemon, names),
        "last_seen": last_seen_json(daemon, names),
    }


def _text(
    home: Home, bundle: dict[str, str], people: list[dict[str, Any]], daemon: DaemonStatusReply | None
) -> str:
    rows = [("home", str(home.root))]
    rows.append(("bundle", bundle.get("error") or f"{bundle['bundle_id']} ({bundle['kind']})"))
    for person in people:
        release = (
            "no adapter" if person["release"] is None else f"release {person['release']} ({person['kind']})"
        )
        rows.append(("person", f"{person['name']} · {release} · {person['state']}"))
    if daemon is None:
        rows.append(("daemon", "not running"))
        return table(rows)
    rows.append(("daemon", f"pid {daemon.pid}, up {daemon.uptime_s:.0f} s, runtime {daemon.runtime}"))
    names = _names(people)
    for camera in daemon.cameras:
        age = "no frame" if camera.frame_age_ms is None else f"frame {camera.frame_age_ms / 1000:.1f} s old"
        looked = look_words(daemon, camera.camera, names)
        parts = [f"{camera.camera} in {camera.room}", camera.state, age, *([looked] if looked else [])]
        rows.append(("camera", " · ".join(parts)))
    rows += last_seen_rows(daemon, names)
    rows += [("note", note) for note in daemon.notes]
    return table(rows)

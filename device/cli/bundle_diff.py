"""`bundle diff DIR [DIR]`: what differs between two bundles, field by field. Knows no engines."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from device.cli.output import Output, table
from device.paths import Home
from runtime.contract.bundle import Bundle, manifest_to_json

_NONE = object()
_LONGEST = 48


def arguments(parser: argparse.ArgumentParser) -> None:
    """The folders."""
    parser.add_argument("one", type=Path, metavar="DIR", help="a bundle")
    parser.add_argument("other", nargs="?", type=Path, metavar="DIR", help="default: the bundle in use")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 0 whether they differ or not; nothing is hashed."""
    one = Bundle.open(args.one)
    other = Bundle.open(args.other or Home.from_environment().current_bundle())
    found = [
        {"field": name, "one": _plain(a), "other": _plain(b)}
        for name, a, b in differences(_facts(one), _facts(other))
    ]
    data = {"one": one.bundle_id, "other": other.bundle_id, "same": not found, "differences": found}
    rows = [(str(each["field"]), _short(each["one"]), _short(each["other"])) for each in found]
    text = (
        table(rows, header=("field", one.bundle_id, other.bundle_id))
        if rows
        else f"Both are {one.bundle_id}: nothing differs."
    )
    out.result(data, text)
    return 0


def differences(one: Any, other: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every value that differs, with its path of keys; what one side lacks is a value of its own."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            below = f"{name}.{key}" if name else str(key)
            yield from differences(one.get(key, _NONE), other.get(key, _NONE), below)
    elif one is _NONE or other is _NONE or one != other:
        yield name, one, other


def _facts(bundle: Bundle) -> dict[str, Any]:
    """The manifest as plain data, its files by path."""
    data: dict[str, Any] = json.loads(manifest_to_json(bundle.manifest))
    data["files"] = {entry.pop("path"): entry for entry in data["files"]}
    return data


def _plain(value: Any) -> Any:
    return None if value is _NONE else value


def _short(value: Any) -> str:
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

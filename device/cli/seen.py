"""Who was last seen where and when, for `status`. Knows no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.contract.dialogue import LastSeen, Look, SubjectVerdict
from runtime.wire import DaemonStatusReply

_NOBODY = "nobody"


def last_seen_json(daemon: DaemonStatusReply, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """One object a sight, the sure one of somebody before a newer one that was not; `age_s` is seconds."""
    return [
        {
            **_person_json(one, names),
            "camera": one.camera,
            "room": one.room,
            "at": one.at,
            "age_s": _age_s(daemon, one.at),
        }
        for one in daemon.last_seen
    ]


def looks_json(daemon: DaemonStatusReply, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """One object a camera that was looked at."""
    return [
        {
            "camera": look.camera,
            "room": look.room,
            "at": look.at,
            "age_s": _age_s(daemon, look.at),
            "subjects": [_person_json(one, names) for one in look.subjects],
            "unknown": look.unknown,
        }
        for look in daemon.looks
    ]


def last_seen_rows(daemon: DaemonStatusReply, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """A row for everybody whom the daemon looks for, `perhaps` where it was not sure."""
    rows = []
    for subject_id in sorted(daemon.subjects, key=lambda one: names.get(one, one).casefold()):
        told = [_sight(daemon, one) for one in daemon.last_seen if one.subject_id == subject_id]
        rows.append(
            ("seen", f"{_name(subject_id, names)} · {' · '.join(told) or 'not since the daemon started'}")
        )
    return rows


def look_words(daemon: DaemonStatusReply, camera: str, names: Mapping[str, str]) -> str:
    """Who was on a camera at the last look, and how long ago that was; empty: nobody looked."""
    look = next((one for one in daemon.looks if one.camera == camera), None)
    return "" if look is None else f"{_ago(_age_s(daemon, look.at))}: {_company(look, names)}"


def _person_json(one: LastSeen | SubjectVerdict, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "subject_id": one.subject_id,
        "name": names.get(one.subject_id),
        "verdict": one.verdict,
        "confidence": one.confidence,
    }


def _name(subject_id: str, names: Mapping[str, str]) -> str:
    return names.get(subject_id, subject_id[:9])


def _perhaps(one: LastSeen | SubjectVerdict) -> str:
    return "" if one.verdict == "yes" else "perhaps "


def _sight(daemon: DaemonStatusReply, one: LastSeen) -> str:
    return f"{_perhaps(one)}in {one.room} ({one.camera}) {_ago(_age_s(daemon, one.at))}"


def _company(look: Look, names: Mapping[str, str]) -> str:
    people = [f"{_perhaps(one)}{_name(one.subject_id, names)}" for one in look.subjects]
    if look.unknown:
        people.append(f"{look.unknown} unknown")
    return ", ".join(people) or _NOBODY


def _age_s(daemon: DaemonStatusReply, at: float) -> float:
    """By the daemon's clock: another machine's may be wrong."""
    return round(max(0.0, daemon.now - at), 1)


def _ago(age_s: float) -> str:
    """3 s ago; 5 min ago; 2 h ago; 3 days ago."""
    for unit_s, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if age_s >= 2 * unit_s:
            return f"{int(age_s / unit_s)} {unit} ago"
    return f"{age_s:.0f} s ago"

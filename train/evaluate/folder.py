"""Reads households from a folder of clips, whoever rendered them. Knows no answers.

A household is a folder with clips of the documented schema (docs/world.md). Its `household.json` may name the
members and their reference clips, and who looks like whom. Without it everybody is a member who is alone
and can be told in some clip, the earliest of which is the reference, and who is seen in another one, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.contract.errors import ContentError
from train.evaluate.render import HOUSEHOLD, STILL
from train.world.files import ClipRecord, read_scripts
from train.world.traits import Identity, identity_from_json

_SEE = "See docs/world.md."


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A member: the clip to learn from, and what is known about looks (None with another renderer)."""

    person_id: str
    reference: ClipRecord
    identity: Identity | None


@dataclass(frozen=True, slots=True)
class Household:
    """Members and the clips that are asked about.

    Attributes:
        look_alikes: by person id, whom they look like and in how many head traits they differ.
    """

    name: str
    members: tuple[Enrolled, ...]
    clips: tuple[ClipRecord, ...]
    look_alikes: Mapping[str, tuple[str, int]]


def read_households(root: Path) -> list[Household]:
    """Every household in `root`: its folders with clips, or itself.

    Raises:
        ContentError: no clips, nobody to enrol, or a household.json that names what is not there.
    """
    if not root.is_dir():
        raise ContentError(f"{root} is not a folder.", "Name a folder of clips.")
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name != STILL]
    found = [_household(path, read_scripts(path)) for path in folders if any(path.glob("*.json"))]
    alone = read_scripts(root)
    if alone:
        found.append(_household(root, alone))
    if not found:
        raise ContentError(f"{root} holds no clips.", _SEE)
    return found


def still_of(clip: ClipRecord) -> Path | None:
    """The video that holds one moment of this clip; None: there is none."""
    path = clip.video.parent / STILL / f"{clip.clip_id}.mp4"
    return path if path.exists() else None


def _household(folder: Path, clips: Sequence[ClipRecord]) -> Household:
    about = _about(folder / HOUSEHOLD)
    by_id = {clip.clip_id: clip for clip in clips}
    members = _named(folder, about["members"], by_id) if "members" in about else _found(clips)
    if not members:
        raise ContentError(f"{folder} shows nobody alone in one clip and again in another.", _SEE)
    references = {one.reference.clip_id for one in members}
    alike = {
        str(one["person_id"]): (str(one["of"]), int(one.get("differing", 0)))
        for one in about.get("look_alikes", ())
    }
    asked = tuple(clip for clip in clips if clip.clip_id not in references)
    return Household(folder.name, members, asked, alike)


def _about(path: Path) -> dict[str, list[dict[str, Any]]]:
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ContentError(f"{path} is not JSON: {error}.", _SEE) from error
    if not isinstance(data, dict):
        raise ContentError(f"{path} is not a JSON object.", _SEE)
    return data


def _named(
    folder: Path, members: Sequence[Mapping[str, object]], clips: Mapping[str, ClipRecord]
) -> tuple[Enrolled, ...]:
    named = []
    for one in members:
        person_id = str(one["person_id"])
        clip_id = str(one.get("reference", f"reference-{person_id}"))
        if clip_id not in clips:
            raise ContentError(f"{folder / HOUSEHOLD} names the clip {clip_id!r}, which is not there.", _SEE)
        looks = one.get("identity")
        identity = identity_from_json(looks) if isinstance(looks, dict) else None
        named.append(Enrolled(person_id, clips[clip_id], identity))
    return tuple(named)


def _found(clips: Sequence[ClipRecord]) -> tuple[Enrolled, ...]:
    seen: dict[str, int] = {}
    first: dict[str, ClipRecord] = {}
    for clip in sorted(clips, key=lambda one: one.started_at):
        for person in clip.people:
            seen[person.person_id] = seen.get(person.person_id, 0) + 1
            if len(clip.people) == 1 and person.decidable and not clip.night:
                first.setdefault(person.person_id, clip)
    return tuple(Enrolled(who, clip, None) for who, clip in sorted(first.items()) if seen[who] > 1)

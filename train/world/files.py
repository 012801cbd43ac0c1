"""Clips on disk: `<clip_id>.mp4` and `<clip_id>.json`, and reading a folder of them, whoever rendered it.

Knows no training. The JSON is documented in docs/world.md; the drawing (`script`) in it is optional.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from runtime.contract.errors import ContentError
from train.world.scene import Box, PersonTruth, render_clip
from train.world.script import VERSION, Script, script_from_json, script_to_json
from train.world.sight import Sight, decidable, recognisable, sights_of
from train.world.sketch import Frame
from train.world.traits import Identity, differing_traits


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """One person of a clip on disk.

    `clothes`: names to values, such as `top_colour`. `decidable`: who this is can be seen.
    `decidable_from`: the same against one other person each, where known. `visible`: pixels of head height
    by trait, where known. `head_px`: largest head height in view, 0 where not known. `action_share`,
    `top_share`, `bottom_share`: share of frames that show what action, top and bottom are told by; 1 where
    not known. `head_boxes`: x, y, width, height in pixels, one a frame, where known.
    """

    person_id: str
    action: str
    clothes: Mapping[str, str]
    decidable: bool
    decidable_from: Mapping[str, bool]
    visible: Mapping[str, float]
    head_px: float
    action_share: float
    top_share: float
    bottom_share: float
    head_boxes: tuple[Box, ...]

    def tellable_from(self, other: str) -> bool:
        """Whether one can see that this is not `other`; where not noted, whether one can see who it is."""
        return self.decidable_from.get(other, self.decidable)


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One clip on disk. `script` is None for clips of another renderer."""

    clip_id: str
    video: Path
    started_at: float
    duration_s: float
    fps: float
    room: str
    night: bool
    people: tuple[PersonRecord, ...]
    script: Script | None


def write_video(path: Path, frames: Frame, fps: float, crf: int = 18) -> None:
    """H.264, yuv420p; frames uint8 (T, H, W, 3) RGB, H and W even."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        stream.codec_context.thread_count = 1
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
            )
        container.mux(stream.encode())


def write_clip(folder: Path, script: Script, others: Mapping[str, Identity] | None = None) -> Path:
    """Renders and writes the clip; against `others` decidability is noted. Returns the video's path."""
    folder.mkdir(parents=True, exist_ok=True)
    clip, truths = render_clip(script)
    video = folder / f"{script.clip_id}.mp4"
    write_video(video, clip.frames, clip.fps)
    found = sights_of(script, truths)
    record = {
        "version": VERSION,
        "clip_id": script.clip_id,
        "video": video.name,
        "started_at": script.started_at,
        "duration_s": script.duration_s,
        "fps": script.fps,
        "room": script.room.kind,
        "night": script.light.night,
        "people": [
            _person_json(
                script, index, found[person.person_id], [moment[index] for moment in truths], others or {}
            )
            for index, person in enumerate(script.people)
        ],
        "script": script_to_json(script),
    }
    (folder / f"{script.clip_id}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return video


def _person_json(
    script: Script, index: int, sight: Sight, truths: Sequence[PersonTruth], others: Mapping[str, Identity]
) -> dict[str, object]:
    person = script.people[index]
    clothes = person.clothes
    apart = {
        other_id: decidable(sight.traits, differing_traits(person.identity, other))
        for other_id, other in others.items()
        if other_id != person.person_id
    }
    return {
        "person_id": person.person_id,
        "action": person.action,
        "clothes": {
            "top_colour": clothes.top_colour,
            "top_kind": clothes.top_kind,
            "bottom_colour": clothes.bottom_colour,
            "bottom_kind": clothes.bottom_kind,
        },
        "decidable": recognisable(sight.traits),
        "decidable_from": apart,
        "visible": dict(sight.traits),
        "head_px": round(sight.head_px, 1),
        "action_share": round(sight.action_share, 3),
        "top_share": round(sight.top_share, 3),
        "bottom_share": round(sight.bottom_share, 3),
        "head_boxes": [[round(value, 1) for value in truth.head_box] for truth in truths],
        "head_visible": [round(truth.head_visible, 2) for truth in truths],
        "head_yaw_deg": [round(truth.head_yaw_deg, 1) for truth in truths],
    }


def read_scripts(folder: Path) -> list[ClipRecord]:
    """All clips of a folder, by name: every `*.json` with a `clip_id`; other JSON files are not clips."""
    if not folder.is_dir():
        raise ContentError(f"{folder} is not a folder.", "Name the folder that holds the clips.")
    records = []
    for path in sorted(folder.glob("*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ContentError(f"{path} is not JSON: {error}.", "Write it again or move it away.") from error
        if isinstance(data, dict) and "clip_id" in data:
            records.append(_record(path, data))
    return records


def _record(path: Path, data: Mapping[str, object]) -> ClipRecord:
    try:
        people = data["people"]
        if not isinstance(people, list):
            raise TypeError("people is not a list")
        version = data["version"]
        if version != VERSION:
            raise TypeError(f"version is {version!r}, this reader knows {VERSION}")
        clip_id = str(data["clip_id"])
        script = data.get("script")
        return ClipRecord(
            clip_id=clip_id,
            video=path.parent / Path(str(data.get("video", f"{clip_id}.mp4"))).name,
            started_at=_float(data["started_at"]),
            duration_s=_float(data["duration_s"]),
            fps=_float(data["fps"]),
            room=str(data["room"]),
            night=bool(data.get("night", False)),
            people=tuple(_person(person) for person in people),
            script=script_from_json(script) if isinstance(script, dict) else None,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ContentError(
            f"{path} lacks or misnames a field: {error}.", "See docs/world.md for the fields."
        ) from error


def _float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _person(data: Mapping[str, object]) -> PersonRecord:
    clothes, apart, visible = data["clothes"], data.get("decidable_from", {}), data.get("visible", {})
    if not isinstance(clothes, dict) or not isinstance(apart, dict) or not isinstance(visible, dict):
        raise TypeError("clothes, decidable_from and visible are objects")
    boxes = data.get("head_boxes", [])
    if not isinstance(boxes, list):
        raise TypeError("head_boxes is not a list")
    certain = data["decidable"]
    if not isinstance(certain, bool):
        raise TypeError(f"decidable is {certain!r}, not true or false")
    return PersonRecord(
        person_id=str(data["person_id"]),
        action=str(data["action"]),
        clothes={str(name): str(value) for name, value in clothes.items()},
        decidable=certain,
        decidable_from={str(name): bool(value) for name, value in apart.items()},
        visible={str(name): _float(value) for name, value in visible.items()},
        head_px=_float(data.get("head_px", 0.0)),
        action_share=_float(data.get("action_share", 1.0)),
        top_share=_float(data.get("top_share", 1.0)),
        bottom_share=_float(data.get("bottom_share", 1.0)),
        head_boxes=tuple(_box(box) for box in boxes),
    )


def _box(data: Sequence[object]) -> Box:
    x, y, width, height = (_float(value) for value in data)
    return x, y, width, height

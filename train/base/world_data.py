"""The rendered training set as arrays on disk: vision frames, head crops and their truth. Knows no network.

Clip n shows up to three people in eight window frames (N clips, T frames, A people slots):

* frames.npy uint8 (N, T, H, W, 3), as the vision engine takes them; crops.npy uint8 (N, T, A, 96, 96, 3): the
  square around a head that is `WIDE` times as wide as what the head encoder takes, at the same resolution,
  so that training can cut it as inexactly as a detector does.
* bodies.npy uint8 (N, T, A, 112, 80, 3): body crops, cut for the inexact head boxes `cut` of the truth.
* truth.npz: `who` int (N, A) identity or -1; `action`, `top`, `kind`, `bottom`, `bottom_kind` int (N, A);
  `room`, `night` (N,); `seen`, `top_seen`, `bottom_seen` float (N, T, A) visible shares of head, trunk and
  legs; `yaw`, `pitch` degrees and `head_px` (N, T, A); `head`, `body`, `cut` float (N, T, A, 4) x, y, w, h,
  `joints` (N, T, A, 8, 2), in fractions of the frame; `parts` (N, T, P) share of each cell of the scene
  encoder's grid that shows anybody; `traits` int (identities, head traits).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from runtime.contract.pixels import Box, PixelSpec, letterbox, resample, to_body_crop, to_crop
from train.base.config import WorldConfig
from train.jobs import run_jobs
from train.model.vision import STRIDE
from train.world.palette import BOTTOM_COLOURS, CLOTH
from train.world.pose import ACTIONS
from train.world.sample import sample_script
from train.world.scene import PersonTruth, render_bodies
from train.world.script import BOTTOM_KINDS, HEIGHT_PX, ROOM_KINDS, TOP_KINDS, WIDTH_PX, Script
from train.world.traits import HEAD_TRAITS, TRAITS, Identity, look_alike, sample_identity, split_of

ACTION_NAMES: tuple[str, ...] = tuple(ACTIONS)
COLOUR_NAMES: tuple[str, ...] = tuple(CLOTH)
SLOTS = 3
JOINTS = 8
WIDE, WIDE_CROP = 1.5, 96
BOX_NOISE = 0.05
"""Deviation of a detected head's place and ln size, in heads, after the head encoder has corrected it."""
_CHUNK = 50
_SIZE = np.array([WIDTH_PX, HEIGHT_PX] * 2, dtype=np.float32)
_Job = tuple[Path, WorldConfig, int, int]


@dataclass(frozen=True, slots=True)
class WorldData:
    """The set, opened; arrays as in the module's docstring, images memory-mapped."""

    frames: NDArray[np.uint8]
    crops: NDArray[np.uint8]
    bodies: NDArray[np.uint8]
    truth: dict[str, NDArray[np.float32]]


def sample_people(config: WorldConfig) -> list[Identity]:
    """Identities of the training split; number 2k + 1 is a look-alike of number 2k."""
    people: list[Identity] = []
    for index in range(config.identities):
        rng = np.random.default_rng((config.seed, 1, index))
        if index % 2:
            twin = look_alike(people[-1], 1 + (index // 2) % 5, rng)
            while split_of(twin) != "train":
                twin = look_alike(people[-1], 1 + (index // 2) % 5, rng)
            people.append(twin)
        else:
            people.append(sample_identity(rng, "train"))
    return people


def cast_of(config: WorldConfig, people: Sequence[Identity], clip: int) -> tuple[list[int], Script]:
    """Who is in a clip of the set, in the script's order, and its script."""
    rng = np.random.default_rng((config.seed, 2, clip))
    who, turn = divmod(clip, config.clips_each)
    if turn == 0:
        script = sample_script(
            rng, people=[people[who]], night=False, foreground=False, head_px=(38.0, 72.0),
            facing_deg=float(rng.uniform(-35, 35)),
        )  # fmt: skip
        return [who], script
    others = int(rng.choice([0, 1, 2], p=[0.45, 0.38, 0.17]))
    held = who >= len(people) - config.held_out
    low, high = (len(people) - config.held_out, len(people)) if held else (0, len(people) - config.held_out)
    cast = [who]
    while len(cast) <= others:
        other = int(rng.integers(low, high))
        if other not in cast:
            cast.append(other)
    rng.shuffle(cast)
    return cast, sample_script(rng, people=[people[index] for index in cast])


def _render_chunk(job: _Job) -> int:
    folder, config, start, stop = job
    cv2.setNumThreads(1)
    spec = PixelSpec()
    people = sample_people(config)
    wide = replace(spec, crop=WIDE_CROP, crop_margin=spec.crop_margin * WIDE)
    frames = np.load(folder / "frames.npy", mmap_mode="r+")
    crops = np.load(folder / "crops.npy", mmap_mode="r+")
    bodies = np.load(folder / "bodies.npy", mmap_mode="r+")
    truth = _empty_truth(stop - start)
    box = letterbox(WIDTH_PX, HEIGHT_PX, spec)
    for clip in range(start, stop):
        cast, script = cast_of(config, people, clip)
        rng = np.random.default_rng((config.seed, 3, clip))
        begin = float(rng.uniform(0, max(0.0, script.duration_s - 2.0)))
        times = [begin + step / spec.window_fps for step in range(spec.window_frames)]
        pictures, facts, shown = render_bodies(script, times)
        row = clip - start
        _clip_truth(truth, row, script, cast)
        for t, (picture, people_now) in enumerate(zip(pictures, facts, strict=True)):
            frames[clip, t] = _bytes(resample(picture, box, spec.width, spec.height))
            for slot, fact in enumerate(people_now):
                _frame_truth(truth, row, t, slot, fact)
                crops[clip, t, slot] = _bytes(to_crop(picture, fact.head_box, wide))
                found = inexact_box(rng, fact.head_box)
                truth["cut"][row, t, slot] = found / _SIZE
                bodies[clip, t, slot] = _bytes(to_body_crop(picture, found, spec))
            truth["parts"][row, t] = cell_shares(shown[t], spec)
    save_arrays(folder / f"part-{start:06d}.npz", truth)
    return stop - start


def cell_shares(shown: NDArray[np.bool_], spec: PixelSpec) -> NDArray[np.float32]:
    """float32 (P,): the share of each cell of the scene encoder's grid in which pixels (H, W) are set."""
    rows, columns = spec.height // STRIDE, spec.width // STRIDE
    high, wide = shown.shape[0] // rows, shown.shape[1] // columns
    cells: NDArray[np.float32] = shown.reshape(rows, high, columns, wide).mean(axis=(1, 3), dtype=np.float32)
    return cells.reshape(-1)


def inexact_box(rng: np.random.Generator, box: Box) -> Box:
    """A box as it is found, of the same shape: moved and scaled at random."""
    x, y, w, h = box
    right, down, grow = (float(value) for value in rng.normal(0, BOX_NOISE, 3))
    scale = math.exp(grow)
    cx, cy = x + w * (0.5 + right), y + h * (0.5 + down)
    return (cx - w * scale / 2, cy - h * scale / 2, w * scale, h * scale)


def _bytes(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _empty_truth(count: int) -> dict[str, NDArray[np.float32]]:
    t = PixelSpec().window_frames
    shapes: dict[str, tuple[int, ...]] = {
        "who": (count, SLOTS), "action": (count, SLOTS), "top": (count, SLOTS), "kind": (count, SLOTS),
        "bottom": (count, SLOTS), "bottom_kind": (count, SLOTS), "room": (count,), "night": (count,),
        "seen": (count, t, SLOTS), "top_seen": (count, t, SLOTS), "bottom_seen": (count, t, SLOTS),
        "parts": (count, t, (PixelSpec().height // STRIDE) * (PixelSpec().width // STRIDE)),
        "cut": (count, t, SLOTS, 4), "pitch": (count, t, SLOTS),
        "yaw": (count, t, SLOTS), "head_px": (count, t, SLOTS), "head": (count, t, SLOTS, 4),
        "body": (count, t, SLOTS, 4), "joints": (count, t, SLOTS, JOINTS, 2),
    }  # fmt: skip
    truth = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    truth["who"] -= 1
    return truth


def _clip_truth(truth: dict[str, NDArray[np.float32]], row: int, script: Script, cast: Sequence[int]) -> None:
    truth["room"][row] = ROOM_KINDS.index(script.room.kind)
    truth["night"][row] = float(script.light.night)
    for slot, (who, person) in enumerate(zip(cast, script.people, strict=True)):
        truth["who"][row, slot] = who
        truth["action"][row, slot] = ACTION_NAMES.index(person.action)
        truth["top"][row, slot] = COLOUR_NAMES.index(person.clothes.top_colour)
        truth["kind"][row, slot] = TOP_KINDS.index(person.clothes.top_kind)
        truth["bottom"][row, slot] = BOTTOM_COLOURS.index(person.clothes.bottom_colour)
        truth["bottom_kind"][row, slot] = BOTTOM_KINDS.index(person.clothes.bottom_kind)


def _frame_truth(
    truth: dict[str, NDArray[np.float32]], row: int, t: int, slot: int, fact: PersonTruth
) -> None:
    size = _SIZE[:2]
    truth["seen"][row, t, slot] = fact.head_visible
    truth["top_seen"][row, t, slot] = fact.top_visible
    truth["bottom_seen"][row, t, slot] = fact.bottom_visible
    truth["pitch"][row, t, slot] = fact.head_pitch_deg
    truth["yaw"][row, t, slot] = fact.head_yaw_deg
    truth["head_px"][row, t, slot] = fact.head_height_px
    truth["head"][row, t, slot] = np.asarray(fact.head_box, dtype=np.float32) / _SIZE
    truth["body"][row, t, slot] = np.asarray(fact.body_box, dtype=np.float32) / _SIZE
    truth["joints"][row, t, slot] = np.asarray(list(fact.joints.values()), dtype=np.float32) / size


def render_world(folder: Path, config: WorldConfig, progress: Callable[[int, int], None]) -> None:
    """Render the set into `folder`, chunk by chunk; chunks that are already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    spec, total = PixelSpec(), config.identities * config.clips_each
    shape = (total, spec.window_frames)
    for name, tail in (
        ("frames.npy", (spec.height, spec.width, 3)),
        ("crops.npy", (SLOTS, WIDE_CROP, WIDE_CROP, 3)),
        ("bodies.npy", (SLOTS, spec.body_height, spec.body_width, 3)),
    ):
        if not (folder / name).exists():
            open_memmap(folder / name, mode="w+", dtype=np.uint8, shape=(*shape, *tail)).flush()
    jobs = [
        (folder, config, start, min(start + _CHUNK, total))
        for start in range(0, total, _CHUNK)
        if not (folder / f"part-{start:06d}.npz").exists()
    ]
    done = total - sum(stop - start for _, _, start, stop in jobs)
    for count in run_jobs(_render_chunk, jobs, config.processes):
        done += count
        progress(done, total)
    parts = [np.load(folder / f"part-{start:06d}.npz") for start in range(0, total, _CHUNK)]
    truth = {name: np.concatenate([part[name] for part in parts]) for name in parts[0].files}
    traits = [
        [TRAITS[name].values.index(getattr(person, name)) for name in HEAD_TRAITS]
        for person in sample_people(config)
    ]
    save_arrays(folder / "truth.npz", {**truth, "traits": np.asarray(traits, dtype=np.float32)})
    (folder / "done.json").write_text(json.dumps({"clips": total, "seed": config.seed}) + "\n")


def save_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write named arrays to one uncompressed .npz file, atomically."""
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, allow_pickle=False, **arrays)
    temporary.replace(path)


def open_world(folder: Path) -> WorldData:
    """Open a rendered set."""
    truth = np.load(folder / "truth.npz")
    return WorldData(
        frames=np.load(folder / "frames.npy", mmap_mode="r"),
        crops=np.load(folder / "crops.npy", mmap_mode="r"),
        bodies=np.load(folder / "bodies.npy", mmap_mode="r"),
        truth={name: truth[name] for name in truth.files},
    )

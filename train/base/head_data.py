"""Rendered heads of many people, two looks each, to learn identity from. Knows no network.

Every pair of crops shows somebody new. With a few thousand people an encoder learns them by heart: it reads
hair and skin, and remembers the nose. With tens of thousands it has to look.

* crops.npy uint8 (N, 2, 96, 96, 3): wide crops as in `train.base.world_data`, from two unrelated clips.
* truth.npz: `traits` int (N, head traits); `yaw` degrees, `head_px`, `seen` 0..1, `night` 0 or 1: (N, 2).

Person 2k + 1 is a look-alike of person 2k.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec, to_crop
from train.base.config import HeadDataConfig
from train.base.world_data import WIDE, WIDE_CROP, save_arrays
from train.jobs import run_jobs
from train.world.sample import sample_script
from train.world.scene import PersonTruth, frame_truth, render_frames
from train.world.traits import HEAD_TRAITS, TRAITS, Identity, look_alike, sample_identity, split_of

LOOKS = 2
MIN_SEEN, MIN_HEAD_PX = 0.35, 14.0
_CHUNK = 500
_TRIES = 6
_Job = tuple[Path, HeadDataConfig, int, int]


@dataclass(frozen=True, slots=True)
class HeadData:
    """The set, opened; arrays as in the module's docstring, crops memory-mapped."""

    crops: NDArray[np.uint8]
    truth: dict[str, NDArray[np.float32]]


def family(config: HeadDataConfig, number: int) -> tuple[Identity, Identity]:
    """Somebody of the training split, and a look-alike with one to five other head traits."""
    rng = np.random.default_rng((config.seed, 50, number))
    one = sample_identity(rng, "train")
    other = look_alike(one, 1 + number % 5, rng)
    while split_of(other) != "train":
        other = look_alike(one, 1 + number % 5, rng)
    return one, other


def render_heads(folder: Path, config: HeadDataConfig, progress: Callable[[int, int], None]) -> None:
    """Render the set into `folder`, chunk by chunk; chunks that are already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    count = config.people
    if not (folder / "crops.npy").exists():
        shape = (count, LOOKS, WIDE_CROP, WIDE_CROP, 3)
        open_memmap(folder / "crops.npy", mode="w+", dtype=np.uint8, shape=shape).flush()
    starts = range(0, count, _CHUNK)
    jobs: list[_Job] = [
        (folder, config, start, min(start + _CHUNK, count))
        for start in starts
        if not _part(folder, start).exists()
    ]
    done = count - sum(stop - start for _, _, start, stop in jobs)
    for rendered in run_jobs(_render_chunk, jobs, config.processes):
        done += rendered
        progress(done, count)
    parts = [np.load(_part(folder, start)) for start in starts]
    save_arrays(
        folder / "truth.npz",
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0].files},
    )
    (folder / "done.json").write_text(json.dumps({"people": count, "seed": config.seed}) + "\n")


def open_heads(folder: Path) -> HeadData:
    """Open a rendered set."""
    truth = np.load(folder / "truth.npz")
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    return HeadData(crops, {name: truth[name] for name in truth.files})


def _part(folder: Path, start: int) -> Path:
    return folder / f"part-{start:06d}.npz"


def _render_chunk(job: _Job) -> int:
    folder, config, start, stop = job
    cv2.setNumThreads(1)
    spec = PixelSpec()
    wide = replace(spec, crop=WIDE_CROP, crop_margin=spec.crop_margin * WIDE)
    crops = np.load(folder / "crops.npy", mmap_mode="r+")
    size = stop - start
    truth = {name: np.zeros((size, LOOKS), dtype=np.float32) for name in ("yaw", "head_px", "seen", "night")}
    truth["traits"] = np.zeros((size, len(HEAD_TRAITS)), dtype=np.float32)
    for person in range(start, stop):
        identity, row = family(config, person // 2)[person % 2], person - start
        truth["traits"][row] = [TRAITS[name].values.index(getattr(identity, name)) for name in HEAD_TRAITS]
        for look in range(LOOKS):
            rng = np.random.default_rng((config.seed, 51, person, look))
            picture, fact, night = _look(rng, identity)
            cut = to_crop(picture, fact.head_box, wide)
            crops[person, look] = np.clip(np.rint(cut), 0, 255).astype(np.uint8)
            truth["yaw"][row, look], truth["head_px"][row, look] = fact.head_yaw_deg, fact.head_height_px
            truth["seen"][row, look], truth["night"][row, look] = fact.head_visible, float(night)
    save_arrays(_part(folder, start), truth)
    return size


def _look(rng: np.random.Generator, identity: Identity) -> tuple[NDArray[np.uint8], PersonTruth, bool]:
    """A moment in which the head is in view, as far as a few tries find one."""
    for _ in range(_TRIES):
        script = sample_script(rng, people=[identity])
        t_s = float(rng.uniform(0, script.duration_s))
        (fact,) = frame_truth(script, t_s)
        if fact.head_visible > MIN_SEEN and fact.head_height_px > MIN_HEAD_PX:
            break
    pictures, facts = render_frames(script, [t_s])
    return pictures[0], facts[0][0], script.light.night

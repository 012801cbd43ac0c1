"""Renders a seed's households, one folder each; what is there is kept. Knows no answers.

Besides the clips: `still/<clip_id>.mp4`, one moment held, for actions that must need time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from train.evaluate.config import EvaluateConfig
from train.evaluate.homes import Home, home_scripts, home_sizes, reference_of, sample_home
from train.jobs import run_jobs
from train.world.files import write_clip, write_video
from train.world.scene import frame_times, render_frame
from train.world.script import Script
from train.world.traits import identity_to_json

HOUSEHOLD, STILL = "household.json", "still"
_Job = tuple[Path, int, int, int, int]


def render_seed(
    folder: Path, seed: int, config: EvaluateConfig, progress: Callable[[int, int], None]
) -> None:
    """Write every household of a seed into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = home_sizes(config)
    jobs = [(folder, seed, number, size, config.strangers) for number, size in enumerate(sizes)]
    done = 0
    progress(0, len(jobs))
    for count in run_jobs(_render, jobs, config.processes):
        done += count
        progress(done, len(jobs))


def _render(job: _Job) -> int:
    root, seed, number, size, strangers = job
    cv2.setNumThreads(1)
    home = sample_home(seed, number, size, strangers)
    folder = root / home.name
    about = json.dumps(_about(home, seed), indent=1) + "\n"
    told = folder / HOUSEHOLD
    if told.exists() and told.read_text(encoding="utf-8") == about:
        return 1
    (folder / STILL).mkdir(parents=True, exist_ok=True)
    members = {one.person_id: one.identity for one in home.world.members}
    for script in home_scripts(home):
        write_clip(folder, script, members)
        if any(person.person_id in members for person in script.people):
            _write_still(folder / STILL, script)
    told.write_text(about, encoding="utf-8")
    return 1


def _write_still(folder: Path, script: Script) -> None:
    """The middle of the clip, held for as long as the clip lasts."""
    count = max(1, round(script.duration_s * script.fps))
    moment = frame_times(script.fps, count)[count // 2]
    frame, _ = render_frame(script, moment)
    write_video(folder / f"{script.clip_id}.mp4", np.repeat(frame[None], count, axis=0), script.fps)


def _about(home: Home, seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "members": [
            {
                "person_id": one.person_id,
                "name": one.name,
                "reference": reference_of(one.person_id),
                "identity": identity_to_json(one.identity),
            }
            for one in home.world.members
        ],
        "look_alikes": [
            {"person_id": one.who.person_id, "of": one.of, "differing": one.differing} for one in home.doubles
        ],
        "strangers": len(home.strangers),
    }

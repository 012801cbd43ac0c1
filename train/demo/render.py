"""The story's clips as mp4 files, rendered once and kept. Knows no questions and no product."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from train.demo.story import Story
from train.world.files import write_clip
from train.world.script import VERSION, script_to_json


def world_key(story: Story) -> str:
    """Names a rendered world: its seed, the version of the drawing, and what is in the scripts."""
    scripts = [script_to_json(script) for script in story.scripts()]
    digest = hashlib.sha256(json.dumps(scripts, sort_keys=True).encode()).hexdigest()
    return f"seed{story.world.seed}-v{VERSION}-{digest[:12]}"


def render_world(story: Story, cache: Path, progress: Callable[[int, int], None]) -> dict[str, Path]:
    """Video files by clip id; rendered into `cache`, whole or not at all, unless they are there already."""
    scripts = list(story.scripts())
    folder = cache / world_key(story)
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(".rendering-*"):
            shutil.rmtree(old)
        unfinished = cache / f".rendering-{folder.name}"
        others = {member.person_id: member.identity for member in story.world.everybody()}
        progress(0, len(scripts))
        for done, script in enumerate(scripts, start=1):
            write_clip(unfinished, script, others)
            progress(done, len(scripts))
        unfinished.rename(folder)
    return {script.clip_id: folder / f"{script.clip_id}.mp4" for script in scripts}

"""`person test NAME --clip FILE`: is this person in this clip?"""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.ask import answer_arguments, answer_json, ask_clip, render
from device.cli.output import Output
from device.config import load_config
from device.household import clip_file, find_person
from device.paths import Home
from device.store.store import Store
from runtime.contract.dialogue import Intent, exit_code
from runtime.contract.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who, and where."""
    parser.add_argument("name", metavar="NAME", help="name or alias")
    parser.add_argument(
        "--clip", type=Path, required=True, metavar="FILE", help="a video that was not learned from"
    )
    parser.add_argument("--exit-code", action="store_true", help="exit 0 for yes, 1 for no")
    answer_arguments(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code as `ask` has it."""
    home = Home.from_environment()
    config = load_config(home.config_file)
    clip = clip_file(args.clip)
    with Store.open(home) as store:
        person = find_person(store, args.name)
        if person.subject not in store.household().subjects:
            raise UsageError(
                f"{person.subject.name} is not looked for: paused, or consent has ended.",
                f"Enrol again with `pvchat-edge person add {person.subject.name!r} --replace`.",
            )
        answer = ask_clip(store, config, Intent("existence", (person.subject.subject_id,)), clip, args)
    code = exit_code(answer, strict=args.exit_code)
    data = {"name": person.subject.name, "clip": str(clip), **answer_json(answer), "exit_code": code}
    out.result(data, render(answer))
    return code

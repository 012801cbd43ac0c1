"""`python -m train.world OUT --seed 7 --households 1`: writes synthetic households as folders of clips.

Knows no training; ends with one line of JSON that says what was written.
"""

import argparse
import json
from pathlib import Path

from train.world.dataset import query_scripts, reference_script
from train.world.files import write_clip
from train.world.household import sample_household
from train.world.traits import differing_traits, identity_to_json


def main() -> None:
    """Writes `OUT/household-<seed>/` for each household."""
    parser = argparse.ArgumentParser(prog="python -m train.world", description="Render synthetic households.")
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--seed", type=int, default=7, help="seed of the first household")
    parser.add_argument("--households", type=int, default=1, help="how many households")
    parser.add_argument("--members", type=int, default=3, help="members of each")
    parser.add_argument("--clips", type=int, default=4, help="query clips of each person")
    options = parser.parse_args()
    written = 0
    for seed in range(options.seed, options.seed + options.households):
        written += _write_household(
            options.out / f"household-{seed:04d}", seed, options.members, options.clips
        )
    print(json.dumps({"out": str(options.out), "households": options.households, "clips": written}))


def _write_household(folder: Path, seed: int, members: int, clips: int) -> int:
    world = sample_household(seed, members)
    others = {member.person_id: member.identity for member in world.everybody()}
    scripts = [reference_script(world, member) for member in world.members] + query_scripts(world, clips)
    for script in scripts:
        write_clip(folder, script, others)
    about = {
        "seed": seed,
        "members": [
            {"person_id": one.person_id, "name": one.name, "identity": identity_to_json(one.identity)}
            for one in world.members
        ],
        "stranger": identity_to_json(world.stranger.identity),
        "look_alike": {
            "of": world.members[0].person_id,
            "differs_in": differing_traits(world.members[0].identity, world.look_alike.identity),
            "identity": identity_to_json(world.look_alike.identity),
        },
    }
    (folder / "household.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return len(scripts)


if __name__ == "__main__":
    main()

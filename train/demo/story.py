"""What happens in the demo: who is where on which camera, which clips there are, and what is asked.

Knows no answers and no files. What is true is worked out by `train.demo.truth`, after an answer has come in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from runtime.contract.dialogue import Kind
from train.demo.casting import Director
from train.world.dataset import reference_script
from train.world.household import HouseholdWorld, Member, sample_household
from train.world.script import Script

ROOM_NAMES: Mapping[str, str] = {"kitchen": "kitchen", "living_room": "living room"}
"""The rooms with a camera, as the household says them."""
Topic = Literal[
    "present", "absent", "look-alike", "stranger", "appearance", "action", "location", "two people", "who",
    "empty room", "clip", "update",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """One question, and what it is about in the world's own words (never handed to the product).

    Attributes:
        text: what is typed.
        topic: why it is asked.
        kind: as the runtime's own kinds.
        people: ids of the members asked about; empty for who and stranger.
        room: kind of the room asked about; None: everywhere.
        clip: id of the clip asked about; None: the cameras.
    """

    text: str
    topic: Topic
    kind: Kind
    people: tuple[str, ...] = ()
    room: str | None = None
    clip: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What the cameras show for a while, by kind of room, and what is asked meanwhile."""

    name: str
    cameras: Mapping[str, Script]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything of one demo.

    Attributes:
        references: the one clip that each member is learned from, by person id.
        clips: video files that questions are asked about, by clip id.
        clip_questions: about these.
        update_question: asked again and again while an update is installed; its answer must not change.
        update_clip_question: asked afterwards: the better adapter must not take the look-alike either.
    """

    world: HouseholdWorld
    references: Mapping[str, Script]
    scenes: tuple[Scene, ...]
    clips: Mapping[str, Script]
    clip_questions: tuple[Question, ...]
    update_question: Question
    update_clip_question: Question

    @property
    def names(self) -> dict[str, str]:
        """Display names of the members by person id."""
        return {member.person_id: member.name for member in self.world.members}

    def scripts(self) -> Iterator[Script]:
        """Every clip to be rendered."""
        yield from self.references.values()
        for scene in self.scenes:
            yield from scene.cameras.values()
        yield from self.clips.values()

    def shown(self, question: Question, scene: Scene) -> tuple[Script, ...]:
        """The scripts of what a question is about."""
        if question.clip is not None:
            return (self.clips[question.clip],)
        return tuple(
            script for room, script in scene.cameras.items() if question.room is None or room == question.room
        )


def build_story(seed: int) -> Story:
    """The story of one seed: the same scripts every time."""
    world = sample_household(seed, members=3)
    director = Director(world)
    first, second, third = world.members
    video, other_video = f"clip-{third.person_id}", f"clip-{world.look_alike.person_id}"
    clips = {
        video: director.clip(third, "bedroom", "waving"),
        other_video: director.clip(world.look_alike, "hallway", "drinking"),
    }
    one, grandma = (first.person_id,), first.name
    return Story(
        world=world,
        references={member.person_id: reference_script(world, member) for member in world.members},
        scenes=(
            _morning(director, first, second, third),
            _visitors(director, first, second, third),
            _evening(director, first, third),
        ),
        clips=clips,
        clip_questions=(
            Question(f"Is {third.name} in this clip?", "clip", "existence", (third.person_id,), clip=video),
            Question(f"Is {second.name} in this clip?", "clip", "existence", (second.person_id,), clip=video),
        ),
        update_question=Question(
            f"Is {grandma} in the living room?", "update", "existence", one, "living_room"
        ),
        update_clip_question=Question(
            f"Is {grandma} in this clip?", "look-alike", "existence", one, clip=other_video
        ),
    )  # fmt: skip


def _morning(director: Director, first: Member, second: Member, third: Member) -> Scene:
    one, two, three = first.person_id, second.person_id, third.person_id
    return Scene(
        "Morning: everybody is at home",
        {
            "kitchen": director.scene("morning", "kitchen", [first], ["drinking"]),
            "living_room": director.scene("morning", "living_room", [second, third], ["waving", "nodding"]),
        },
        (
            Question(f"Is {first.name} in the kitchen?", "present", "existence", (one,), "kitchen"),
            Question(f"Is {second.name} in the kitchen?", "absent", "existence", (two,), "kitchen"),
            Question(f"What is {first.name} wearing?", "appearance", "appearance", (one,)),
            Question(f"What is {first.name} doing?", "action", "action", (one,)),
            Question(f"Where is {second.name}?", "location", "location", (two,)),
            Question(
                f"Are {second.name} and {third.name} in the living room?",
                "two people", "existence", (two, three), "living_room",
            ),
            Question(
                f"Are {first.name} and {second.name} in the kitchen?",
                "two people", "existence", (one, two), "kitchen",
            ),
            Question("Who is in the living room?", "who", "who", (), "living_room"),
        ),
    )  # fmt: skip


def _visitors(director: Director, first: Member, second: Member, third: Member) -> Scene:
    one, two, three = first.person_id, second.person_id, third.person_id
    world, lounge = director.world, "living_room"
    return Scene(
        f"Visitors: a look-alike of {first.name}, and a stranger",
        {
            "kitchen": director.scene("visitors", "kitchen", [world.look_alike], ["stirring"]),
            "living_room": director.scene("visitors", "living_room", [world.stranger], ["holding"]),
        },
        (
            Question(f"Is {first.name} in the kitchen?", "look-alike", "existence", (one,), "kitchen"),
            Question(f"Is {first.name} home?", "look-alike", "existence", (one,)),
            Question(f"Is {second.name} in the living room?", "stranger", "existence", (two,), lounge),
            Question(f"Is {third.name} in the living room?", "stranger", "existence", (three,), lounge),
            Question("Is there a stranger in the living room?", "stranger", "stranger", (), lounge),
        ),
    )  # fmt: skip


def _evening(director: Director, first: Member, third: Member) -> Scene:
    one, three = first.person_id, third.person_id
    return Scene(
        "Evening: the kitchen is empty",
        {
            "kitchen": director.scene("evening", "kitchen", [], []),
            "living_room": director.scene("evening", "living_room", [first], ["sweeping"]),
        },
        (
            Question(f"Is {third.name} in the kitchen?", "empty room", "existence", (three,), "kitchen"),
            Question(f"Where is {first.name}?", "location", "location", (one,)),
            Question(f"What is {first.name} doing?", "action", "action", (one,)),
        ),
    )  # fmt: skip

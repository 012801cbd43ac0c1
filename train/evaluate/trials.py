"""What was asked and what came back, with the truth from the clips' scripts. Knows no models.

Truth is looked up after the answers are in; it decides right or wrong and is in no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from runtime.contract.dialogue import Kind
from runtime.contract.prompt import with_names
from train.augment.bank_facts import Fact
from train.augment.bank_words import ACTION_PHRASES
from train.augment.questions import make_qa, slots_in
from train.evaluate.folder import Enrolled, Household
from train.world.files import ClipRecord, PersonRecord
from train.world.palette import BOTTOM_COLOURS, CLOTH
from train.world.script import BOTTOM_KINDS, ROOM_PHRASES, TOP_KINDS
from train.world.sight import recognisable
from train.world.traits import HEAD_TRAITS, TRAITS, Identity

Case = Literal["present", "lookalike", "member", "stranger", "empty"]
Asked = Literal["action", "appearance", "location", "action_one_frame"]
NAME = "Anna"
"""The name that every description is asked for: it is in the sentence, and counts for nobody."""
CHILD_BELOW_CM = 150.0
_MIN_SHARE = 0.5
_CLOTHES = {
    "top_colour": CLOTH, "top_kind": TOP_KINDS, "bottom_colour": BOTTOM_COLOURS, "bottom_kind": BOTTOM_KINDS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Presence:
    """`Is M here?` about one clip.

    Attributes:
        household, size: which, and how many members it has.
        case: who is in the clip at the most: M, a look-alike of M, another member, a stranger, nobody.
        differing: head traits in which the look-alike differs, else 0.
        told: whether the truth can be seen: enough of M, or of everybody in view that this is not M.
        hidden: somebody is in view of whom nothing can be told.
        verdict, probability: the answer; probability is None when nothing was seen.
        oracle: the verdict of somebody who sees every trait that is in view; empty: looks are not known.
        night, head_px, wearing, skin, child: for splits; `wearing` is the kind of top of whoever is in view
            (of the member, if there); skin and child are the member's, empty and None if not known.
    """

    household: str
    size: int
    clip: str
    member: str
    case: Case
    differing: int
    told: bool
    hidden: bool
    verdict: str
    probability: float | None
    oracle: str
    night: bool
    head_px: float
    wearing: str
    skin: str
    child: bool | None


@dataclass(frozen=True, slots=True)
class Description:
    """A description of somebody who is there and can be told.

    Attributes:
        wanted: what it must claim; said: the sentence, empty when none was given; gold: the canonical answer.
        right: by slot.
    """

    household: str
    size: int
    clip: str
    kind: Asked
    said: str
    gold: str
    wanted: Mapping[str, str] = field(default_factory=dict)
    right: Mapping[str, bool] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether every slot is right; no answer is not."""
        return bool(self.right) and all(self.right.values())


def presence_trial(
    home: Household, clip: ClipRecord, member: Enrolled, verdict: str, probability: float | None
) -> Presence:
    """One answer beside its truth."""
    case, differing = _case(home, clip, member.person_id)
    mine = [person for person in clip.people if person.person_id == member.person_id]
    told = mine[0].decidable if mine else all(p.tellable_from(member.person_id) for p in clip.people)
    looks = member.identity
    return Presence(
        household=home.name,
        size=len(home.members),
        clip=clip.clip_id,
        member=member.person_id,
        case=case,
        differing=differing,
        told=told,
        hidden=any(not person.decidable for person in mine or clip.people),
        verdict=verdict,
        probability=probability,
        oracle=_oracle(clip, looks),
        night=clip.night,
        head_px=max((person.head_px for person in mine or clip.people), default=0.0),
        wearing=next((person.clothes.get("top_kind", "") for person in mine or clip.people), ""),
        skin=looks.skin_tone if looks else "",
        child=looks.height_cm < CHILD_BELOW_CM if looks else None,
    )


def _case(home: Household, clip: ClipRecord, member: str) -> tuple[Case, int]:
    people = {person.person_id for person in clip.people}
    if member in people:
        return "present", 0
    alike = [home.look_alikes[who] for who in people if who in home.look_alikes]
    of_member = [differing for of, differing in alike if of == member]
    if of_member:
        return "lookalike", min(of_member)
    if people & {one.person_id for one in home.members}:
        return "member", 0
    return ("stranger" if people else "empty"), 0


def _oracle(clip: ClipRecord, looks: Identity | None) -> str:
    """Sees who is in the script as far as traits are in view, and compares them with the member's looks.

    It knows no ids: somebody who agrees in every trait in view, at least three, is taken for the member.
    """
    if looks is None or clip.script is None:
        return ""
    verdicts = []
    drawn = {person.person_id: person.identity for person in clip.script.people}
    for person in clip.people:
        seen = [name for name in HEAD_TRAITS if person.visible.get(name, 0.0) >= TRAITS[name].min_head_px]
        other = drawn[person.person_id]
        if any(getattr(other, name) != getattr(looks, name) for name in seen):
            verdicts.append("no")
        else:
            verdicts.append("yes" if recognisable(person.visible) else "unsure")
    return next((said for said in ("yes", "unsure") if said in verdicts), "no")


def describable(person: PersonRecord, clip: ClipRecord) -> list[Asked]:
    """What can be asked of somebody in a clip: it can be seen, and there are words for it."""
    asked: list[Asked] = []
    if not person.decidable:
        return asked
    if clip.room in ROOM_PHRASES:
        asked.append("location")
    if person.action_share >= _MIN_SHARE and person.action in ACTION_PHRASES:
        asked.append("action")
    seen = min(person.top_share, person.bottom_share) >= _MIN_SHARE and not clip.night
    if seen and all(person.clothes.get(name) in values for name, values in _CLOTHES.items()):
        asked.append("appearance")
    return asked


def intent_of(kind: Asked) -> Kind:
    """The kind of question that asks for this."""
    return "action" if kind == "action_one_frame" else kind


def description_trial(
    home: Household, clip: ClipRecord, person: PersonRecord, kind: Asked, said: str
) -> Description:
    """One description beside what it must claim; `said` is empty when there was no answer."""
    clothes = person.clothes
    fact = Fact(
        0, True, action=person.action, room=clip.room, top_color=clothes.get("top_colour"),
        top_kind=clothes.get("top_kind"), bottom_color=clothes.get("bottom_colour"),
        bottom_kind=clothes.get("bottom_kind"),
    )  # fmt: skip
    qa = make_qa(np.random.default_rng(0), [fact], intent_of(kind), (0,), canonical_share=1.0)
    claimed = slots_in(said)
    right = {name: claimed.get(name) == value for name, value in qa.target.items()}
    gold = with_names(qa.answer, {0: NAME})
    return Description(home.name, len(home.members), clip.clip_id, kind, said, gold, dict(qa.target), right)

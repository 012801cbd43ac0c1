"""What a clip lets one see of everybody in it, and whether that is enough to tell two people apart.

Knows no pixel values: it goes by geometry (turn, size, cover) and infrared. Thresholds are in
`traits.TRAITS`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from train.world.palette import HAIR, SKIN
from train.world.scene import PersonTruth, frame_times, frame_truth
from train.world.script import HEIGHT_PX, WIDTH_PX, Script
from train.world.traits import HEAD_TRAITS, TRAITS, Identity

MIN_HEAD_VISIBLE = 0.6  # share of the head that must be uncovered for its traits to count
MIN_GARMENT_VISIBLE = 0.6  # share of trunk or legs that must be uncovered for what covers them to be told
_GRID_FPS = 4.0
_MIN_CONTRAST = 60
HAND_ACTIONS = frozenset(
    {
        "waving",
        "raising_hand",
        "lowering_hand",
        "drinking",
        "holding",
        "stirring",
        "sweeping",
        "reaching",
        "bending",
    }
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What can be seen of one person over a clip.

    `traits`: for each trait the largest head height in pixels at which it was in view, 0 if it never was.
    `head_px`: largest visible head height. `action_share`: share of frames in which what the action is told
    by (the head, for hand actions the right hand too) is inside the frame. `top_share`, `bottom_share`: share
    of frames in which most of the trunk, and of the legs, can be seen.
    """

    person_id: str
    traits: Mapping[str, float]
    head_px: float
    action_share: float
    top_share: float
    bottom_share: float


def sights(script: Script, times_s: Sequence[float] | None = None) -> dict[str, Sight]:
    """By person id; without times, on a grid of 4 frames a second over the whole clip."""
    if times_s is None:
        times_s = frame_times(_GRID_FPS, max(1, int(script.duration_s * _GRID_FPS)))
    moments = [frame_truth(script, t_s) for t_s in times_s]
    return sights_of(script, moments)


def sights_of(script: Script, moments: Sequence[Sequence[PersonTruth]]) -> dict[str, Sight]:
    """The same from truths that are at hand."""
    found = {}
    for index, person in enumerate(script.people):
        truths = [moment[index] for moment in moments]
        seen = [truth for truth in truths if truth.head_visible >= MIN_HEAD_VISIBLE]
        night = script.light.night
        found[person.person_id] = Sight(
            person_id=person.person_id,
            traits={name: _trait_px(name, person.identity, seen, night) for name in TRAITS},
            head_px=max((truth.head_height_px for truth in seen), default=0.0),
            action_share=_mean(_shows_action(truth) for truth in truths),
            top_share=_mean(truth.top_visible >= MIN_GARMENT_VISIBLE for truth in truths),
            bottom_share=_mean(truth.bottom_visible >= MIN_GARMENT_VISIBLE for truth in truths),
        )
    return found


def hidden_by_looks(name: str, identity: Identity, night: bool = False) -> bool:
    """Whether other traits hide this one.

    No hair has no colour, a fringe covers brows, long hair the jaw, a full beard the mouth; by day, brows
    and beards in the colour of the skin, lips on brown and the nose's shadow on dark skin are hard to see.
    """
    if name == "hair_colour":
        return identity.hair_style == "bald"
    if name == "face_shape":
        return identity.hair_style in ("long", "bob")
    pale = not night and _contrast(identity) < _MIN_CONTRAST
    if name == "eyebrows":
        return identity.hair_style == "bob" or pale
    if name == "beard":
        return pale
    if name == "nose":
        return not night and identity.skin_tone == "dark"
    return name == "mouth" and (
        identity.beard == "full" or (not night and identity.skin_tone in ("brown", "dark"))
    )


def _contrast(identity: Identity) -> int:
    """The largest difference of a channel between skin and hair, 0..255."""
    skin, hair = SKIN[identity.skin_tone], HAIR[identity.hair_colour]
    return max(abs(first - second) for first, second in zip(skin, hair, strict=True))


def _trait_px(name: str, identity: Identity, seen: Iterable[PersonTruth], night: bool) -> float:
    trait = TRAITS[name]
    if (night and trait.needs_colour) or hidden_by_looks(name, identity, night):
        return 0.0
    heights = (truth.head_height_px for truth in seen if abs(truth.head_yaw_deg) <= trait.max_yaw_deg)
    return round(max(heights, default=0.0), 1)


def decidable(visible: Mapping[str, float], differing: Iterable[str]) -> bool:
    """Whether a clip in which these traits are visible (pixels of head height) can tell apart two people.

    True if at least one head trait in which they differ was in view with at least its `min_head_px`.
    Height, build and manner never decide: clothes, distance and furniture hide them.
    """
    return any(
        visible.get(name, 0.0) >= TRAITS[name].min_head_px for name in differing if name in HEAD_TRAITS
    )


def recognisable(visible: Mapping[str, float]) -> bool:
    """Whether somebody can be told from strangers in general: at least three head traits are in view."""
    return sum(visible.get(name, 0.0) >= TRAITS[name].min_head_px for name in HEAD_TRAITS) >= 3


def _mean(facts: Iterable[bool]) -> float:
    values = list(facts)
    return sum(values) / max(1, len(values))


def _inside(spot: tuple[float, float]) -> bool:
    x, y = spot
    return 0 <= x < WIDTH_PX and 0 <= y < HEIGHT_PX


def _shows_action(truth: PersonTruth) -> bool:
    if not _inside(truth.joints["head"]):
        return False
    return truth.action not in HAND_ACTIONS or _inside(truth.joints["right_hand"])

"""What a clip shows of somebody and what it lacks, in words. Knows no files and no engines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.contract.serving import PeopleNearest
from runtime.contract.sources import PersonSource
from runtime.people.views import PersonView
from runtime.session.light import Light

_FEW_VIEWS = 6
_GOOD_QUALITY = 0.5
_SMALL_SPREAD = {"head": 0.06, "face": 0.008}
_ALIKE = {"head": (0.85, 0.54), "face": (0.67, 0.55)}
"""Likenesses of templates from which somebody enrolled is called very alike, and alike.

Heads: the same person in another rendered clip reaches 0.85 in the median, and 99 % of other people stay
below 0.54. Faces: see `face_calibration`.
"""
_SIDES = ("front", "left", "right", "behind")
_FRONT_DEG, _BEHIND_DEG = 25.0, 100.0
_IN_OTHER_LIGHT: dict[Light, str] = {
    "dark": "it is dark: more light on the face would help.",
    "backlit": "the light comes from behind: let the person face the window or the lamp.",
    "glaring": "the light is too hard: parts of the head are plain white.",
    "colourless": "the picture has no colour (a night camera?): a clip by day would help.",
}


def seen_from(views: Sequence[PersonView]) -> tuple[str, ...]:
    """The sides from which views show a head, in a fixed order; none where the base tells no pose."""
    sides = {_side(view.yaw_deg) for view in views if view.yaw_deg is not None}
    return tuple(side for side in _SIDES if side in sides)


def _side(yaw_deg: float) -> str:
    if abs(yaw_deg) <= _FRONT_DEG:
        return "front"
    if abs(yaw_deg) >= _BEHIND_DEG:
        return "behind"
    return "right" if yaw_deg > 0 else "left"


def hints(
    kept: Sequence[PersonView], quality: float, light: Light, nearest: PeopleNearest | None,
    source: PersonSource,
) -> tuple[str, ...]:  # fmt: skip
    """What would make the enrolment better, the most important first; nothing: it is good."""
    found = []
    what = "face" if source == "face" else "head"
    if len(kept) < _FEW_VIEWS:
        found.append(f"only {len(kept)} usable views: a longer clip would help.")
    if quality < _GOOD_QUALITY:
        found.append(f"the {what} is small or blurred: come closer to the camera, or use more light.")
    if light in _IN_OTHER_LIGHT:
        found.append(_IN_OTHER_LIGHT[light])
    found += _of_sides(kept, source)
    if nearest is not None:
        high, some = _ALIKE[source]
        if nearest.similarity >= some:
            risk = "high" if nearest.similarity >= high else "some"
            found.append(f"{risk} risk of confusion with somebody already enrolled: expect more `unsure`.")
    return tuple(found)


def _of_sides(kept: Sequence[PersonView], source: PersonSource) -> list[str]:
    sides = seen_from(kept)
    aside = [f"the {side}" for side in ("left", "right") if side not in sides]
    missing = [] if "front" in sides else ["from the front"]
    missing += [f"turned to {' or '.join(aside)}"] if aside else []
    if sides and missing:
        return [f"no view {' or '.join(missing)}: three seconds more of that would help."]
    embeddings = np.stack([view.embedding for view in kept])
    spread = float(1.0 - (embeddings @ embeddings.T).min())
    if not sides and len(kept) >= _FEW_VIEWS and spread < _SMALL_SPREAD[source]:
        return ["all views look alike: let the person turn to the left and to the right."]
    return []

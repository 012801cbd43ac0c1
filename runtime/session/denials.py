"""Evidence that is worth less because somebody else was once taken for the subject. Knows no verdicts.

Who was denied becomes a rival: learned from that sighting as a subject is from a clip, looked for with the
same instrument, never named. Somebody in view is then the subject, a rival, or anybody else. With L and D the
likelihood ratios of the subject and of a rival against anybody, the subject against all others has
L / ((1 - w) + w mean D), where w is how likely one of the others is a rival.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from runtime.contract.adapter import Adapter
from runtime.contract.calibration import MAX_LLR
from runtime.session.models import Models
from runtime.session.reference import ENROL_TOKENS, learn
from runtime.sightings import Sighting

_COMES_BACK = 0.5
"""Who was there once and taken for a member comes again: half of the others, where the household said so."""


def rival_of(models: Models, sighting: Sighting) -> Adapter | None:
    """The denied person as an adapter; None where this base cannot compare what was seen then."""
    shapes, base = models.manifest.shapes, models.manifest.base
    width = shapes["E" if sighting.source == "head" else "F"]
    if sighting.views.shape[1] != width or (sighting.source == "head" and sighting.base != base):
        return None
    seen = np.zeros((ENROL_TOKENS, shapes["E"]), dtype=np.float32)
    geom = np.zeros((ENROL_TOKENS, shapes["G"]), dtype=np.float32)
    valid = np.zeros(ENROL_TOKENS, dtype=np.float32)
    count = min(len(sighting.views), ENROL_TOKENS)
    if sighting.geom.shape != (len(sighting.views), shapes["G"]):
        return None
    seen[:count], geom[:count], valid[:count] = sighting.views[:count], sighting.geom[:count], 1.0
    inputs = {"person_embed": seen, "person_geom": geom, "person_valid": valid}
    arrays = learn(models, inputs, sighting.source, sighting.views)
    return Adapter(sighting.subject_id, base, "instant", 1, arrays)


def after_denials(llr: float, rivals: Sequence[float]) -> float:
    """The evidence left; never more than there was.

    Args:
        llr: for the subject; `rivals`: for each rival, about the same person; natural logarithms.
    """
    if not rivals:
        return llr
    likely = sum(math.exp(value) for value in rivals) / len(rivals)
    return max(-MAX_LLR, llr - max(0.0, math.log((1 - _COMES_BACK) + _COMES_BACK * likely)))

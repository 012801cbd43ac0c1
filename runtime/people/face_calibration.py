"""Calibration of faces on real footage, for bundles that bring none. Knows no engine."""

from __future__ import annotations

from runtime.contract.calibration import SourceCalibration

FACE_CALIBRATION = SourceCalibration(
    scale=15.7,
    bias=-9.42,
    quality_scale=0.0,
    provenance=(
        "Set by hand from measured likenesses (centred cosine of dlib's embeddings), not fitted. "
        "Photographs of 13 people from different occasions: the same person 0.78 in the median, 0.62 for "
        "95 % and 0.59 at least (90 pairs); others 0.43 at most for 99 %, 0.60 at most (1288 pairs). Clips: "
        "the same person and session 0.91 and more; others under the same camera up to 0.67. Hence 0.74 "
        "accepts (probability 0.9), 0.46 rejects (0.1), and what lies between is unsure."
    ),
)
"""llr = 15.7 x (likeness - 0.60)."""

COLOURLESS_TRUST = 0.5
"""What evidence from faces weighs where a camera sees by infrared, or in black and white.

61 faces of eight people in ordinary clips, and the same made infrared (red weighs most, blurred, noisier):
against their coloured reference the same people reach 0.64 in the median and 0.42 for 95 % (0.88 and 0.75 in
colour), others under one infrared camera up to 0.77 (0.68). Halved, 0.87 accepts and 0.33 rejects.
"""

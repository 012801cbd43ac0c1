"""What people are told apart by. Knows no arrays, so that what only asks needs no numpy."""

from __future__ import annotations

from typing import Literal

PersonSource = Literal["head", "face"]
"""head: the head encoder's embedding, in the rendered world; face: the face network's, on real footage."""
PERSON_SOURCES: tuple[PersonSource, ...] = ("head", "face")

"""Everything personal about one subject, as named arrays. Knows no files and no engines.

Arrays, all float32 and finite; Q, D, Dl, E, K, R are sizes of the base (manifest `shapes`):

* `queries` (Q, D): the subject's rows of the bridge.
* `soft_tokens` (W, Dl) and `token` (Dl,): the subject's words in the language model's prompt.
* `delta_a` (K, D, R), `delta_b` (K, R, D): low-rank changes of the bridge that act on this subject's rows.
* `views.head` (V, E), `views.face` (V, F): unit embeddings of the reference clip by source; at least one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import AdapterError
from runtime.contract.sources import PERSON_SOURCES, PersonSource

ADAPTER_SCHEMA = 1
MAX_VIEWS = 64
_SUBJECT_ID = re.compile(r"^s[0-9a-f]{32}$")
_SHAPES: dict[str, tuple[str, ...]] = {
    "queries": ("Q", "D"),
    "soft_tokens": ("W", "Dl"),
    "token": ("Dl",),
    "delta_a": ("K", "D", "R"),
    "delta_b": ("K", "R", "D"),
}
_VIEW_WIDTH = {"views.head": "E", "views.face": "F"}


@dataclass(frozen=True, slots=True)
class Adapter:
    """One subject's adapter.

    Attributes:
        subject_id: whom it is for.
        base: fingerprint of the training checkpoint it fits (the same for every profile and precision).
        kind: `instant` (one forward pass) or `trained`.
        release: counts up with every adapter of this subject, from 1.
        arrays: see the module's docstring.
    """

    subject_id: str
    base: str
    kind: Literal["instant", "trained"]
    release: int
    arrays: dict[str, NDArray[np.float32]]

    def views(self, source: PersonSource) -> NDArray[np.float32]:
        """float32 (V, E) unit embeddings of one source; V is 0 when the reference clip gave none."""
        empty = np.zeros((0, 1), dtype=np.float32)
        return self.arrays.get(f"views.{source}", empty)

    def template(self, source: PersonSource) -> NDArray[np.float32] | None:
        """float32 (E,) unit mean of the views of one source, or None."""
        views = self.views(source)
        if not len(views):
            return None
        mean = views.mean(axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), dtype=np.float32)


def check_adapter(adapter: Adapter, *, base: str, shapes: dict[str, int]) -> Adapter:
    """The adapter itself, if it fits the base and is sound.

    Args:
        base: fingerprint of the installed base.
        shapes: the manifest's sizes by letter (Q, D, Dl, E, F, K, R, and W, where it is not Q).

    Raises:
        AdapterError: another base, an unknown or missing array, a wrong shape or dtype, a value not finite.
    """
    who = adapter.subject_id[:9]
    if not _SUBJECT_ID.fullmatch(adapter.subject_id):
        raise AdapterError(f"adapter names subject {adapter.subject_id!r}, which is no subject id.")
    if adapter.base != base:
        raise AdapterError(
            f"adapter of {who} was made for base {adapter.base[:12]}, installed is {base[:12]}.",
            "Enrol this person again, or install the matching base.",
        )
    if adapter.release < 1:
        raise AdapterError(f"adapter of {who} has release {adapter.release}; releases count from 1.")
    missing = set(_SHAPES) - set(adapter.arrays)
    unknown = set(adapter.arrays) - set(_SHAPES) - set(_VIEW_WIDTH)
    if missing or unknown:
        names = sorted(missing | unknown)
        raise AdapterError(f"adapter of {who} has missing or unknown arrays: {', '.join(names)}.")
    for name, array in adapter.arrays.items():
        _check_array(who, name, array, shapes)
    if not any(len(adapter.views(source)) for source in PERSON_SOURCES):
        raise AdapterError(f"adapter of {who} holds no view of a head or a face.", "Enrol this person again.")
    return adapter


def _check_array(who: str, name: str, array: NDArray[np.float32], shapes: dict[str, int]) -> None:
    if name in _VIEW_WIDTH:
        width = shapes[_VIEW_WIDTH[name]]
        fits = array.ndim == 2 and array.shape[1] == width and len(array) <= MAX_VIEWS
        wanted = f"(1..{MAX_VIEWS}, {width})"
    else:
        sizes = {"W": shapes["Q"], **shapes}
        expected = tuple(sizes[letter] for letter in _SHAPES[name])
        fits, wanted = array.shape == expected, str(expected)
    if array.dtype != np.float32 or not fits:
        raise AdapterError(
            f"adapter of {who}: {name} is {array.dtype} {array.shape}, expected float32 {wanted}."
        )
    if not np.isfinite(array).all():
        raise AdapterError(f"adapter of {who}: {name} holds values that are not finite.", "Train it again.")

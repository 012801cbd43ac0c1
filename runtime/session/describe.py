"""What the language model says of one subject, over the windows that show it. Knows no verdicts.

A window of two seconds may begin or end in the middle of a deed, so several are heard together, word by word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.contract.clip import even_indices
from runtime.contract.dialogue import Kind
from runtime.contract.prompt import (
    NEVER_DESCRIBED,
    TEMPLATE_VERSION,
    BlockPiece,
    Piece,
    Spoken,
    build_prompt,
    canonical_question,
    with_names,
)
from runtime.engines.language import LanguageModel
from runtime.session.judge import Claim, Installed, rows_of
from runtime.session.models import Models
from runtime.session.observe import Observation, Window

Floats = NDArray[np.float32]
MOST_WINDOWS = 3
_MAX_TOKENS = 32


@dataclass(frozen=True, slots=True)
class PrefixKey:
    """Names all that comes before a question; equal keys, equal keys and values of the language model.

    Attributes:
        window: as `Window.key`: the clip's frames, and the place in it.
        subjects: id and sha256 of the adapter file of each slot, in order.
        template: as `template_hash`.
        engine: as `Models.engine_id`.
    """

    window: str
    subjects: tuple[tuple[str, str], ...]
    template: str
    engine: str


def template_hash(pieces: Sequence[Piece]) -> str:
    """sha256 of what a prompt is before its question, and of the template's version, in hex."""
    return hashlib.sha256(repr((TEMPLATE_VERSION, pieces[:-1])).encode()).hexdigest()


def describe(
    models: Models, language: LanguageModel, observation: Observation, installed: Sequence[Installed],
    claim: Claim, kind: Kind, name: str, check: Callable[[], None],
) -> Spoken:  # fmt: skip
    """What the windows about a claim's person say together, with a display name in it; only of that person.

    Args:
        installed: everybody enrolled; the claim's subject is among them.
        check: called before every window and word; raises to stop.
    """
    group, asked = _together(models, observation, installed, claim.subject_id)
    pieces = build_prompt(len(group), canonical_question(kind, [asked]))
    subjects = tuple((one.adapter.subject_id, one.sha256) for one in group)
    windows = [observation.windows[number] for number in windows_about(observation, claim)]
    spoken = language.generate(
        {
            PrefixKey(window.key, subjects, template_hash(pieces), models.engine_id): _Blocks(
                models, window, group
            )
            for window in windows
        },
        pieces,
        slots=[asked],
        max_tokens=_MAX_TOKENS,
        without=NEVER_DESCRIBED,
        check=check,
    )
    return Spoken(with_names(spoken.text, {asked: name}), spoken.confidence)


def windows_about(observation: Observation, claim: Claim) -> list[int]:
    """At most `MOST_WINDOWS` windows in which the claim's person is in view, evenly; the claim's is one."""
    about = [
        number
        for number, window in enumerate(observation.windows)
        if claim.person in window.people and number != claim.window
    ]
    free = min(MOST_WINDOWS - 1, len(about))
    return [claim.window, *(about[index] for index in even_indices(len(about), free))]


class _Blocks(Mapping[BlockPiece, Floats]):
    """A prompt's blocks. The bridge runs when the first is looked up: later questions need none."""

    def __init__(self, models: Models, window: Window, group: Sequence[Installed]) -> None:
        self._models, self._window, self._group = models, window, group
        self._made: dict[BlockPiece, Floats] = {}

    def __getitem__(self, piece: BlockPiece) -> Floats:
        return self._all()[piece]

    def __iter__(self) -> Iterator[BlockPiece]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[BlockPiece, Floats]:
        if not self._made:
            rows = rows_of(self._models, self._window, [one.adapter for one in self._group])
            blocks = {BlockPiece("video"): rows.base}
            for slot, one in enumerate(self._group):
                blocks[BlockPiece("token", slot)] = one.adapter.arrays["token"][None]
                blocks[BlockPiece("soft", slot)] = one.adapter.arrays["soft_tokens"]
                blocks[BlockPiece("rows", slot)] = rows.subjects[slot]
            self._made = blocks
        return self._made


def _together(
    models: Models, observation: Observation, installed: Sequence[Installed], subject_id: str
) -> tuple[list[Installed], int]:
    """Whose prompt this is: enrolled subjects side by side, and the slot of the one asked about.

    Present or not: who is in the prompt tells nothing of who is there, and questions about any of them share
    one prefix.
    """
    able = [one for one in installed if len(one.adapter.views(observation.source))]
    number = next(index for index, one in enumerate(able) if one.adapter.subject_id == subject_id)
    size = models.manifest.calibration.described_with
    first = number - number % size
    return able[first : first + size], number - first

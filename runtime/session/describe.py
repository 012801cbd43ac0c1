"""What the language model says of one subject, over the windows that show it. Knows no verdicts.

A window of two seconds may begin or end in the middle of a deed, so several are asked and the words that
most of them agree on are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.contract.clip import even_indices
from runtime.contract.dialogue import Kind
from runtime.contract.prompt import (
    NEVER_DESCRIBED,
    TEMPLATE_VERSION,
    BlockPiece,
    Spoken,
    build_prompt,
    canonical_question,
    with_names,
)
from runtime.engines.language import LanguageModel
from runtime.session.judge import Claim, Installed, rows_of
from runtime.session.models import Models
from runtime.session.observe import Observation, Window

MOST_WINDOWS = 3
_MAX_TOKENS = 32


def describe(
    models: Models, language: LanguageModel, observation: Observation, installed: Sequence[Installed],
    claim: Claim, kind: Kind, name: str, check: Callable[[], None],
) -> Spoken:  # fmt: skip
    """The words that the windows about a claim's person agree on best, with a display name in them.

    Args:
        installed: everybody enrolled; the claim's subject is among them.
        check: called before every window and token; raises to stop.
    """
    group, asked = _together(models, observation, installed, claim.subject_id)
    said = []
    for number in windows_about(observation, claim):
        check()
        said.append(_in_window(models, language, observation.windows[number], group, asked, kind, check))
    spoken = agreed(said)
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


def agreed(said: Sequence[Spoken]) -> Spoken:
    """The words with the highest mean probability; a window that said something else counts as 0."""
    total: dict[str, float] = {}
    for one in said:
        total[one.text] = total.get(one.text, 0.0) + one.confidence
    text = max(total, key=lambda words: total[words])
    return Spoken(text, total[text] / len(said))


def _in_window(
    models: Models, language: LanguageModel, window: Window, group: Sequence[Installed], asked: int,
    kind: Kind, check: Callable[[], None],
) -> Spoken:  # fmt: skip
    """What is said of one window. Only the subject asked about may be spoken of."""
    rows = rows_of(models, window, [one.adapter for one in group])
    blocks = {BlockPiece("video"): rows.base}
    for slot, one in enumerate(group):
        blocks[BlockPiece("token", slot)] = one.adapter.arrays["token"][None]
        blocks[BlockPiece("soft", slot)] = one.adapter.arrays["soft_tokens"]
        blocks[BlockPiece("rows", slot)] = rows.subjects[slot]
    return language.generate(
        (window.key, tuple((one.adapter.subject_id, one.sha256) for one in group), TEMPLATE_VERSION),
        build_prompt(len(group), canonical_question(kind, [asked])),
        blocks,
        slots=[asked],
        max_tokens=_MAX_TOKENS,
        without=NEVER_DESCRIBED,
        check=check,
    )


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

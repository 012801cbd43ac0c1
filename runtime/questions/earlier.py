"""What a conversation was about, read again from its earlier questions. Knows no daemon and no chat."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.contract.dialogue import Intent
from runtime.contract.errors import PvchatError
from runtime.contract.household import Household
from runtime.questions.understand import parse


def recalled(questions: Sequence[str], household: Household, rooms: Sequence[str]) -> Intent | None:
    """The last of these questions that was about somebody; what was not understood said nothing.

    Args:
        questions: the oldest first. household, rooms: as for `parse`.
    """
    before: Intent | None = None
    for text in questions:
        try:
            intent = parse(text, household, rooms, before=before)
        except PvchatError:
            continue
        if intent.subject_ids:
            before = intent
    return before

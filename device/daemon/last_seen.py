"""When and where everybody was seen last, in memory alone. Knows no cameras and no runtime."""

from __future__ import annotations

from collections.abc import Collection

from runtime.contract.dialogue import LastSeen, Look


class Memory:
    """The newest sure and the newest unsure sight of each subject; for one thread at a time.

    Only what a look was sure of counts as seen. An unsure sight never takes its place: it is told beside it,
    and only while it is the newer one.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], LastSeen] = {}

    def note(self, look: Look) -> None:
        """Remember who was in a look."""
        for one in look.subjects:
            if one.verdict not in ("yes", "unsure"):
                continue
            key = (one.subject_id, one.verdict)
            if key not in self._last or self._last[key].at <= look.at:
                self._last[key] = LastSeen(
                    one.subject_id, one.verdict, one.confidence, look.camera, look.room, look.at
                )

    def keep_only(self, subject_ids: Collection[str]) -> None:
        """Forget everybody else."""
        self._last = {key: one for key, one in self._last.items() if key[0] in subject_ids}

    def told(self) -> tuple[LastSeen, ...]:
        """By subject: the last sure sight, then a newer one that was not."""
        sure = {one.subject_id: one.at for one in self._last.values() if one.verdict == "yes"}
        found = [
            one
            for one in self._last.values()
            if one.verdict == "yes" or one.at > sure.get(one.subject_id, float("-inf"))
        ]
        return tuple(sorted(found, key=lambda one: (one.subject_id, one.verdict != "yes")))

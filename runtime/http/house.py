"""What the HTTP server wants of the home behind it. Knows no store, no socket and no HTTP.

`device.http_home` implements it. Every method may block and may be called from several threads.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.contract.household import Household
from runtime.wire import Ready


@dataclass(frozen=True, slots=True)
class Listed:
    """One enrolled person, as `GET /v1/people` lists them.

    Attributes:
        subject_id, name, aliases: as in `runtime.contract.household.Subject`.
        release: of the active adapter; None: nobody has learned this person yet.
        active: whether this person is looked for (neither paused nor without consent).
    """

    subject_id: str
    name: str
    aliases: tuple[str, ...]
    release: int | None
    active: bool


class House(Protocol):
    """The people of a home and its runtime. Raises `PvchatError`s."""

    @property
    def evidence(self) -> Path:
        """Where evidence pictures of clips go."""
        ...

    def household(self) -> Household:
        """Who can be asked about now."""
        ...

    def people(self) -> tuple[Listed, ...]:
        """Everybody enrolled."""
        ...

    def prepare(self) -> Ready:
        """The runtime, started where it was not, with exactly these people loaded."""
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """A private folder for a picture that is asked about; gone afterwards."""
        ...

    def tidy(self) -> None:
        """Delete evidence pictures that are too old or too many."""
        ...

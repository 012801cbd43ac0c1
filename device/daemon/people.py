"""Who lives here and which adapters are loaded for them, as one snapshot. Knows no processes."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from device.paths import Home
from device.store.records import ActiveAdapter
from device.store.store import Store
from runtime.contract.household import Household
from runtime.contract.serving import AdapterRef


@dataclass(frozen=True, slots=True)
class People:
    """The store at one moment.

    Attributes:
        household: everybody one can ask about.
        adapters: what the runtime is to load.
        generation: of the store; another number means that something changed.
        day: YYYY-MM-DD; consent lapses by the day.
    """

    household: Household
    adapters: tuple[ActiveAdapter, ...] = ()
    generation: int = -1
    day: str = ""

    @property
    def names(self) -> dict[str, str]:
        """Display names by subject id."""
        return {subject.subject_id: subject.name for subject in self.household.subjects}

    @property
    def refs(self) -> tuple[AdapterRef, ...]:
        """The adapters as the runtime wants them."""
        return tuple(one.ref() for one in self.adapters)

    @property
    def releases(self) -> dict[str, int]:
        """Release of the adapter by subject id."""
        return {one.subject.subject_id: one.release for one in self.adapters}


NOBODY = People(Household(""))


def read_people(home: Home) -> People:
    """The store as it is now.

    Raises:
        StoreError: it cannot be read.
    """
    with Store.open(home) as store:
        return People(store.household(), tuple(store.active_adapters()), store.generation(), _today())


def has_changed(home: Home, people: People) -> bool:
    """Whether the store is not what it was at the snapshot, or the day is another.

    Raises:
        StoreError: it cannot be read.
    """
    if _today() != people.day:
        return True
    with Store.open(home) as store:
        return store.generation() != people.generation


def _today() -> str:
    return datetime.date.today().isoformat()

"""Claims about what a runtime is told while people are loaded into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.daemon.loading import load_people
from device.daemon.people import People
from device.store.records import ActiveAdapter
from runtime.contract.errors import AdapterError
from runtime.contract.household import Household, Subject
from runtime.wire import Done, Reply, Request, SetSubjects

WHO = {name: f"s{number:032x}" for number, name in enumerate(("ann", "ben", "cyn", "dee"), start=1)}


@dataclass
class Loaded:
    """A runtime that refuses some, and remembers everybody that it ever had loaded."""

    bad: set[str]
    sets: list[tuple[str, ...]] = field(default_factory=list)

    def call(self, request: Request, timeout_ms: int) -> Reply:
        """Like `RuntimeChild.call`."""
        assert isinstance(request, SetSubjects)
        ids = tuple(one.subject_id for one in request.adapters)
        if self.bad & set(ids):
            raise AdapterError(f"adapter of {min(self.bad & set(ids))} does not fit.")
        if not request.only_check:
            self.sets.append(ids)
        return Done()


def people() -> People:
    adapters = (ActiveAdapter(Subject(one, name), 1, Path(f"/vault/{name}")) for name, one in WHO.items())
    return People(Household(""), tuple(adapters))


def test_two_refused_adapters_are_found_without_unloading_anybody_in_between() -> None:
    child: Any = Loaded({WHO["ben"], WHO["dee"]})
    releases, problems = load_people(child, people())
    assert set(releases) == {WHO["ann"], WHO["cyn"]}
    assert [str(one)[11:44] for one in problems] == [WHO["ben"], WHO["dee"]]
    assert child.sets == [(WHO["ann"], WHO["cyn"])]


def test_everybody_who_fits_is_loaded_in_one_step() -> None:
    child: Any = Loaded(set())
    releases, problems = load_people(child, people())
    assert (set(releases), problems) == (set(WHO.values()), [])
    assert child.sets == [tuple(WHO.values())]

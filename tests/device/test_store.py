"""What the home remembers, and what it forgets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.paths import Home
from device.store.records import Consent, NewAdapter, Person
from device.store.store import Store
from runtime.contract.errors import ConsentError, StoreError, UpdateError, UsageError
from runtime.contract.household import Subject

GRANDMA = Subject(f"s{'1' * 32}", "Grandma", ("Granny", "Oma"))
BEN = Subject(f"s{'2' * 32}", "Ben")
CONSENT = Consent("Grandma", 1_700_000_000.0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home) as opened:
        yield opened


def _add(store: Store, subject: Subject = GRANDMA, sheet: Path | None = None) -> Person:
    return store.add_subject(subject, CONSENT, _adapter(subject, 1), sheet=sheet)


def _adapter(subject: Subject, release: int) -> NewAdapter:
    return NewAdapter(_bytes(subject, release), release, "instant", "b" * 64)


def _bytes(subject: Subject, release: int) -> bytes:
    return f"adapter {release} of {subject.subject_id}".encode()


def _install(store: Store, release: int, *, trial: bool = False) -> None:
    data = _bytes(GRANDMA, release)
    store.install_adapter(
        GRANDMA.subject_id, data, release=release, kind="trained", base="b" * 64, trial=trial
    )


def _states(store: Store) -> dict[int, str]:
    return {one.release: one.state for one in store.person(GRANDMA.subject_id).adapters}


def test_a_person_is_read_back_as_written(store: Store, home: Home, tmp_path: Path) -> None:
    (tmp_path / "sheet.JPG").write_bytes(b"picture")
    _add(store, sheet=tmp_path / "sheet.JPG")
    store.close()
    with Store.open(home) as again:
        (person,) = again.people()
        assert person.subject == GRANDMA
        assert person.consent == CONSENT
        assert person.sheet is not None
        assert person.sheet.read_bytes() == b"picture"
        assert person.sheet.suffix == ".jpg"
        (active,) = again.active_adapters()
        assert (active.subject, active.release) == (GRANDMA, 1)
        assert active.path.read_bytes() == _bytes(GRANDMA, 1)
        assert again.household().subjects == (GRANDMA,)


def test_the_household_keeps_its_id(store: Store, home: Home) -> None:
    household_id = store.household().household_id
    with Store.open(home) as again:
        assert again.household().household_id == household_id


@pytest.mark.parametrize("name", ["Grandma", "GRANDMA", "granny", " oma "])
def test_a_name_that_somebody_answers_to_is_refused(store: Store, name: str) -> None:
    _add(store)
    with pytest.raises(UsageError, match="already answers to"):
        _add(store, Subject(BEN.subject_id, name))
    with pytest.raises(UsageError, match="already answers to"):
        _add(store, Subject(BEN.subject_id, "Ben", (name,)))
    assert len(store.people()) == 1


@pytest.mark.parametrize(
    "consent",
    [
        Consent("  ", 0.0),
        Consent("Ben", 0.0, until="tomorrow"),
        Consent("Ben", 0.0, until=(date.today() - timedelta(days=1)).isoformat()),
    ],
)
def test_nobody_is_stored_without_valid_consent(store: Store, home: Home, consent: Consent) -> None:
    with pytest.raises(ConsentError):
        store.add_subject(BEN, consent, _adapter(BEN, 1))
    assert store.people() == []


def test_an_adapter_that_cannot_be_read_leaves_nobody_behind(
    store: Store, home: Home, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        store.add_subject(BEN, CONSENT, NewAdapter(tmp_path / "none", 1, "instant", "b"))
    assert store.people() == []
    assert list(home.blobs.iterdir()) == []


def test_a_person_whose_consent_has_ended_is_neither_asked_about_nor_loaded(store: Store, home: Home) -> None:
    _add(store)
    store.close()
    with sqlite3.connect(home.state_db) as connection:
        connection.execute("UPDATE consent SET until = '2020-01-01'")
    connection.close()
    with Store.open(home) as again:
        assert again.household().subjects == ()
        assert again.active_adapters() == []
        assert [one.subject for one in again.people()] == [GRANDMA]


def test_a_new_adapter_makes_the_old_one_previous_and_the_one_before_goes(store: Store, home: Home) -> None:
    _add(store)
    _install(store, 2)
    _install(store, 5)
    assert _states(store) == {5: "active", 2: "previous"}
    assert len(list(home.blobs.iterdir())) == 2
    assert store.floor(GRANDMA.subject_id) == 5


def test_a_release_at_or_below_the_floor_is_refused(store: Store) -> None:
    _add(store)
    _install(store, 3)
    for release in (1, 2, 3):
        with pytest.raises(UpdateError, match="not above its floor 3"):
            _install(store, release)
        with pytest.raises(UpdateError, match="not above its floor 3"):
            _install(store, release, trial=True)
    assert _states(store) == {3: "active", 1: "previous"}


def test_a_rollback_restores_the_previous_adapter_and_bars_the_one_left(store: Store) -> None:
    _add(store)
    _install(store, 2)
    assert store.rollback_adapter(GRANDMA.subject_id).release == 1
    assert _states(store) == {2: "bad", 1: "active"}
    assert store.active_adapters()[0].path.read_bytes() == _bytes(GRANDMA, 1)
    assert store.floor(GRANDMA.subject_id) == 2
    with pytest.raises(UpdateError):
        _install(store, 2)
    with pytest.raises(UpdateError, match="no previous adapter"):
        store.rollback_adapter(GRANDMA.subject_id)
    assert store.next_release(GRANDMA.subject_id) == 3


def test_a_trial_leaves_the_active_adapter_alone_until_it_is_accepted(store: Store) -> None:
    _add(store)
    before = store.generation()
    _install(store, 2, trial=True)
    assert _states(store) == {2: "trial", 1: "active"}
    assert (store.generation(), store.floor(GRANDMA.subject_id)) == (before, 1)
    assert store.accept_trial(GRANDMA.subject_id).state == "active"
    assert _states(store) == {2: "active", 1: "previous"}
    assert store.floor(GRANDMA.subject_id) == 2
    assert store.generation() > before


def test_a_rejected_trial_is_not_tried_again_and_its_file_is_gone(store: Store, home: Home) -> None:
    _add(store)
    _install(store, 2, trial=True)
    rejected = store.reject_trial(GRANDMA.subject_id)
    assert not rejected.path.exists()
    with pytest.raises(UpdateError, match="failed on this box before"):
        _install(store, 2, trial=True)
    with pytest.raises(UpdateError, match="no trial"):
        store.accept_trial(GRANDMA.subject_id)
    _install(store, 3)
    assert _states(store) == {3: "active", 2: "bad", 1: "previous"}


def test_nobody_gets_an_adapter_without_being_enrolled(store: Store, home: Home) -> None:
    with pytest.raises(UsageError, match="nobody here has the id"):
        _install(store, 1)
    assert list(home.blobs.iterdir()) == []


def test_enrolling_again_adds_a_consent_record_and_replaces_the_sheet(store: Store, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    first = _add(store, sheet=tmp_path / "one.jpg")
    again = Consent("Ben", 1_800_000_000.0)
    person = store.replace_enrolment(
        GRANDMA.subject_id, again, _adapter(GRANDMA, 2), sheet=tmp_path / "two.jpg"
    )
    assert person.consent == again
    assert person.sheet is not None
    assert person.sheet.read_bytes() == b"two"
    assert first.sheet is not None
    assert not first.sheet.exists()
    assert _states(store) == {2: "active", 1: "previous"}


def test_forgetting_leaves_no_row_no_file_and_no_byte_of_the_name(
    store: Store, home: Home, tmp_path: Path
) -> None:
    (tmp_path / "sheet.jpg").write_bytes(b"picture")
    _add(store, sheet=tmp_path / "sheet.jpg")
    _add(store, BEN)
    (home.evidence / "kitchen-1.jpg").write_bytes(b"her face")
    (home.ota / "staging").mkdir()
    (home.ota / "staging" / f"{GRANDMA.subject_id}.pvadapter").write_bytes(b"hers")
    store.forget(GRANDMA.subject_id)
    assert [person.subject for person in store.people()] == [BEN]
    assert [path.read_bytes() for path in home.blobs.iterdir()] == [_bytes(BEN, 1)]
    assert list(home.evidence.iterdir()) == []
    left = [path for path in home.root.rglob("*") if path.is_file()]
    assert not any(GRANDMA.subject_id in path.name for path in left)
    for path in left:
        raw = path.read_bytes()
        assert GRANDMA.subject_id.encode() not in raw, path
        assert b"Granny" not in raw, path
    with pytest.raises(UsageError):
        store.forget(GRANDMA.subject_id)


def test_an_interrupted_forget_is_finished_at_the_next_open(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(store)
    (home.evidence / "kitchen-1.jpg").write_bytes(b"her face")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "sweep", lambda self: None)
        store.forget(GRANDMA.subject_id)
    assert list(home.evidence.iterdir()) != []
    with Store.open(home):
        assert list(home.evidence.iterdir()) == []
        assert list(home.blobs.iterdir()) == []


def test_database_and_blobs_are_readable_by_the_owner_only(store: Store, home: Home) -> None:
    _add(store)
    files = [home.state_db, *home.blobs.iterdir()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_the_database_has_the_settings_that_survive_power_cuts(store: Store, home: Home) -> None:
    values = [store._database.execute(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")]
    assert values == ["delete", 3]
    assert store._database.execute("PRAGMA secure_delete")[0][0] == 1


def test_a_damaged_database_is_refused_and_not_overwritten(store: Store, home: Home) -> None:
    _add(store)
    store.close()
    raw = bytearray(home.state_db.read_bytes())
    for at in range(4096, len(raw), 4096):
        raw[at : at + 64] = b"\xff" * 64
    home.state_db.write_bytes(raw)
    with pytest.raises(StoreError, match="damaged"):
        Store.open(home)
    home.state_db.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="damaged"):
        Store.open(home)
    assert home.state_db.read_bytes().startswith(b"no database")


def test_a_database_of_a_newer_version_is_refused(store: Store, home: Home) -> None:
    store.close()
    connection = sqlite3.connect(home.state_db)
    connection.execute("PRAGMA user_version=3")
    connection.close()
    with pytest.raises(StoreError, match=r"schema 3.*Update pvchat-edge"):
        Store.open(home)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["install", "trial", "accept", "reject", "rollback", "enrol", "forget"]),
        st.integers(1, 6),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_whatever_is_done_floors_only_rise_and_every_named_file_is_there(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    home = Home(tmp_path_factory.mktemp("store"))
    floor = 0
    with Store.open(home) as store:
        for step, release in steps:
            try:
                _do(store, step, release)
            except (UpdateError, UsageError):
                pass
            else:
                floor = 0 if step == "forget" else floor
            people = store.people()
            assert store.floor(GRANDMA.subject_id) >= floor
            floor = store.floor(GRANDMA.subject_id)
            wanted = {one.sha256 for person in people for one in person.adapters if one.state != "bad"}
            assert {path.name for path in home.blobs.iterdir()} == wanted
            for person in people:
                states = [one.state for one in person.adapters]
                assert states.count("active") == 1
                assert max(states.count("previous"), states.count("trial")) <= 1


def _do(store: Store, step: str, release: int) -> None:
    who = GRANDMA.subject_id
    if step == "enrol":
        store.add_subject(GRANDMA, CONSENT, _adapter(GRANDMA, release))
    elif step in ("install", "trial"):
        _install(store, release, trial=step == "trial")
    else:
        {
            "accept": store.accept_trial,
            "reject": store.reject_trial,
            "rollback": store.rollback_adapter,
            "forget": store.forget,
        }[step](who)

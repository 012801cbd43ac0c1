"""The store of one home: people, their consent, their adapters. Knows no runtime, no network, no cameras.

Every change is one transaction; the blob is on disk before the transaction that names it commits, and is
deleted after the transaction that no longer names it. What a crash leaves between is swept at the next open.

States of an adapter: `trial` (installed, not yet in use) → `active` → `previous` (kept for a rollback) →
deleted; `bad` (refused or rolled back: only its row stays, so that it is not tried again). The floor of a
subject is the highest release that was ever active: nothing at or below it is installed again.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import TracebackType

from device.paths import Home
from device.store import adapters, denials, people
from device.store.blobs import Blobs
from device.store.database import Database
from device.store.records import ActiveAdapter, AdapterKind, AdapterRecord, Consent, NewAdapter, Person
from runtime.contract.errors import UsageError
from runtime.contract.household import Household, Subject


class Store:
    """Open it with `Store.open(home)`, in a `with` block, one per process and thread."""

    def __init__(self, home: Home, database: Database) -> None:
        self.home = home
        self.blobs = Blobs(home.blobs)
        self._database = database

    @staticmethod
    def open(home: Home) -> Store:
        """Open, creating what is missing; checks the database and finishes interrupted deletions.

        Raises:
            StoreError: the folder or the database cannot be used, or the database is damaged.
        """
        home.create()
        store = Store(home, Database(home.state_db))
        try:
            store.sweep()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close the database; idempotent."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- reading ---------------------------------------------------------------------------------------

    def people(self) -> list[Person]:
        """Everybody enrolled, paused and lapsed ones too, in order of enrolment."""
        return people.read(self._database, self.blobs)

    def person(self, subject_id: str) -> Person:
        """One person.

        Raises:
            UsageError: nobody with this id.
        """
        found = next((one for one in self.people() if one.subject.subject_id == subject_id), None)
        if found is None:
            raise UsageError(f"nobody here has the id {subject_id}.", "See `pvchat-edge person list`.")
        return found

    def household(self) -> Household:
        """The people one can ask about: enrolled, not paused, consent not lapsed."""
        household_id = str(self._database.execute("SELECT household_id FROM household")[0][0])
        return Household(household_id, tuple(person.subject for person in self._present()))

    def active_adapters(self) -> list[ActiveAdapter]:
        """What the runtime is to load, in order of enrolment; paused and lapsed people are left out."""
        return [
            ActiveAdapter(
                person.subject, record.release, record.path, tuple(one.path for one in person.denials)
            )
            for person in self._present()
            if (record := person.adapter()) is not None
        ]

    def versions(self) -> list[dict[str, object]]:
        """Per person: name, id, floor, and the releases by state; ready for JSON."""
        return [
            {
                "subject_id": person.subject.subject_id,
                "name": person.subject.name,
                "floor": person.floor,
                "adapters": [
                    {
                        "release": record.release,
                        "state": record.state,
                        "kind": record.kind,
                        "sha256": record.sha256,
                        "base": record.base,
                        "installed_at": record.installed_at,
                    }
                    for record in person.adapters
                ],
            }
            for person in self.people()
        ]

    def generation(self) -> int:
        """A number that grows with every change of people or active adapters; compare it to reload."""
        return int(self._database.execute("SELECT value FROM meta WHERE key = 'generation'")[0][0])

    def _present(self) -> list[Person]:
        today = date.today().isoformat()
        return [person for person in self.people() if not person.paused and not person.lapsed(today)]

    # --- people ----------------------------------------------------------------------------------------

    def add_subject(
        self, subject: Subject, consent: Consent, adapter: NewAdapter, *, sheet: Path | None = None
    ) -> Person:
        """Enrol: subject, consent, active adapter and contact sheet in one transaction.

        Raises:
            ConsentError: nobody named, or the last day lies in the past.
            UsageError: somebody already answers to the name or to an alias.
            StoreError: it cannot be written; nothing has changed then.
        """
        with self._database.transaction():
            people.check_names_are_free(self.people(), subject)
            people.insert(self._database, subject, consent, self._keep_sheet(sheet))
            adapters.insert(self._database, self.blobs, subject.subject_id, adapter, "active")
            self._changed()
        return self.person(subject.subject_id)

    def replace_enrolment(
        self, subject_id: str, consent: Consent, adapter: NewAdapter, *, sheet: Path | None = None
    ) -> Person:
        """Enrol somebody again: new consent record, contact sheet and active adapter in one transaction.

        The old adapter becomes `previous`. Raises like `add_subject` and `install_adapter`.
        """
        with self._database.transaction():
            self.person(subject_id)
            people.insert_consent(self._database, subject_id, consent)
            people.set_sheet(self._database, subject_id, self._keep_sheet(sheet))
            adapters.activate_new(self._database, self.blobs, subject_id, adapter)
            self._changed()
        self.sweep()
        return self.person(subject_id)

    def rename(self, subject: Subject) -> Person:
        """Call an enrolled person by another name and other aliases; what was learned stays.

        Raises:
            UsageError: nobody with this id, or somebody else answers to the name or an alias.
        """
        with self._database.transaction():
            self.person(subject.subject_id)
            others = [one for one in self.people() if one.subject.subject_id != subject.subject_id]
            people.check_names_are_free(others, subject)
            people.rename(self._database, subject)
            self._changed()
        return self.person(subject.subject_id)

    def set_paused(self, subject_id: str, paused: bool) -> Person:
        """Look for a person no longer, or again; nothing is deleted.

        Raises:
            UsageError: nobody with this id.
        """
        with self._database.transaction():
            self.person(subject_id)
            people.set_paused(self._database, subject_id, paused)
            self._changed()
        return self.person(subject_id)

    def consents(self, subject_id: str) -> list[Consent]:
        """Every consent ever recorded for a person, oldest first."""
        return people.consents(self._database, subject_id)

    def forget(self, subject_id: str) -> None:
        """Delete a person: rows, adapter files, contact sheet, and all evidence pictures.

        Any evidence picture may show this person, so all of them go; so do all denials, of whomever they
        are: who was taken for somebody else may be this person. The database is rewritten without the
        deleted pages. A crash after the commit is finished at the next open. Flash memory may keep old
        blocks that no program can reach.

        Raises:
            UsageError: nobody with this id.
        """
        self.person(subject_id)
        with self._database.transaction():
            self._database.execute("DELETE FROM subjects WHERE subject_id = ?", subject_id)
            self._database.execute("DELETE FROM denials")
            self._database.execute("INSERT OR REPLACE INTO meta VALUES ('purge', ?)", subject_id)
            self._changed()
        self.sweep()

    # --- denials ---------------------------------------------------------------------------------------

    def deny(self, subject_id: str, event: str, seen: Path) -> Person:
        """Keep for good that a piece of evidence does not show this person.

        Args:
            seen: what the runtime wrote of it; copied.

        Raises:
            UsageError: nobody with this id, denied already, or 64 denials are there.
            StoreError: it cannot be written; nothing has changed then.
        """
        with self._database.transaction():
            denials.insert(self._database, self.blobs, self.person(subject_id), event, seen)
            self._changed()
        return self.person(subject_id)

    def undo_denial(self, event: str) -> Person:
        """Take a denial back, whomever it is of.

        Raises:
            UsageError: this was never denied.
        """
        with self._database.transaction():
            subject_id = denials.delete(self._database, event)
            self._changed()
        self.sweep()
        return self.person(subject_id)

    # --- adapters --------------------------------------------------------------------------------------

    def install_adapter(
        self,
        subject_id: str,
        source: bytes | Path,
        *,
        release: int,
        kind: AdapterKind,
        base: str,
        trial: bool = False,
    ) -> AdapterRecord:
        """Put an adapter file into the vault, in one transaction.

        Args:
            source: the bytes of the .safetensors file, or its path (left where it is).
            trial: leave the active adapter as it is; `accept_trial` or `reject_trial` decides later.
                An older trial is replaced. Without it, the new one is active at once, the old one `previous`.

        Raises:
            UpdateError: the release is at or below the subject's floor, or is known as bad.
            UsageError: nobody with this id, or the source cannot be read.
            StoreError: it cannot be written; nothing has changed then.
        """
        new = NewAdapter(source, release, kind, base)
        with self._database.transaction():
            self.person(subject_id)
            if trial:
                adapters.insert_trial(self._database, self.blobs, subject_id, new)
            else:
                adapters.activate_new(self._database, self.blobs, subject_id, new)
                self._changed()
        self.sweep()
        return self._adapter(subject_id, release)

    def accept_trial(self, subject_id: str) -> AdapterRecord:
        """The trial becomes active, the active one `previous`, the floor rises; one transaction.

        Raises:
            UpdateError: there is no trial.
        """
        with self._database.transaction():
            release = adapters.accept_trial(self._database, subject_id)
            self._changed()
        self.sweep()
        return self._adapter(subject_id, release)

    def reject_trial(self, subject_id: str) -> AdapterRecord:
        """The trial becomes `bad`: its file goes, its release is not tried again.

        Raises:
            UpdateError: there is no trial.
        """
        with self._database.transaction():
            release = adapters.reject_trial(self._database, subject_id)
        self.sweep()
        return self._adapter(subject_id, release)

    def rollback_adapter(self, subject_id: str) -> AdapterRecord:
        """The previous adapter is active again, the active one becomes `bad`; the floor stays.

        Returns:
            The adapter that is active now.

        Raises:
            UpdateError: there is no previous adapter.
        """
        with self._database.transaction():
            release = adapters.rollback(self._database, subject_id)
            self._changed()
        self.sweep()
        return self._adapter(subject_id, release)

    def floor(self, subject_id: str) -> int:
        """Highest release that was ever active; 0 for nobody."""
        return adapters.floor(self._database, subject_id)

    def next_release(self, subject_id: str) -> int:
        """A release number that was never used for this subject on this box."""
        return adapters.highest_release(self._database, subject_id) + 1

    # --- cleaning --------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Delete files that nothing names any more, and finish an interrupted `forget`."""
        self._finish_purge()
        if not self.blobs.strays(self._named_blobs()):
            return
        with self._database.transaction():  # no blob of a transaction under way can be taken for a stray
            self.blobs.delete(self.blobs.strays(self._named_blobs()))

    def _finish_purge(self) -> None:
        rows = self._database.execute("SELECT value FROM meta WHERE key = 'purge'")
        if not rows:
            return
        subject_id = str(rows[0][0])
        for path in [*self.home.evidence.rglob("*"), *self.home.ota.rglob(f"*{subject_id}*")]:
            if not path.is_dir():
                path.unlink(missing_ok=True)
        with self._database.transaction():
            self.blobs.delete(self.blobs.strays(self._named_blobs()))
            self._database.execute("DELETE FROM meta WHERE key = 'purge'")
        self._database.execute("VACUUM")

    def _named_blobs(self) -> set[str]:
        rows = self._database.execute(
            "SELECT sha256 FROM adapters WHERE state <> 'bad'"
            " UNION SELECT sheet FROM subjects WHERE sheet IS NOT NULL"
            " UNION SELECT sha256 FROM denials"
        )
        return {str(row[0]) for row in rows}

    def _keep_sheet(self, sheet: Path | None) -> str | None:
        return None if sheet is None else self.blobs.put(sheet, sheet.suffix.lower())

    def _adapter(self, subject_id: str, release: int) -> AdapterRecord:
        return next(record for record in self.person(subject_id).adapters if record.release == release)

    def _changed(self) -> None:
        self._database.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

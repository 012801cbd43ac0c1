"""From an offered adapter to an installed one, or to a refusal that changes nothing. Knows no command line.

Order: release and base (signed) → download into staging → length and hash → contents → self-test in a process
of its own → one transaction in the store → reload and watch → on failure back to the previous one.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from device.ota.channel import Channel, Offer
from device.ota.ledger import Ledger
from device.ota.live import Live
from device.ota.policy import check_file
from device.ota.selftest import SelfTest
from device.paths import Home
from device.store.records import AdapterRecord, Person
from device.store.store import Store
from runtime.contract.bundle import Bundle
from runtime.contract.errors import PvchatError, StoreError, UpdateError, UsageError

PENDING = "pending"
State = Literal["new", "current", "held", "nothing", "refused"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about one subject.

    Attributes:
        installed: active release; 0: none.
        offered: release in the repository; 0: none.
        state: `new` (to be installed), `current` (in use), `held` (was rolled back or failed here),
            `nothing` (not offered), `refused`.
        reason: why it is refused or held; empty otherwise.
        offer: what is offered.
    """

    subject_id: str
    installed: int
    offered: int
    state: State
    reason: str = ""
    offer: Offer | None = None

    def to_json(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "subject_id": self.subject_id,
            "installed": self.installed,
            "offered": self.offered,
            "state": self.state,
            "reason": self.reason,
        }


class Installer:
    """Installs for one home. Everything that can be slow or fail is handed in."""

    def __init__(self, home: Home, store: Store, ledger: Ledger, self_test: SelfTest, live: Live) -> None:
        self._home = home
        self._store = store
        self._ledger = ledger
        self._self_test = self_test
        self._live = live
        self._staging = home.ota / "staging"

    def consider(self, channel: Channel, person: Person) -> Verdict:
        """Judge by the signed description alone; nothing is downloaded and nothing changes."""
        subject_id = person.subject.subject_id
        active = person.adapter()
        installed = active.release if active else 0
        try:
            offer = channel.offer(subject_id)
        except UpdateError as error:
            return Verdict(subject_id, installed, 0, "refused", str(error))
        if offer is None:
            return Verdict(subject_id, installed, 0, "nothing")
        state, reason = self._judge(person, offer, installed)
        return Verdict(subject_id, installed, offer.release.release, state, reason, offer)

    def _judge(self, person: Person, offer: Offer, installed: int) -> tuple[State, str]:
        release = offer.release
        if release.release == installed:
            return "current", ""
        if any(record.release == release.release and record.state == "bad" for record in person.adapters):
            return "held", f"release {release.release} failed here or was rolled back; publish a higher one."
        if release.release <= person.floor:
            return (
                "refused",
                f"release {release.release} is not newer than {person.floor}, which was in use here.",
            )
        base = Bundle.open(self._home.current_bundle()).manifest.base
        if release.base != base:
            return "refused", f"it was made for base {release.base[:12]}, installed is {base[:12]}."
        return "new", ""

    def install(self, channel: Channel, person: Person, offer: Offer) -> tuple[AdapterRecord, bool]:
        """Download, check, try out, install, reload, watch.

        Returns:
            What is active now, and whether a running daemon has taken it and stayed well.

        Raises:
            UpdateError: refused, or rolled back after it went wrong; the box stays on what it had.
            UnavailableError: the repository cannot be reached.
            StoreError: the box's disk cannot be written; nothing has changed then.
        """
        subject_id, release = person.subject.subject_id, offer.release
        try:
            self.clean()
            self._staging.mkdir(mode=0o700)
            data = self._download(channel, offer, self._staging / f"{subject_id}.safetensors")
            self._ledger.set_note(PENDING, {"subject_id": subject_id, "release": release.release})
            record = self._store.install_adapter(
                subject_id,
                data,
                release=release.release,
                kind="trained" if release.kind == "trained" else "instant",
                base=release.base,
            )
        except OSError as error:
            raise StoreError(f"cannot stage the update: {error}.", "Check the disk.") from error
        finally:
            self.clean()
        return record, self.finish()

    def _download(self, channel: Channel, offer: Offer, staged: Path) -> bytes:
        """The bytes of a file that has passed every check."""
        channel.download(offer, staged)
        bundle = Bundle.open(self._home.current_bundle())
        check_file(staged, offer.release, bundle.manifest.shapes)
        problem = self._self_test(bundle.root, staged)
        if problem:
            self._never_again(offer, staged)
            raise UpdateError(
                f"{offer.target.path}, release {offer.release.release}, fails its self-test: {problem}",
                "Train and publish a better adapter with a higher release number.",
            )
        data = staged.read_bytes()
        if hashlib.sha256(data).hexdigest() != offer.target.hashes.get("sha256"):
            raise UpdateError(f"the staged file {staged} has changed since it was verified.", "Try again.")
        return data

    def _never_again(self, offer: Offer, staged: Path) -> None:
        release = offer.release
        self._store.install_adapter(
            release.subject_id,
            staged,
            release=release.release,
            kind="trained" if release.kind == "trained" else "instant",
            base=release.base,
            trial=True,
        )
        self._store.reject_trial(release.subject_id)

    def finish(self) -> bool:
        """Reload and watch what was installed last, also what a crash left unwatched; whether that was done.

        Raises:
            UpdateError: it went wrong; the previous adapter is active again.
        """
        pending = self._ledger.note(PENDING)
        if pending is None:
            return False
        subject_id, release = str(pending["subject_id"]), int(pending["release"])
        person = next((one for one in self._store.people() if one.subject.subject_id == subject_id), None)
        active = person.adapter() if person else None
        watched = False
        if active is not None and active.release == release and self._live.running():
            watched = self._watch(subject_id, release)
        if watched or not self._live.running():
            self._ledger.set_note(PENDING, None)
        return watched

    def _watch(self, subject_id: str, release: int) -> bool:
        try:
            self._live.reload(self._expected(subject_id))
            return True
        except UsageError:
            return False  # the daemon cannot read its own settings: not the adapter's fault, and not over yet
        except PvchatError as error:
            back = self._store.rollback_adapter(subject_id)
            self._ledger.set_note(PENDING, None)
            self.reload_quietly(subject_id)
            raise UpdateError(
                f"release {release} of {subject_id[:9]} went wrong in use ({error.message}); "
                f"release {back.release} is active again.",
                "Publish a better one with a higher release number.",
            ) from error

    def reload_quietly(self, *subject_ids: str) -> bool:
        """Tell the daemon that the store changed; whether it took it. Its next start reads the store too."""
        if not self._live.running():
            return False
        with suppress(PvchatError):
            self._live.reload(self._expected(*subject_ids))
            return True
        return False

    def _expected(self, *subject_ids: str) -> dict[str, int]:
        """Releases that a daemon must have loaded; who is paused is not loaded at all."""
        active = {one.subject.subject_id: one.release for one in self._store.active_adapters()}
        return {subject_id: active[subject_id] for subject_id in subject_ids if subject_id in active}

    def clean(self) -> None:
        """Delete what an interrupted download left."""
        if self._staging.is_dir():
            shutil.rmtree(self._staging)
        else:
            self._staging.unlink(missing_ok=True)

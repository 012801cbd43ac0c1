"""The box's end of the update channel: python-tuf's client, with our own caps, floors and clock check.

Knows no adapters' contents, no store and no daemon. The TUF cache is only a cache: when it is damaged it is
thrown away, and the ledger's floors still hold.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tuf.api.exceptions import (
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Root, Snapshot, TargetFile, Targets, Timestamp  # type: ignore[attr-defined]
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from device.ota.fetch import open_fetcher
from device.ota.files import sync_tree
from device.ota.ledger import Ledger
from device.ota.release import (
    MAX_ADAPTER_BYTES,
    SUFFIX,
    Release,
    household_role,
    release_from_custom,
    target_path,
)
from device.ota.trust import MAX_ROOT_BYTES, Accepted, check_clock, check_floors, read_accepted
from runtime.contract.errors import StoreError, UnavailableError, UpdateError

_TOP = (Root.type, Timestamp.type, Snapshot.type, Targets.type)
_NOBODY = "s" + "0" * 32
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Offer:
    """One adapter that the repository holds for this household."""

    release: Release
    target: TargetFile


class Channel:
    """One conversation with the trusted repository.

    Args:
        folder: the box's `ota` folder.
        household_id: whose adapters are looked for.
        now_s: POSIX seconds by this box's clock.
        fetcher: a stand-in for tests; None: by the repository's address.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        household_id: str,
        now_s: float,
        fetcher: FetcherInterface | None = None,
    ) -> None:
        self._cache = folder / "metadata"
        self._ledger = ledger
        self._household_id = household_id
        self._role = household_role(household_id)
        self._now_s = now_s
        self._repository, self._root = ledger.trusted()
        usual, self._prefix = open_fetcher(self._repository)
        self._fetcher = fetcher or usual
        self._updater: Updater | None = None
        self._household: Targets | None = None

    def refresh(self) -> None:
        """Fetch and check all metadata; floors and the anchor root are on disk when this returns.

        Raises:
            UpdateError: the metadata is not to be trusted, has expired, or is older than what was seen.
            UnavailableError: the repository cannot be reached.
            StoreError: the box's disk cannot be written.
        """
        try:
            accepted = self._guarded(self._refreshed)
        except (UpdateError, StoreError):
            if not self._cache.exists():
                raise
            # perhaps only the cache is damaged: once more without it; what was seen before is in the ledger
            self._guarded(self._clear)
            accepted = self._guarded(self._refreshed)
        check_floors(accepted.versions, self._ledger.floors())
        check_clock(self._now_s, accepted.made_at_s, self._ledger.time_floor_s())
        self._guarded(lambda: sync_tree(self._cache))
        self._ledger.accept(accepted.root, accepted.versions, accepted.made_at_s)
        if accepted.household is None:
            raise UpdateError(
                f"the repository {self._repository} holds nothing for household {self._household_id}.",
                "Publish for this household, or trust another repository.",
            )
        self._household = accepted.household

    def subjects(self) -> list[str]:
        """Ids of all subjects that the household's list names, known on this box or not."""
        prefix = f"{self._role}/"
        names = self._household.targets if self._household else {}
        return sorted(
            path.removeprefix(prefix).removesuffix(SUFFIX)
            for path in names
            if path.startswith(prefix) and path.endswith(SUFFIX)
        )

    def offer(self, subject_id: str) -> Offer | None:
        """What the repository holds for a subject; None: nothing.

        Raises:
            UpdateError: it is described wrongly, is for another subject than its name says, or is too large.
        """
        path = target_path(self._household_id, subject_id)
        target = self._guarded(lambda: self._client().get_targetinfo(path))
        if target is None:
            return None
        release = release_from_custom(path, target.custom)
        if release.subject_id != subject_id:
            raise UpdateError(f"the update {path} is signed for another subject, {release.subject_id[:9]}.")
        if target.length > MAX_ADAPTER_BYTES:
            raise UpdateError(
                f"the update {path} has {target.length} bytes, allowed are {MAX_ADAPTER_BYTES}."
            )
        return Offer(release, target)

    def download(self, offer: Offer, destination: Path) -> Path:
        """Fetch an adapter file; length and hash are those that were signed.

        Raises:
            UpdateError: it is not the file that was signed.
            UnavailableError: the repository cannot be reached.
            StoreError: the box's disk cannot be written.
        """
        free = shutil.disk_usage(destination.parent).free
        if free < 3 * offer.target.length:
            raise UpdateError(
                f"an update of {offer.target.length} bytes wants three times that, the disk has {free} free.",
                "Free some space.",
            )
        self._guarded(lambda: self._client().download_target(offer.target, str(destination)))
        return destination

    def _refreshed(self) -> Accepted:
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        client = self._updater = self._guarded(self._open)
        self._guarded(client.refresh)
        # asking for nobody loads the household's own list, whoever is on it
        self._guarded(lambda: client.get_targetinfo(target_path(self._household_id, _NOBODY)))
        paths = {role: self._cache / f"{role}.json" for role in (*_TOP, self._role)}
        return read_accepted(
            {role: path.read_bytes() for role, path in paths.items() if path.exists()}, self._role
        )

    def _open(self) -> Updater:
        config = UpdaterConfig(
            max_root_rotations=32,
            max_delegations=4,
            root_max_length=MAX_ROOT_BYTES,
            timestamp_max_length=1 << 14,
            snapshot_max_length=1 << 18,
            targets_max_length=1 << 20,
        )
        return Updater(
            str(self._cache),
            f"{self._prefix}metadata/",
            target_base_url=f"{self._prefix}targets/",
            fetcher=self._fetcher,
            config=config,
            bootstrap=self._root,
        )

    def _client(self) -> Updater:
        if self._updater is None or self._household is None:
            raise UpdateError("the repository was not checked yet.", "Check it first.")
        return self._updater

    def _clear(self) -> None:
        if self._cache.is_dir() and not self._cache.is_symlink():
            shutil.rmtree(self._cache)
        else:
            self._cache.unlink()

    def _guarded(self, call: Callable[[], _Result]) -> _Result:
        """Run a call of the library; its errors become ours."""
        try:
            return call()
        except ExpiredMetadataError as error:
            raise UpdateError(
                f"the repository's metadata has expired: {error}.",
                "Run `ota refresh-repo` where it is published; somebody may be holding newer updates back.",
            ) from error
        except (RepositoryError, DownloadLengthMismatchError) as error:
            raise UpdateError(f"the update is not to be trusted: {error}.", "Nothing was changed.") from error
        except DownloadError as error:
            raise UnavailableError(
                f"the update repository {self._repository} cannot be read: {error}.", "Try again later."
            ) from error
        except OSError as error:
            raise StoreError(
                f"the update channel cannot use {self._cache.parent}: {error}.", "Check the disk."
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UpdateError(f"the update's metadata cannot be read: {error!r}.") from error

"""Which metadata counts as acceptable: signatures, version floors, time. Decides only; knows no files.

The version floors belong to a role and the set of keys that sign for it, so that a repository whose versions
were driven up by a thief can recover by changing the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp  # type: ignore[attr-defined]

from device.ota.release import MADE_AT
from runtime.contract.errors import UpdateError

MAX_ROOT_BYTES = 1 << 16
CLOCK_TOLERANCE_S = 600
RoleKey = tuple[str, str]
"""A role's name and the digest of the set of keys that sign for it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Metadata that the client has verified, read back.

    Attributes:
        root: the newest root, as bytes.
        versions: by role and key set.
        made_at_s: POSIX seconds at which the timestamp was signed; 0 when it does not say.
        household: the household's own list of adapters; None when the repository delegates nothing to it.
    """

    root: bytes
    versions: dict[RoleKey, int]
    made_at_s: int
    household: Targets | None


def check_root(raw: bytes) -> Root:
    """A root that a box may be told to trust.

    Raises:
        UpdateError: too large, no root metadata, or not signed by enough of its own keys.
    """
    if len(raw) > MAX_ROOT_BYTES:
        raise UpdateError(f"the root has {len(raw)} bytes, allowed are {MAX_ROOT_BYTES}.")
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(raw)
        if not isinstance(metadata.signed, Root):
            raise UpdateError(f"the file is {metadata.signed.type} metadata, no root.", "Pass root.json.")
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise UpdateError(f"the root cannot be trusted: {error}.", "Fetch root.json again.") from error
    return metadata.signed


def read_accepted(files: Mapping[str, bytes], role: str) -> Accepted:
    """Read back what the TUF client has verified and stored, verifying signatures once more.

    Args:
        files: bytes of the top-level metadata and, where there is one, of the household's role, by role name.
        role: the household's role.

    Raises:
        UpdateError: something is missing or does not fit together.
    """
    try:
        root = check_root(files[Root.type])
        timestamp = _verified(files, Timestamp.type, root, Timestamp)
        snapshot = _verified(files, Snapshot.type, root, Snapshot)
        targets = _verified(files, Targets.type, root, Targets)
        versions = {
            (name, _key_set(root.roles[name].keyids)): signed.version
            for name, signed in (
                (Root.type, root),
                (Timestamp.type, timestamp),
                (Snapshot.type, snapshot),
                (Targets.type, targets),
            )
        }
        household = None
        delegations = targets.delegations
        if delegations is not None and delegations.roles is not None and role in delegations.roles:
            household = _verified(files, role, targets, Targets)
            if household.version != snapshot.meta[f"{role}.json"].version:
                raise UpdateError(f"the list of {role} is not the one of this snapshot.", "Try again later.")
            versions[role, _key_set(delegations.roles[role].keyids)] = household.version
    except KeyError as error:
        raise UpdateError(f"the repository has no usable metadata of {error}.", "Publish again.") from error
    except (RepositoryError, ValueError) as error:
        raise UpdateError(f"the stored metadata does not verify: {error}.", "Try again.") from error
    made_at_s = timestamp.unrecognized_fields.get(MADE_AT, 0)
    seconds = made_at_s if type(made_at_s) is int else 0
    return Accepted(files[Root.type], versions, seconds, household)


def check_floors(versions: Mapping[RoleKey, int], floors: Mapping[RoleKey, int]) -> None:
    """Refuse metadata that is older than what this box has accepted before.

    Raises:
        UpdateError: naming the role and both versions.
    """
    for key, version in versions.items():
        if version < floors.get(key, 0):
            raise UpdateError(
                f"the repository went back: {key[0]} has version {version}, this box has seen {floors[key]}.",
                "Somebody replays old updates, or the repository was restored from a backup: publish anew.",
            )


def check_clock(now_s: float, made_at_s: int, time_floor_s: int) -> None:
    """Refuse to judge freshness by a clock that is behind what was signed.

    Raises:
        UpdateError: the clock shows a time before a signature's.
    """
    latest = max(made_at_s, time_floor_s)
    if now_s + CLOCK_TOLERANCE_S < latest:
        raise UpdateError(
            f"this box's clock is {int(latest - now_s)} s behind a signature of the repository; "
            "whether the updates are fresh cannot be told.",
            "Set the clock.",
        )


def _verified(files: Mapping[str, bytes], role: str, delegator: Root | Targets, kind: type[Any]) -> Any:
    metadata: Metadata[Any] = Metadata.from_bytes(files[role])
    delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    if not isinstance(metadata.signed, kind):
        raise UpdateError(f"the metadata of {role} is of the type {metadata.signed.type}.")
    return metadata.signed


def _key_set(key_ids: list[str]) -> str:
    return hashlib.sha256(",".join(sorted(key_ids)).encode()).hexdigest()[:32]

"""How an adapter is named and described in an update repository. Knows no files, no keys and no network.

Names are public: they hold the opaque ids of household and subject, never a person's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.contract.errors import UpdateError, UsageError

RELEASE_SCHEMA = 1
SUFFIX = ".pvadapter"
MAX_ADAPTER_BYTES = 32 << 20
MADE_AT = "x-pvchat-made-at"  # signed field of timestamp.json: when it was signed, POSIX seconds
# no character that has a meaning in a path, a URL or TUF's path patterns
_HOUSEHOLD_ID = re.compile(r"^h[0-9a-z_-]{1,63}$")
_SUBJECT_ID = re.compile(r"^s[0-9a-f]{32}$")
_DIGEST = re.compile(r"^[0-9a-f]{8,128}$")


@dataclass(frozen=True, slots=True)
class Release:
    """What the household's key signs about one adapter file, beside its length and hash.

    Attributes:
        subject_id: whom the adapter is for.
        release: counts up with every adapter of this subject, from 1.
        base: fingerprint of the base it fits.
        kind: `instant` or `trained`.
    """

    subject_id: str
    release: int
    base: str
    kind: str

    def to_custom(self) -> dict[str, Any]:
        """The target's `custom` field."""
        return {
            "schema": RELEASE_SCHEMA,
            "subject_id": self.subject_id,
            "release": self.release,
            "base": self.base,
            "kind": self.kind,
        }


def release_from_custom(path: str, custom: object) -> Release:
    """Read a target's `custom` field; fields this version does not know are left alone.

    Raises:
        UpdateError: a newer schema, or a field missing or of the wrong type.
    """
    if not isinstance(custom, Mapping):
        raise UpdateError(f"the update {path} does not say what it is.", "Publish it with `ota add-adapter`.")
    schema = custom.get("schema")
    if type(schema) is not int or schema < 1:
        raise UpdateError(f"the update {path} has no schema number.", "Publish it again.")
    if schema > RELEASE_SCHEMA:
        raise UpdateError(
            f"the update {path} has schema {schema}, this program reads up to {RELEASE_SCHEMA}.",
            "Update pvchat-edge.",
        )
    subject_id, release = custom.get("subject_id"), custom.get("release")
    base, kind = custom.get("base"), custom.get("kind")
    if type(release) is not int or not 1 <= release < 1 << 53:
        raise UpdateError(f"the update {path} has release {release!r}; releases count from 1.")
    if not isinstance(subject_id, str) or not _SUBJECT_ID.fullmatch(subject_id):
        raise UpdateError(f"the update {path} names subject {subject_id!r}, which is no subject id.")
    if not isinstance(base, str) or not _DIGEST.fullmatch(base):
        raise UpdateError(f"the update {path} names base {base!r}, which is no fingerprint.")
    if kind not in ("instant", "trained"):
        raise UpdateError(f"the update {path} has kind {kind!r}, known are instant and trained.")
    return Release(subject_id, release, base, kind)


def household_role(household_id: str) -> str:
    """Name of the delegated role that signs this household's adapters: the household's id itself.

    Raises:
        UsageError: the id is not `h` and 1 to 63 of 0-9, a-z, `_` and `-`.
    """
    if not _HOUSEHOLD_ID.fullmatch(household_id):
        raise UsageError(
            f"a household id is 'h' and 1 to 63 of 0-9, a-z, _ and -, got {household_id!r}.",
            "`pvchat-edge status` shows the id of a box.",
        )
    return household_id


def target_path(household_id: str, subject_id: str) -> str:
    """Path of a subject's adapter inside a repository: `<household id>/<subject id>.pvadapter`.

    Raises:
        UsageError: one of the two is no id.
    """
    if not _SUBJECT_ID.fullmatch(subject_id):
        raise UsageError(f"a subject id is 's' and 32 hex digits, got {subject_id!r}.")
    return f"{household_role(household_id)}/{subject_id}{SUFFIX}"

"""Who may talk over a network: one key pair a home, and the list of keys that it lets in. Knows no sockets.

CURVE keys (curve25519, as CurveZMQ has them) are 40 characters of Z85. A key pair is a file that only its
owner may read; the list is a file of names and public keys, read again whenever it has changed, so that a
key that was revoked is refused from the next message on.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from runtime.atomic import write_atomic
from runtime.contract.errors import StoreError, UsageError

KEY_CHARS = 40
MAX_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Z85 text each; `secret` is never printed."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """What a server needs to listen on a network: who it is, and whom it lets in."""

    pair: KeyPair
    allowed: AllowList


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a client needs: who it is, and the public key of the one server that it believes."""

    pair: KeyPair
    server: str

    def __post_init__(self) -> None:
        check_key(self.server)


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        UsageError: not 40 characters of Z85.
    """
    try:
        if len(key) == KEY_CHARS and len(z85.decode(key)) == 32:
            return key
    except (KeyError, ValueError, UnicodeEncodeError):
        pass  # told below
    raise UsageError(f"{key!r} is no key: {KEY_CHARS} characters are wanted.", "See `pvchat-edge keys show`.")


def ensure_key(path: Path) -> KeyPair:
    """The key pair in a file; made, mode 0600, where there is none.

    Raises:
        StoreError: the file cannot be read or written, others may read it, or it holds no key pair.
    """
    try:
        mode = path.stat().st_mode
        data = _read_json(path)
    except FileNotFoundError:
        public, secret = (half.decode("ascii") for half in zmq.curve_keypair())
        write_atomic(path, json.dumps({"public": public, "secret": secret}).encode())
        return KeyPair(public, secret)
    if stat.S_IMODE(mode) & 0o077:
        raise StoreError(f"the key {path} can be read by others.", f"Run `chmod 600 {path}`.")
    try:
        pair = KeyPair(check_key(data["public"]), check_key(data["secret"]))
        if zmq.curve_public(pair.secret.encode()).decode() == pair.public:
            return pair
    except (UsageError, KeyError, TypeError):
        pass  # told below
    raise StoreError(f"{path} holds no key pair.", "Move it away; a new one is made, to be allowed anew.")


class AllowList:
    """Names and public keys in a JSON file; no file is an empty list. Safe from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, int, int] | None, dict[str, str]] = (None, {})

    def names(self) -> dict[str, str]:
        """Public key by name.

        Raises:
            StoreError: the file cannot be read or is not what `allow` writes.
        """
        try:
            status = self.path.stat()
            mark = (status.st_mtime_ns, status.st_ino, status.st_size)
        except FileNotFoundError:
            return {}
        known, names = self._read
        if mark != known:
            names = self._load()
            self._read = (mark, names)
        return dict(names)

    def _load(self) -> dict[str, str]:
        try:
            data = _read_json(self.path)
            return {str(name): check_key(key) for name, key in data.items()}
        except (UsageError, TypeError, AttributeError) as error:
            raise StoreError(f"{self.path} is no list of keys: {error}.", "Move it away.") from error

    def lets_in(self, key: str) -> bool:
        """Whether a public key is on the list; a list that cannot be read lets nobody in."""
        try:
            return key in self.names().values()
        except StoreError:
            return False

    def allow(self, name: str, key: str) -> None:
        """Add a key, or give a name another key.

        Raises:
            UsageError: no name, no key, or a key that has another name.
            StoreError: the list cannot be read or written.
        """
        if not 0 < len(name.strip()) <= MAX_NAME_CHARS or not name.isprintable():
            raise UsageError(f"{name!r} is no name: 1 to {MAX_NAME_CHARS} characters are wanted.")
        names = self.names()
        owner = next((other for other, taken in names.items() if taken == check_key(key)), name)
        if owner != name:
            raise UsageError(f"this key is allowed already, as {owner!r}.", f"Revoke {owner!r} first.")
        self._write({**names, name: key})

    def revoke(self, name: str) -> None:
        """Take a key off the list.

        Raises:
            UsageError: nobody has that name. StoreError: the list cannot be read or written.
        """
        names = self.names()
        if name not in names:
            known = ", ".join(sorted(names)) or "nobody"
            raise UsageError(f"no key is allowed as {name!r}.", f"Allowed: {known}.")
        self._write({other: key for other, key in names.items() if other != name})

    def _write(self, names: dict[str, str]) -> None:
        write_atomic(self.path, json.dumps(names, indent=1, sort_keys=True, ensure_ascii=False).encode())


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a file; `FileNotFoundError` is the caller's to handle."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            data = json.load(stream)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}.", "Check the file.") from error
    if not isinstance(data, dict):
        raise StoreError(f"{path} holds no object.", "Move it away.")
    return data

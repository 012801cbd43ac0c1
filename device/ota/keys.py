"""Signing keys as files: one unencrypted ed25519 PEM a role, readable by the owner only.

Knows no repository. Protecting the folder (an encrypted stick, another machine) is the publisher's affair.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

from runtime.contract.errors import UsageError


def create_key(keys_dir: Path, name: str) -> CryptoSigner:
    """A new key, written to `<keys_dir>/<name>.pem` with mode 0600.

    Raises:
        UsageError: the key exists already, or the folder cannot be written.
    """
    signer = CryptoSigner.generate_ed25519()
    path = keys_dir / f"{name}.pem"
    try:
        keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise UsageError(
            f"the key {path} exists already; it is not overwritten.", "Choose another folder for the keys."
        ) from error
    except OSError as error:
        raise UsageError(f"cannot write keys to {keys_dir}: {error.strerror}.") from error
    with os.fdopen(handle, "wb") as stream:
        stream.write(signer.private_bytes)
        stream.flush()
        os.fsync(stream.fileno())
    return signer


def load_signer(keys_dir: Path, name: str) -> CryptoSigner:
    """The signer of one role.

    Raises:
        UsageError: no such key, a key that others may read, or a file that is no ed25519 key.
    """
    path = keys_dir / f"{name}.pem"
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read the key {path}: {error.strerror}.", "Pass the folder that `ota init-repo` filled."
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"the key {path} can be read by others.", f"Run `chmod 600 {path}`.")
    try:
        private = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is no private key: {error}.") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(f"{path} is no ed25519 key.", "Make the keys with `ota init-repo`.")
    return CryptoSigner(private)


def has_key(keys_dir: Path, name: str) -> bool:
    """Whether this folder holds the key of a role."""
    return (keys_dir / f"{name}.pem").is_file()

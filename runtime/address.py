"""Where a server listens: ipc:// endpoints, their folder and their lock. Knows no messages."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from runtime.contract.errors import ConfigError, UnavailableError

MAX_PATH_BYTES = 107
_SCHEME = "ipc://"


def socket_path(endpoint: str) -> Path:
    """The socket file that an endpoint names.

    Raises:
        ConfigError: not ipc://, not an absolute path, or one too long for the operating system.
    """
    if not endpoint.startswith(_SCHEME):
        raise ConfigError(
            f"endpoint {endpoint!r} is not local: other transports need keys, which this version lacks.",
            "Use ipc:// and an absolute path.",
        )
    path = endpoint.removeprefix(_SCHEME)
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ConfigError(
            f"endpoint {endpoint!r} names no absolute path.", "Use ipc:// and an absolute path."
        )
    length = len(os.fsencode(path))
    if length > MAX_PATH_BYTES:
        raise ConfigError(
            f"socket path {path} has {length} bytes; sockets allow {MAX_PATH_BYTES}.",
            "Set PVCHAT_HOME to a shorter folder.",
        )
    return Path(path)


class Claim:
    """The right to listen at an endpoint, held by a lock next to the socket until `release` or death."""

    def __init__(self, endpoint: str) -> None:
        """Prepare the folder, take the lock and remove a socket that a dead server left.

        Raises:
            ConfigError: a bad endpoint, or a folder that others may enter.
            UnavailableError: somebody else listens there.
        """
        self.endpoint = endpoint
        self.path = socket_path(endpoint)
        _prepare(self.path.parent)
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._fd = os.open(self.path.with_name(f"{self.path.name}.lock"), flags, 0o600)
        except OSError as error:
            raise ConfigError(
                f"cannot lock {self.path}: {error.strerror}.", "Choose another folder."
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise UnavailableError(
                f"another process already listens at {self.path}.", "Stop that one first, or use it."
            ) from error
        self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let others listen there. Twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise ConfigError(f"cannot make folder {folder}: {error.strerror}.", "Choose another one.") from error
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise ConfigError(
            f"folder {folder} is open to others (mode {status.st_mode & 0o777:o}).",
            f"Run `chmod 700 {folder}`, or choose a folder of your own.",
        )

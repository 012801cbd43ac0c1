"""Where a server listens: ipc:// has a folder and a lock, tcp:// a host and a port. Knows no messages."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from runtime.contract.errors import ConfigError, UnavailableError

MAX_PATH_BYTES = 107
_SCHEME = "ipc://"
_NETWORK = "tcp://"
_EVERYWHERE = ("*", "0.0.0.0", "::", "")  # noqa: S104 - refused


def socket_path(endpoint: str) -> Path:
    """The socket file that an endpoint names.

    Raises:
        ConfigError: not ipc://, not an absolute path, or one too long for the operating system.
    """
    if not endpoint.startswith(_SCHEME):
        raise ConfigError(f"endpoint {endpoint!r} is not local.", "Use ipc:// and an absolute path.")
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


def is_network(endpoint: str) -> bool:
    """Whether an endpoint can be reached from other machines, so that keys are needed."""
    return endpoint.startswith(_NETWORK)


def network_address(endpoint: str) -> tuple[str, int]:
    """Host and port of a tcp:// endpoint; a host with colons stands in brackets.

    Raises:
        ConfigError: another scheme, no port, or a host that means every interface of the machine.
    """
    host, colon, port = endpoint.removeprefix(_NETWORK).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not is_network(endpoint) or not colon or not port.isascii() or not port.isdigit():
        raise ConfigError(f"endpoint {endpoint!r} is no network address.", "Use tcp://HOST:PORT.")
    if not 1 <= int(port) <= 65535:
        raise ConfigError(f"endpoint {endpoint!r} has no port within 1 to 65535.", "Use tcp://HOST:PORT.")
    if host in _EVERYWHERE:
        raise ConfigError(
            f"endpoint {endpoint!r} is every network of this machine.", "Name the one address to listen at."
        )
    return host, int(port)


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

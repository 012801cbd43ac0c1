"""Who may ask: a bearer token from a file, and the names by which a browser may call this machine.

Knows no routes. Without a token only this machine can reach the server; the `Host` header is looked at then,
so that a web page whose name was pointed at 127.0.0.1 reads nothing.
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from runtime.contract.errors import AccessError, ConfigError
from runtime.http.settings import HttpConfig

MIN_TOKEN_CHARS = 16
_MAX_TOKEN_BYTES = 4096
_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets a request in, or says why not.

    Attributes:
        token: what the caller has to show; None: nothing.
        names: hosts that a caller without a token may name.
    """

    token: bytes | None = field(repr=False)
    names: frozenset[str] = _OWN_NAMES

    def check(self, headers: Mapping[str, str]) -> None:
        """Look at a request's headers.

        Raises:
            AccessError: no token or a wrong one; or, where none is asked for, a strange host.
        """
        if self.token is not None:
            scheme, _, shown = headers.get("authorization", "").partition(" ")
            same = hmac.compare_digest(shown.strip().encode("utf-8", "replace"), self.token)
            if scheme.lower() != "bearer" or not same:
                raise AccessError(
                    "the bearer token is missing or wrong.",
                    "Send `Authorization: Bearer` and the box's token.",
                )
            return
        try:
            host = urlsplit(f"//{headers.get('host', '')}").hostname
        except ValueError:
            host = None
        if host not in self.names:
            raise AccessError(
                "this server is asked under a name that is not its own.",
                "Ask http://127.0.0.1, or set a token.",
            )


def open_gate(config: HttpConfig) -> Gate:
    """The gate that the settings ask for.

    Raises:
        ConfigError: other machines can reach the address and there is no token, or its file is no safe one.
    """
    if config.token_file:
        return Gate(read_token(Path(config.token_file)))
    if not config.is_local:
        raise ConfigError(
            f"{config.host} can be reached from other machines, and no token is set.",
            "Run `(umask 077; openssl rand -hex 32 > http.token)` and name it: token_file under [http].",
        )
    return Gate(None, _OWN_NAMES | {config.host})


def read_token(path: Path) -> bytes:
    """The token in a file of one line.

    Raises:
        ConfigError: it cannot be read, is not the user's own, others may read it, or it holds no token.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(stream.fileno())
            raw = stream.read(_MAX_TOKEN_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise ConfigError(f"cannot read the token {path}: {error.strerror}.", "Check token_file.") from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(
            f"the token {path} can be read by others (mode {stat.S_IMODE(status.st_mode):o}).",
            f"Run `chmod 600 {path}`.",
        )
    token = raw.strip()
    if not MIN_TOKEN_CHARS <= len(token) <= _MAX_TOKEN_BYTES or not token.isascii() or b" " in token:
        raise ConfigError(
            f"{path} holds no token: one line of at least {MIN_TOKEN_CHARS} characters is wanted.",
            f"Run `(umask 077; openssl rand -hex 32 > {path})`.",
        )
    return token

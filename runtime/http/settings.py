"""Settings of the HTTP server. Knows no server and no home."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

PORT = 7780


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Who may ask over HTTP, and how much.

    Attributes:
        host: address to listen at; any other than this machine's own loopback needs `token_file`.
        port: 0 takes any free one.
        token_file: file with the bearer token, readable by its owner only; empty: none is asked for.
        clip_folders: folders whose video files may be asked about by path; none: no file may.
        max_waiting: questions that are worked on or wait at a time; one more is refused as busy.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    token_file: str = ""
    clip_folders: tuple[str, ...] = ()
    max_waiting: int = 8

    def __post_init__(self) -> None:
        if not self.host.strip():
            raise ValueError("host must be an address, such as 127.0.0.1")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be 0 to 65535, got {self.port}")
        if not 1 <= self.max_waiting <= 64:
            raise ValueError(f"max_waiting must be 1 to 64, got {self.max_waiting}")

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

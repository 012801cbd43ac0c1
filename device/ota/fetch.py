"""Where an update repository's files come from: a folder, or a web server. Knows no signatures.

Both hand over bytes in pieces; the length cap is applied by python-tuf's `download_file`, which every fetcher
inherits. The web fetcher adds what the library lacks: a deadline for the whole of a file, headers included.
"""

from __future__ import annotations

import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from runtime.contract.errors import UsageError

PIECE_BYTES = 1 << 16
_NOT_FOUND = 404


class FolderFetcher(FetcherInterface):
    """Reads a repository in a folder, such as a stick or a network drive.

    "URLs" are paths relative to the folder. Links, and anything but regular files, are not followed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        parts = url.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise DownloadError(f"the repository names the path {url!r}, which leaves it")
        try:
            handle = self._open(parts)
        except FileNotFoundError as error:
            raise DownloadHTTPError(f"no {url} in {self._folder}", _NOT_FOUND) from error
        return _pieces(handle)

    def _open(self, parts: list[str]) -> int:
        """A descriptor of the file, opened step by step so that no link is followed on the way."""
        plain = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        where = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        for part in parts[:-1]:
            outer = where
            try:
                where = os.open(part, plain | os.O_DIRECTORY, dir_fd=outer)
            finally:
                os.close(outer)
        try:
            handle = os.open(parts[-1], plain | os.O_NONBLOCK, dir_fd=where)
        finally:
            os.close(where)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise DownloadError(f"{'/'.join(parts)} in {self._folder} is no regular file")
        return handle


class WebFetcher(Urllib3Fetcher):
    """Reads a repository over http or https with the library's own client, in a limited time.

    The limit is for everything that one fetcher transfers: it grows with every signed length, so a slow line
    is fine and a drip is not.

    Args:
        patience_s: seconds of transfer allowed beside what the lengths allow.
        least_rate_bytes_s: slowest average rate that still counts as a download.
        gap_s: seconds without a byte after which the server counts as dead.
    """

    def __init__(self, patience_s: float = 60.0, least_rate_bytes_s: int = 1 << 16, gap_s: int = 20) -> None:
        super().__init__(socket_timeout=gap_s, chunk_size=PIECE_BYTES, app_user_agent="pvchat-edge")
        self._left_s = patience_s
        self._least_rate_bytes_s = least_rate_bytes_s

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """As in the base class; a file of `max_length` bytes adds the time it may take at the least rate."""
        self._left_s += max_length / self._least_rate_bytes_s
        with super().download_file(url, max_length) as stream:
            yield stream

    def _fetch(self, url: str) -> Iterator[bytes]:
        # urllib3 knows only a timeout between two bytes, and reads headers before it hands over anything:
        # the transfer runs beside us, and we stop waiting for it when the time is up.
        transfer = _Transfer(super()._fetch, url)
        threading.Thread(target=transfer.run, name="ota-transfer", daemon=True).start()
        started = time.monotonic()
        try:
            yield from transfer.pieces(started + self._left_s)
        finally:
            self._left_s -= time.monotonic() - started

    def _chunks(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        # the base class waits for a full chunk; whatever has come is wanted here, to notice being abandoned
        try:
            while piece := response.read1(PIECE_BYTES):
                yield piece
        finally:
            response.close()


class _Transfer:
    """One download in a thread of its own; its pieces go through a short queue."""

    def __init__(self, fetch: Callable[[str], Iterator[bytes]], url: str) -> None:
        self._fetch = fetch
        self._url = url
        self._queue: queue.Queue[bytes | None] = queue.Queue(maxsize=4)
        self._abandoned = False
        self._complete = False
        self._error: Exception | None = None

    def run(self) -> None:
        """Fill the queue; None is the last item. Ends soon after the reader has left."""
        try:
            for piece in self._fetch(self._url):
                if not self._put(piece):
                    return
            self._complete = True
        except (DownloadError, HTTPError, OSError, ValueError) as error:
            self._error = error
        finally:
            self._put(None)

    def pieces(self, deadline: float) -> Iterator[bytes]:
        """The pieces as they come, until `deadline` (monotonic clock)."""
        try:
            while (piece := self._next(deadline)) is not None:
                yield piece
        finally:
            self._abandoned = True
        if isinstance(self._error, DownloadError):
            raise self._error
        if not self._complete:
            raise DownloadError(f"{self._url} broke off: {self._error}") from self._error

    def _next(self, deadline: float) -> bytes | None:
        try:
            return self._queue.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            raise SlowRetrievalError(f"{self._url} took too long") from None

    def _put(self, piece: bytes | None) -> bool:
        while not self._abandoned:
            with suppress(queue.Full):
                self._queue.put(piece, timeout=0.5)
                return True
        return False


def open_fetcher(repository: str) -> tuple[FetcherInterface, str]:
    """The fetcher for a repository, and the prefix for the names of its files.

    Args:
        repository: absolute path of a folder, or an http(s) URL.

    Raises:
        UsageError: neither of them.
    """
    if repository.startswith(("http://", "https://")):
        return WebFetcher(), f"{repository.rstrip('/')}/"
    if "://" in repository or not Path(repository).is_absolute():
        raise UsageError(
            f"{repository!r} is neither an absolute folder nor an http(s) address.",
            "Name the update repository with `ota trust`.",
        )
    return FolderFetcher(Path(repository)), ""


def _pieces(handle: int) -> Iterator[bytes]:
    with os.fdopen(handle, "rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece

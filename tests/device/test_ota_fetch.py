"""Where bytes come from: a folder that may be hostile, a web server that may be slow."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)

from device.ota import commands
from device.ota.fetch import FolderFetcher, WebFetcher
from tests.device.ota_world import GRANDMA, World


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


def test_folder_gives_the_bytes_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "a").write_bytes(b"x" * 200_000)
    assert FolderFetcher(tmp_path).download_bytes("targets/a", 200_000) == b"x" * 200_000


def test_file_longer_than_announced_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 101)
    with pytest.raises(DownloadLengthMismatchError):
        FolderFetcher(tmp_path).download_bytes("a", 100)


@pytest.mark.parametrize("url", ["../secret", "a/../../secret", "/etc/hostname", "a//b", "./a", "a\0b", ""])
def test_path_that_leaves_the_folder_is_refused(tmp_path: Path, url: str) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "repo" / "a").mkdir(parents=True)
    with pytest.raises(DownloadError, match="leaves it"):
        FolderFetcher(tmp_path / "repo").download_bytes(url, 100)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_bytes(b"x")
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "file").symlink_to(tmp_path / "secret" / "file")
    (repo / "folder").symlink_to(tmp_path / "secret")
    for url in ("file", "folder/file"):
        with pytest.raises(DownloadError):
            FolderFetcher(repo).download_bytes(url, 100)


def test_pipe_in_the_folder_does_not_hang_the_box(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DownloadError, match="no regular file"):
        FolderFetcher(tmp_path).download_bytes("pipe", 100)


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(DownloadHTTPError) as caught:
        FolderFetcher(tmp_path).download_bytes("metadata/2.root.json", 100)
    assert caught.value.status_code == 404


def test_update_over_http_is_installed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(2)
    with _web(world.repo) as address:
        commands.trust(world.home, address, world.repo / "root.json")
        assert world.apply()["applied"] == [{"subject_id": GRANDMA, "release": 2, "watched": False}]
    assert world.active().release == 2


def test_missing_file_on_the_web_is_not_found(tmp_path: Path) -> None:
    with _web(tmp_path) as address, pytest.raises(DownloadHTTPError) as caught:
        WebFetcher().download_bytes(f"{address}/2.root.json", 100)
    assert caught.value.status_code == 404


def test_endless_answer_of_a_web_server_is_cut_at_the_cap(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    with _web(tmp_path) as address, pytest.raises(DownloadLengthMismatchError):
        WebFetcher().download_bytes(f"{address}/a", 1000)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: "]
)
def test_server_that_drips_body_or_headers_is_left_in_time(head: bytes) -> None:
    with _dripping(head) as address:
        fetcher = WebFetcher(patience_s=0.6, gap_s=5)
        started = time.monotonic()
        with pytest.raises(SlowRetrievalError):
            fetcher.download_bytes(f"{address}/timestamp.json", 16_384)
        assert time.monotonic() - started < 3


def test_server_that_is_not_there_is_a_download_error() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DownloadError):
        WebFetcher(patience_s=5).download_bytes(f"http://127.0.0.1:{port}/a", 100)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def _web(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _dripping(head: bytes) -> Iterator[str]:
    """A server that sends `head` and then one byte every 50 ms, until nobody listens."""
    stop = threading.Event()

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            try:
                connection.sendall(head)
                while not stop.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return  # the client has left, as it should

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()

"""Fetches a model into the home, from its source or from a folder that mirrors it. Knows no command line.

What has come stays in a `.part` file, so a broken transfer goes on where it stopped; a file gets its name
when every byte of it is right, so nobody ever loads a half one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import urllib3
from urllib3.exceptions import HTTPError

from runtime.contract.errors import ContentError, StoreError, UnavailableError
from runtime.registry import ModelCard, read_model

Progress = Callable[[int, int], None]
"""Bytes that are there, and bytes in all."""
_PIECE_BYTES = 1 << 16
_TIMEOUT_S = 20.0
_OK, _PARTIAL, _RANGE_IS_WRONG = 200, 206, 416


def pull(card: ModelCard, folder: Path, mirror: str | None, progress: Progress) -> Path:
    """Make sure that a model is installed.

    Args:
        mirror: a folder, or an http(s) address, that holds the card's file under its name; None: the source.

    Raises:
        UnavailableError: it cannot be fetched; what has come is kept.
        ContentError: what was fetched is another file; nothing of it is kept.
        StoreError: the folder cannot be written.
    """
    target = folder / card.file
    if _is_installed(card, folder):
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _fill(card, part, mirror, progress)
        _check(card, part)
        part.replace(target)
    except OSError as error:
        raise StoreError(
            f"cannot write {target}: {error.strerror}.", "Make room, then pull again."
        ) from error
    return target


def _is_installed(card: ModelCard, folder: Path) -> bool:
    path = folder / card.file
    if path.exists() and path.stat().st_size != card.bytes:
        return False
    try:
        return read_model(card, folder) is not None
    except UnavailableError:
        return False


def _fill(card: ModelCard, part: Path, mirror: str | None, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have > card.bytes:
        part.unlink()
        have = 0
    if have == card.bytes:
        return
    with _source(card, mirror, have) as (start, pieces), _open(part, append=start > 0) as stream:
        done = start
        progress(done, card.bytes)
        for piece in pieces:
            done += len(piece)
            if done > card.bytes:
                break  # a source without an end fills no disk; the check below says what is wrong
            stream.write(piece)
            progress(done, card.bytes)
        if done > card.bytes:
            stream.truncate(0)
            raise ContentError(f"{card.name} from {_named(card, mirror)} is longer than its card says.")
    if done < card.bytes:
        raise UnavailableError(
            f"the transfer of {card.name} broke off after {done} of {card.bytes} bytes.",
            "Pull it again: what has come is kept.",
        )


def _check(card: ModelCard, part: Path) -> None:
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else ""
        found = found or hashlib.sha256(stream.read()).hexdigest()
    if found != card.sha256:
        part.unlink()
        raise ContentError(
            f"what was fetched for {card.name} is another file (sha256 {found[:12]}…).",
            "Pull it from another place with --from.",
        )


@contextmanager
def _source(card: ModelCard, mirror: str | None, have: int) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Where the bytes begin, 0 or `have`, and the bytes from there on."""
    if mirror is not None and "://" not in mirror:
        path = Path(mirror) / card.file
        try:
            stream = path.open("rb")
        except OSError as error:
            raise UnavailableError(
                f"cannot read {path}: {error.strerror}.", "Name another folder."
            ) from error
        with stream:
            stream.seek(have)
            yield have, iter(lambda: stream.read(_PIECE_BYTES), b"")
        return
    with _web(_named(card, mirror), have) as found:
        yield found


@contextmanager
def _web(address: str, have: int) -> Iterator[tuple[int, Iterator[bytes]]]:
    pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=urllib3.Retry(3, backoff_factor=0.3))
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with pool.request("GET", address, headers=headers, preload_content=False) as answer:
            if answer.status not in (_OK, _PARTIAL, _RANGE_IS_WRONG):
                raise UnavailableError(
                    f"{address} answered {answer.status}.", "Pull it from another place with --from."
                )
            if answer.status == _RANGE_IS_WRONG:
                yield have, iter(())
            else:
                yield (have if answer.status == _PARTIAL else 0), _pieces(answer)
    except HTTPError as error:
        raise UnavailableError(
            f"{address} cannot be reached: {type(error).__name__}.",
            "Check the network, or pull from a folder with --from.",
        ) from error


def _pieces(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """What comes, as far as it comes: a connection that breaks off ends it."""
    try:
        yield from answer.stream(_PIECE_BYTES)
    except HTTPError:
        return


def _named(card: ModelCard, mirror: str | None) -> str:
    return card.source if mirror is None else f"{mirror.rstrip('/')}/{card.file}"


def _open(part: Path, *, append: bool) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
    return os.fdopen(os.open(part, flags, 0o600), "ab" if append else "wb")

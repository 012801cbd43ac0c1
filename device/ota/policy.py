"""Whether a downloaded file is the adapter that was signed. Knows no repository, no network and no store."""

from __future__ import annotations

from pathlib import Path

from device.ota.release import MAX_ADAPTER_BYTES, Release
from runtime.adapters import adapter_from_bytes, read_adapter
from runtime.contract.errors import AdapterError, UpdateError, UsageError


def check_file(path: Path, release: Release, shapes: dict[str, int]) -> None:
    """Refuse a file whose contents are not what the household's key signed, or not sound.

    Args:
        release: what was signed; its base is the installed one.
        shapes: the installed manifest's sizes by letter.

    Raises:
        UpdateError: naming what differs.
    """
    try:
        adapter, _ = read_adapter(path, base=release.base, shapes=shapes)
    except AdapterError as error:
        raise UpdateError(f"the update is no usable adapter: {error.message}", error.next_step) from error
    for name, found, signed in (
        ("subject", adapter.subject_id, release.subject_id),
        ("release", adapter.release, release.release),
        ("kind", adapter.kind, release.kind),
    ):
        if found != signed:
            raise UpdateError(
                f"the update's file has {name} {found}, signed is {signed}.", "Publish the right file."
            )


def describe(path: Path) -> tuple[Release, bytes]:
    """What an adapter file says of itself, and its bytes.

    Raises:
        UsageError: the file cannot be read, or is too large for the channel.
        AdapterError: it is no adapter.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_ADAPTER_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.", "Check the path.") from error
    if len(data) > MAX_ADAPTER_BYTES:
        raise UsageError(f"{path} has more than {MAX_ADAPTER_BYTES} bytes.", "Pass an adapter file.")
    adapter = adapter_from_bytes(data)
    return Release(adapter.subject_id, adapter.release, adapter.base, adapter.kind), data

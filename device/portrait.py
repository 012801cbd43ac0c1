"""Everything that is stored about one person, in one file to take away. Knows no sockets and no models."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.store.records import Consent, Person
from runtime.atomic import write_atomic
from runtime.contract.errors import StoreError, UsageError

_KEPT = ("active", "previous", "trial")


def export_person(person: Person, facts: Mapping[str, Any], consents: list[Consent], out: Path) -> list[str]:
    """Write a .zip with `person.json`, adapters, denials and the contact sheet; readable by the owner alone.

    Args:
        facts: what `person show --json` says. consents: every one ever recorded, oldest first.

    Returns:
        the names of the files in it.

    Raises:
        UsageError: `out` exists, or its folder does not.
        StoreError: a file cannot be read or written; `out` is not there then.
    """
    if out.exists() or not out.parent.is_dir():
        raise UsageError(
            f"{out} cannot be written: it exists, or its folder does not.", "Choose another --out."
        )
    history = [{"by": one.by, "at": one.at, "purpose": one.purpose, "until": one.until} for one in consents]
    told = {name: value for name, value in facts.items() if name != "contact_sheet"}
    parts = {f"release-{one.release}.safetensors": one.path for one in person.adapters if one.state in _KEPT}
    parts |= {f"denied-{one.event}.safetensors": one.path for one in person.denials}
    if person.sheet is not None:
        parts[f"contact-sheet{person.sheet.suffix}"] = person.sheet
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("person.json", json.dumps({**told, "consents": history}, indent=1) + "\n")
            for name, path in parts.items():
                archive.write(path, name)
    except OSError as error:
        raise StoreError(f"cannot read the vault: {error.strerror}.", "Run `pvchat-edge doctor`.") from error
    write_atomic(out, packed.getvalue())
    return ["person.json", *parts]

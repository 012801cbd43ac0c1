"""A folder of identities: FOLDER/IDENTITY/CLIP. Knows no models."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.contract.errors import ContentError, UsageError

_VIDEOS = frozenset({".mp4", ".mkv", ".webm", ".avi", ".mov", ".mpg", ".mpeg", ".m4v", ".ts"})


@dataclass(frozen=True, slots=True)
class Identity:
    """One person.

    Attributes:
        reference: the clip to learn from; None: a stranger, who is never enrolled.
        queries: every other clip.
    """

    name: str
    reference: Path | None
    queries: tuple[Path, ...]


def read_identities(
    root: Path, strangers: Collection[str] = (), references: Mapping[str, str] | None = None
) -> list[Identity]:
    """Everybody in a folder; the first clip by name is the reference.

    Args:
        strangers: names of those who are never enrolled. references: by name, another clip's file name.

    Raises:
        ContentError: no folder, or no clips in it. UsageError: a name or clip that is not there.
    """
    if not root.is_dir():
        raise ContentError(f"{root} is not a folder.", "Name a folder with one folder of clips a person.")
    clips = {
        folder.name: sorted(path for path in folder.iterdir() if path.suffix.lower() in _VIDEOS)
        for folder in sorted(root.iterdir())
        if folder.is_dir()
    }
    clips = {name: paths for name, paths in clips.items() if paths}
    if not clips:
        raise ContentError(f"{root} holds no folders of clips.", "Lay it out as FOLDER/PERSON/CLIP.")
    chosen = dict(references or {})
    for name in (*strangers, *chosen):
        if name not in clips:
            raise UsageError(f"there is nobody called {name!r}.", f"There are: {', '.join(clips)}.")
    return [_identity(name, paths, name in strangers, chosen.get(name)) for name, paths in clips.items()]


def _identity(name: str, paths: Sequence[Path], stranger: bool, reference: str | None) -> Identity:
    if stranger:
        return Identity(name, None, tuple(paths))
    first = paths[0] if reference is None else next((p for p in paths if p.name == reference), None)
    if first is None:
        raise UsageError(f"{name} has no clip {reference!r}.", f"Clips: {', '.join(p.name for p in paths)}.")
    return Identity(name, first, tuple(path for path in paths if path != first))

"""Models of others that may lie beside a bundle: what they are, and the files that are installed.

Knows no network and no engine.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from runtime.contract.errors import ConfigError, EngineError, UsageError
from runtime.contract.settings import load_settings

ModelRole = Literal["person_detector", "face_detector"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model: its file, where it comes from, and what one may do with it.

    Attributes:
        role: what it is used for. file: name in the folder of models. bytes, sha256: of that file.
        licence: of code and weights. trained_on: data. source: https address of exactly this file.
        purpose: what it brings, in words. name: as in the registry.
    """

    role: ModelRole
    file: str
    bytes: int
    sha256: str
    licence: str
    trained_on: str
    source: str
    purpose: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """The file: cards by name."""

    models: dict[str, ModelCard]


@functools.cache
def registry() -> tuple[ModelCard, ...]:
    """All cards of `configs/models.toml`, by name.

    Raises:
        ConfigError: the installed package lacks the file, or it is damaged.
    """
    import configs

    if configs.__file__ is None:
        raise ConfigError("the installed package has no configs.", "Install pvchat-edge again.")
    found = load_settings(Path(configs.__file__).parent / "models.toml", Registry).models
    return tuple(replace(card, name=name) for name, card in sorted(found.items()))


def card_of(name: str) -> ModelCard:
    """The card of a name.

    Raises:
        UsageError: no such model.
    """
    for card in registry():
        if card.name == name:
            return card
    raise UsageError(f"there is no model {name!r}.", f"Known: {', '.join(card.name for card in registry())}.")


def read_model(card: ModelCard, folder: Path) -> bytes | None:
    """The bytes of an installed model; None where it is not installed.

    Raises:
        EngineError: the file cannot be read, or is not the one of the card.
    """
    path = folder / card.file
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}.", _again(card)) from error
    if hashlib.sha256(raw).hexdigest() != card.sha256:
        raise EngineError(f"{path} is not the file that its card names.", _again(card))
    return raw


def _again(card: ModelCard) -> str:
    return f"Fetch it again: `pvchat-edge models pull {card.name}`."

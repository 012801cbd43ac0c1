"""TOML files to frozen dataclasses. Knows no particular configuration."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from runtime.contract.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


def load_settings(path: Path, cls: type[T]) -> T:
    """Read a TOML file into the dataclass `cls`.

    Raises:
        ConfigError: no file, no TOML, an unknown key (the nearest known one is named), a wrong type.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error
    return parse_settings(data, cls, where=str(path))


def parse_settings(data: dict[str, Any], cls: type[T], *, where: str) -> T:
    """Turn a mapping into the dataclass `cls`; nested tables become nested dataclasses."""
    hints = typing.get_type_hints(cls)
    known = {item.name: item for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(sorted(known))}."
            raise ConfigError(f"{where}: unknown key {key!r}.", hint)
        values[key] = _convert(value, hints[key], where=f"{where}: {key}")
    missing = [
        name
        for name, item in known.items()
        if name not in values
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where}: missing key {missing[0]!r}.", "Add it to the file.")
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}.") from error


def _convert(value: Any, hint: Any, *, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return _convert(value, inner[0], where=where)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            raise ConfigError(f"{where} is {value!r}.", f"Choose one of {typing.get_args(hint)}.")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where} must be a list, got {value!r}.")
        inner = list(typing.get_args(hint))
        return tuple(_convert(item, inner[0], where=where) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} must be a table, got {value!r}.")
        return {
            key: _convert(item, typing.get_args(hint)[1], where=f"{where}.{key}")
            for key, item in value.items()
        }
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} must be a table, got {value!r}.")
        return parse_settings(value, hint, where=where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigError(f"{where} must be {hint.__name__}, got {value!r}.")
    return value

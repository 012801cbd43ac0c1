"""The one tree of public errors. Knows no sockets and no files.

* PvchatError
  * UsageError          the call is wrong: a bad path, an unknown name            exit 2
    * ConfigError       a configuration file is wrong
    * ConsentError      nobody has consented
    * AccessError       this key, or anybody from afar, may not do that
  * ContentError        the path is fine, what lies there cannot be used          exit 5
  * BundleError         a bundle is damaged, too new, or not what it says         exit 5
    * AdapterError      an adapter is damaged or made for another base
  * StoreError          the home's own files cannot be read or written            exit 5
  * UpdateError         an update was refused; the box stays on what it had       exit 5
  * UnavailableError    nothing can answer right now                              exit 4
    * EngineError       an engine does not load or computes what is not finite
    * CameraError       a camera gives no usable frames
    * DeadlineError     the deadline passed before there was an answer
    * BusyError         the queue is full
    * WireError         a message breaks the protocol
  * RefusedError        the installed model cannot answer this kind of question   exit 6
"""

from __future__ import annotations

from typing import ClassVar


class PvchatError(Exception):
    """Base of all public errors: what happened (with the value) and the next step.

    Args:
        message: one line, what happened, with the value.
        next_step: one line, what the user can do; empty when the message says it.
    """

    exit_code: ClassVar[int] = 5
    code: ClassVar[str] = "error"

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class UsageError(PvchatError):
    """The call is wrong."""

    exit_code = 2
    code = "usage"


class ConfigError(UsageError):
    """A configuration file is wrong."""

    code = "config"


class ConsentError(UsageError):
    """Nobody has consented to what was asked for."""

    code = "consent"


class AccessError(UsageError):
    """This key, or anybody who is not on the box itself, may not do that."""

    code = "access"


class ContentError(PvchatError):
    """What lies at the path cannot be used."""

    code = "content"


class BundleError(PvchatError):
    """A bundle is damaged, too new, or not what it says."""

    code = "bundle"


class AdapterError(BundleError):
    """An adapter is damaged or belongs to another base."""

    code = "adapter"


class StoreError(PvchatError):
    """The home's own files cannot be read or written."""

    code = "store"


class UpdateError(PvchatError):
    """An update was refused; the box stays on what it had."""

    code = "update"


class UnavailableError(PvchatError):
    """Nothing can answer right now."""

    exit_code = 4
    code = "unavailable"


class EngineError(UnavailableError):
    """An engine does not load, or computes what is not finite."""

    code = "engine"


class CameraError(UnavailableError):
    """A camera gives no usable frames."""

    code = "camera"


class DeadlineError(UnavailableError):
    """The deadline passed before there was an answer."""

    code = "deadline"


class BusyError(UnavailableError):
    """The queue is full."""

    code = "busy"


class WireError(UnavailableError):
    """A message breaks the protocol."""

    code = "wire"


class RefusedError(PvchatError):
    """The installed model cannot answer this kind of question."""

    exit_code = 6
    code = "refused"


def all_errors() -> dict[str, type[PvchatError]]:
    """Every class of the tree by its stable `code`."""
    found: dict[str, type[PvchatError]] = {}
    waiting: list[type[PvchatError]] = [PvchatError]
    while waiting:
        cls = waiting.pop()
        found[cls.code] = cls
        waiting.extend(cls.__subclasses__())
    return found

"""The runtime's well-known address, pointed at whichever socket serves now. Knows no processes.

The address is a symbolic link, replaced in one step, so that a switch between two runtimes is never seen.
"""

from __future__ import annotations

import logging
from pathlib import Path

from runtime.address import Claim
from runtime.contract.errors import UnavailableError

_log = logging.getLogger(__name__)


class Door:
    """Holds the address from the first `point_at` that finds it free, until `close`."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._claim: Claim | None = None

    def point_at(self, socket: Path) -> bool:
        """Lead callers to a socket in the same folder; False: another process serves at the address."""
        if self._claim is None:
            try:
                self._claim = Claim(self._endpoint)
            except UnavailableError as error:
                _log.info("%s Our runtime is used by the daemon alone.", error.message)
                return False
        sign = self._claim.path.with_name("runtime.next")
        sign.unlink(missing_ok=True)
        sign.symlink_to(socket.name)
        sign.replace(self._claim.path)
        return True

    def close(self) -> None:
        """Remove the address. Twice is fine."""
        if self._claim is not None:
            self._claim.path.unlink(missing_ok=True)
            self._claim.release()
            self._claim = None

"""What memory is left when weights have been loaded. Knows no engine; does nothing where there is no glibc.

glibc takes a large block from the system and gives it back when it is freed, but each one that is freed moves
the size that counts as large, up to 32 MiB (mallopt(3), `M_MMAP_THRESHOLD`). Loading makes and frees each
weight several times, so soon all of them come from the heap, in whose gaps twice the weights stay.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGE, _LARGEST = 128 << 10, 32 << 20
_lock = threading.Lock()


@contextmanager
def freed_is_given_back() -> Iterator[None]:
    """Within the block 128 KiB are large; after it 32 MiB are, as in any process that has run for a while."""
    with _lock:
        _set(_LARGE)
        try:
            yield
        finally:
            _set(_LARGEST)


def _set(large: int) -> None:
    try:
        adjust = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    adjust(_MMAP_THRESHOLD, large)
    adjust(_TRIM_THRESHOLD, 2 * large)

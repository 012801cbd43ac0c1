"""Work for several processes, such as rendering. Knows nothing of what is done."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")


def run_jobs(work: Callable[[Job], int], jobs: Sequence[Job], processes: int) -> Iterator[int]:
    """What `work` returns for each job, in order; a child that dies is an error, never a hang."""
    if processes == 1:
        yield from map(work, jobs)
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # inherited: two processes of many threads only fight
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(work, jobs)

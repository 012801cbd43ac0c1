"""How long a question waits while people come, change and go. Knows no engines.

One client asks the same cheap question again as soon as it is answered, of the real runtime process. In turns
it is left alone, and somebody is added, replaced, paused and forgotten beside it, or learned from a clip.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from export.bench_runtime.clients import runtime_process
from export.bench_runtime.household import Enrolled, subject_id
from export.bench_runtime.live import Live
from export.bench_runtime.scenes import Show
from runtime.adapters import adapter_from_bytes, write_adapter
from runtime.client import Client
from runtime.contract.dialogue import Intent
from runtime.contract.errors import PvchatError, UnavailableError
from runtime.contract.serving import AdapterRef, EnrolRequest
from runtime.wire import AnswerReply, Ask, Enrol, SetSubjects

_DEADLINE_MS = 120_000
_BETWEEN_S = 0.1


@dataclass(slots=True)
class SwapFigures:
    """Milliseconds that each question waited: left alone, while people were swapped, while one was learned.

    `swaps`: how many; `dropped`: questions that got no answer, or not the right one.
    """

    calm_ms: list[float] = field(default_factory=list)
    swapping_ms: list[float] = field(default_factory=list)
    learning_ms: list[float] = field(default_factory=list)
    swaps: int = 0
    dropped: int = 0

    def pause_ms(self) -> float:
        """The longest wait while people were swapped, beyond the usual one (the median) without."""
        return max(self.swapping_ms) - statistics.median(self.calm_ms)

    def learning_pause_ms(self) -> float:
        """The same while somebody was learned from a clip."""
        return max(self.learning_ms) - statistics.median(self.calm_ms)


def measure_swaps(enrolled: Enrolled, show: Show, clip: Path, fps: float, rounds: int) -> SwapFigures:
    """Start the runtime and ask of it all the time.

    Args:
        clip: shows one person, who is learned from it. fps: of the windows.
        rounds: each adds, replaces, pauses and forgets somebody, and learns somebody.
    """
    figures = SwapFigures()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pvc-", dir="/tmp")))
        camera = stack.enter_context(Live(show, fps))
        camera.advance(len(show.frames))
        endpoint = stack.enter_context(runtime_process(enrolled, folder))
        beside = stack.enter_context(Client(endpoint))
        first = enrolled.refs[0]
        ask = Ask(intent=Intent("existence", (first.subject_id,)), names=enrolled.names, window=camera.source)
        right = _verdict(beside, ask)
        if not right:
            raise UnavailableError("the first question got no answer.", "See the runtime's log.")
        stream = functools.partial(_stream, endpoint, lambda client: _verdict(client, ask) == right, figures)
        steps = _steps(enrolled.refs, folder)
        for _ in range(rounds):
            with stream(figures.calm_ms):
                time.sleep(_BETWEEN_S * len(steps))
            with stream(figures.swapping_ms) as more:
                for refs in steps:
                    beside.call(SetSubjects(adapters=refs), _DEADLINE_MS)
                    figures.swaps += 1
                    more()
                    time.sleep(_BETWEEN_S)
            learned = EnrolRequest(subject_id(98), clip, None, folder / "learned.safetensors", None, 1)
            with stream(figures.learning_ms) as more:
                beside.call(Enrol(request=learned), _DEADLINE_MS)
                more()
    return figures


def _steps(refs: Sequence[AdapterRef], folder: Path) -> list[tuple[AdapterRef, ...]]:
    """Who is installed after each step; the first of them, who is asked about, always is."""
    first, last = refs[0], refs[-1]
    newer = _again(first, folder, first.subject_id, 2)
    added = _again(last, folder, subject_id(99), 1)
    rest = tuple(refs[1:])
    return [
        (first, *rest, added),  # somebody is added
        (newer, *rest, added),  # the adapter of whom is asked about is replaced
        (newer, *rest),  # the new one is paused
        (newer, *rest, added),  # and goes on
        (first, *rest),  # rolled back; the new one is forgotten
    ]


def _again(ref: AdapterRef, folder: Path, who: str, release: int) -> AdapterRef:
    """The same adapter as another release, or as somebody else's."""
    adapter = adapter_from_bytes(ref.path.read_bytes())
    path = folder / f"{who}-{release}.safetensors"
    write_adapter(path, replace(adapter, subject_id=who, release=release))
    return AdapterRef(who, path, release, ref.name)


@contextlib.contextmanager
def _stream(
    endpoint: str, is_right: Callable[[Client], bool], figures: SwapFigures, waits_ms: list[float]
) -> Iterator[Callable[[], None]]:
    """Questions until the block ends; what is handed over waits until one more, asked later, is answered."""
    over, answered = threading.Event(), threading.Condition()
    count = 0

    def run() -> None:
        nonlocal count
        with Client(endpoint) as client:
            while not over.is_set():
                began_s = time.perf_counter()
                figures.dropped += not is_right(client)
                waits_ms.append((time.perf_counter() - began_s) * 1000)
                with answered:
                    count += 1
                    answered.notify_all()

    def more() -> None:
        with answered:
            wanted = count + 2  # one may be on its way already
            if not answered.wait_for(lambda: count >= wanted, _DEADLINE_MS / 1000):
                raise UnavailableError("nobody is answered any more.", "This is a bug.")

    thread = threading.Thread(target=run, name="questions")
    thread.start()
    try:
        more()
        yield more
    finally:
        over.set()
        thread.join()


def _verdict(client: Client, ask: Ask) -> tuple[object, ...]:
    """What is said of whom; nothing: there was no answer."""
    try:
        reply = client.call(ask, _DEADLINE_MS)
    except PvchatError:
        return ()
    subjects = reply.answer.subjects if isinstance(reply, AnswerReply) else ()
    return tuple((one.subject_id, one.verdict) for one in subjects)

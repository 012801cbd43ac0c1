"""Claims about the state of a camera, from events alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daemon.camera_state import (
    CameraWatch,
    Ended,
    Event,
    Limits,
    Look,
    Seen,
    Started,
    is_fresh,
    look_at,
)
from runtime.contract.dialogue import CameraState

LIMITS = Limits()
GOOD = Look(digest=1, high=200.0, spread=120.0)


def after(*events: Event) -> CameraWatch:
    """A new camera after some events."""
    watch = CameraWatch()
    for event in events:
        watch = watch.after(event)
    return watch


def good(at: float, digest: int | None = None) -> Seen:
    """A fine picture, other than all others unless a digest is given."""
    return Seen(at, Look(digest if digest is not None else int(at * 1000), 200.0, 120.0))


@pytest.mark.parametrize(
    ("events", "now", "state"),
    [
        ((), 100.0, "connecting"),
        ((Started(),), 100.0, "connecting"),
        ((Started(), good(100.0)), 100.2, "live"),
        ((Started(), good(100.0)), 105.0, "live"),
        ((Started(), good(100.0)), 105.001, "stale"),
        ((Started(), good(100.0)), 98.9, "stale"),  # the clock was set back
        ((Started(), good(100.0), Ended()), 100.1, "down"),
        ((Started(), Ended()), 100.0, "down"),
        ((Started(), good(100.0), Ended(), Started()), 100.5, "down"),  # back only with a picture
        ((Started(), good(100.0), Ended(), Started(), good(101.0)), 101.1, "live"),
        ((Ended(), good(100.0)), 100.1, "down"),  # a late look at the ring of a dead process
        ((Started(), Seen(100.0, Look(1, high=5.0, spread=4.0))), 100.1, "covered"),
        ((Started(), Seen(100.0, Look(1, high=90.0, spread=3.0))), 100.1, "covered"),
        ((Started(), Seen(100.0, Look(1, high=60.0, spread=40.0))), 100.1, "live"),  # a dim room
    ],
)
def test_events_lead_to_the_state(events: tuple[Event, ...], now: float, state: CameraState) -> None:
    assert after(*events).state(now, LIMITS) == state


def test_equal_pictures_for_ten_seconds_are_frozen_and_another_picture_is_live_again() -> None:
    same = [good(100.0 + step, digest=7) for step in range(10)]
    watch = after(Started(), *same)
    assert watch.state(109.1, LIMITS) == "live"
    watch = watch.after(good(110.0, digest=7))
    assert watch.state(110.1, LIMITS) == "frozen"
    watch = watch.after(good(110.5, digest=8))
    assert watch.state(110.6, LIMITS) == "live"


def test_a_still_picture_that_stops_coming_is_stale_not_frozen() -> None:
    watch = after(Started(), good(100.0, digest=7))
    assert watch.state(111.0, LIMITS) == "stale"


def test_the_age_of_the_last_frame_is_known_while_the_camera_is_down() -> None:
    watch = after(Started(), good(100.0), Ended())
    assert watch.age_ms(103.0) == 3000.0
    assert after(Started()).age_ms(103.0) is None


looks = st.builds(
    Look,
    digest=st.integers(0, 2),
    high=st.floats(0, 255, allow_nan=False),
    spread=st.floats(0, 255, allow_nan=False),
)
events = st.one_of(
    st.just(Started()), st.just(Ended()), st.builds(Seen, at=st.floats(0, 100, allow_nan=False), look=looks)
)


@given(st.lists(events, max_size=30), st.floats(-50, 150, allow_nan=False))
def test_live_always_means_running_fresh_and_a_real_picture(history: list[Event], now: float) -> None:
    watch = after(*history)
    if watch.state(now, LIMITS) != "live":
        return
    last = history[-1] if not isinstance(history[-1], Seen) else None
    assert last is None, "a camera is live only after a frame"
    started = max(index for index, event in enumerate(history) if isinstance(event, Started))
    assert not any(isinstance(event, Ended) for event in history[started:])
    assert watch.at is not None
    assert is_fresh((now - watch.at) * 1000, LIMITS.max_frame_age_ms)
    assert watch.look is not None
    assert watch.look.high >= LIMITS.dark_below
    assert watch.look.spread >= LIMITS.flat_below


@given(st.lists(events, max_size=30), st.floats(-50, 150, allow_nan=False))
def test_an_ended_process_is_down_whatever_came_before(history: list[Event], now: float) -> None:
    assert after(*history, Ended()).state(now, LIMITS) == "down"


@given(st.lists(events, max_size=30), st.floats(-50, 150, allow_nan=False))
def test_an_age_is_never_negative(history: list[Event], now: float) -> None:
    age_ms = after(*history).age_ms(now)
    assert age_ms is None or age_ms >= 0


@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=20), st.integers(0, 1))
def test_frozen_needs_an_unbroken_run_of_equal_pictures(gaps: list[float], digest: int) -> None:
    at, watch, since = 100.0, after(Started(), good(100.0, digest=0)), 100.0
    for place, gap in enumerate(gaps):
        at += gap
        shown = digest if place == len(gaps) // 2 else 0
        previous = 0 if place == 0 or place - 1 != len(gaps) // 2 else digest
        since = since if shown == previous else at
        watch = watch.after(good(at, digest=shown))
    expected = "frozen" if (at - since) * 1000 >= LIMITS.frozen_after_ms else "live"
    assert watch.state(at, LIMITS) == expected


def picture(
    value: float, noise: float, size: tuple[int, int] = (120, 160)
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """uint8 (H, W, 3): one grey with noise."""
    random = np.random.default_rng(3)
    return np.clip(value + random.normal(0, noise, (*size, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("value", "noise"), [(0, 0), (3, 4), (128, 0), (128, 6), (250, 5)])
def test_dark_and_uniform_pictures_are_covered_in_spite_of_noise(value: float, noise: float) -> None:
    watch = after(Started(), Seen(100.0, look_at(picture(value, noise))))
    assert watch.state(100.1, LIMITS) == "covered"


def test_a_night_picture_with_something_in_it_is_live() -> None:
    frame = picture(25, 5)
    frame[30:90, 40:120] += 40
    assert after(Started(), Seen(100.0, look_at(frame))).state(100.1, LIMITS) == "live"


def test_one_changed_pixel_makes_another_picture() -> None:
    frame = picture(100, 20)
    other = frame.copy()
    other[119, 159, 2] ^= 1
    assert look_at(frame).digest == look_at(frame.copy()).digest
    assert look_at(frame).digest != look_at(other).digest


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_pictures_of_any_size_can_be_looked_at(height: int, width: int, value: int) -> None:
    look = look_at(np.full((height, width, 3), value, dtype=np.uint8))
    assert abs(look.high - value) < 0.01
    assert look.spread < 0.01

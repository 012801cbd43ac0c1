"""Claims about linking people from look to look by where they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.people.track import link
from runtime.people.views import PersonBox

SIDE = 20.0
places = st.floats(0, 600)
looks = st.lists(st.lists(st.tuples(places, places, st.floats(1, 80)), max_size=4), max_size=8)


def at(x: float, y: float = 100.0, side: float = SIDE) -> PersonBox:
    head = (x - side / 2, y - side / 2, side, side)
    return PersonBox(head, (x - side, y - side, side * 2, side * 5), 0.9)


def test_somebody_who_walks_keeps_the_track() -> None:
    assert link([[at(100 + 40 * step)] for step in range(6)]) == [[0]] * 6


def test_two_people_keep_their_tracks_whatever_the_order_they_are_found_in() -> None:
    tracks = link([[at(100), at(300)], [at(305), at(105)], [at(110), at(310)]])
    assert tracks == [[0, 1], [1, 0], [0, 1]]


def test_of_two_the_nearer_one_continues_the_track() -> None:
    assert link([[at(100)], [at(130), at(104)]]) == [[0], [1, 0]]


def test_a_jump_across_the_room_is_somebody_else() -> None:
    assert link([[at(100)], [at(100 + 2.4 * SIDE)]]) == [[0], [0]]
    assert link([[at(100)], [at(100 + 2.6 * SIDE)]]) == [[0], [1]]


def test_a_head_that_is_suddenly_twice_as_large_is_somebody_else() -> None:
    assert link([[at(100)], [at(100, side=SIDE * 1.7)]]) == [[0], [0]]
    assert link([[at(100)], [at(100, side=SIDE * 2)]]) == [[0], [1]]
    assert link([[at(100)], [at(100, side=SIDE / 2)]]) == [[0], [1]]


def test_somebody_hidden_for_two_looks_keeps_the_track_and_may_have_walked_on_meanwhile() -> None:
    assert link([[at(100)], [], [], [at(100 + 2.4 * SIDE * 3)]]) == [[0], [], [], [0]]


def test_somebody_away_for_long_gets_a_new_track() -> None:
    assert link([[at(100)], [], [], [], [], [at(100)]]) == [[0], [], [], [], [], [1]]


def test_nobody_is_no_track() -> None:
    assert link([]) == []
    assert link([[], []]) == [[], []]


@given(looks)
def test_tracks_are_numbered_from_zero_without_gaps_and_unique_in_every_look(
    people: list[list[tuple[float, float, float]]],
) -> None:
    frames = [[at(x, y, side) for x, y, side in look] for look in people]
    tracks = link(frames)
    assert [len(row) for row in tracks] == [len(row) for row in frames]
    assert all(len(set(row)) == len(row) for row in tracks)
    seen = sorted({track for row in tracks for track in row})
    assert seen == list(range(len(seen)))


@given(looks)
def test_what_comes_later_does_not_change_earlier_tracks(
    people: list[list[tuple[float, float, float]]],
) -> None:
    frames = [[at(x, y, side) for x, y, side in look] for look in people]
    for end in range(len(frames)):
        assert link(frames[:end]) == link(frames)[:end]

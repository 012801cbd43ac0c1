"""Claims about bodies: followed as long as they can be, somebody's when a face is on them, else nobody's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.pixels import Box
from runtime.people.bodies import Body, bodies_of, faceless, without_turned
from runtime.people.views import PersonView

BODY: Box = (100.0, 100.0, 80.0, 240.0)
FPS = 4


def face(look: int, x: float = 130.0, y: float = 110.0, track: int = 0, quality: float = 0.8) -> PersonView:
    box = (x, y, 30.0, 30.0)
    return PersonView(look, look / FPS, track, box, box, np.zeros(128, dtype=np.float32), quality, "face")


def moved(box: Box, right: float, down: float = 0.0) -> Box:
    return (box[0] + right, box[1] + down, *box[2:])


def bodies(looks: Sequence[int], persons: Sequence[Sequence[Box]], views: Sequence[PersonView]) -> list[Body]:
    return bodies_of(looks, [frame / FPS for frame in range(max(looks) + 1)], persons, views)


def unseen(looks: Sequence[int], persons: Sequence[Sequence[Box]], views: Sequence[PersonView]) -> int:
    return faceless(bodies(looks, persons, views))


def test_a_back_is_somebody_in_every_look_that_shows_it() -> None:
    assert unseen([0, 4, 8], [[BODY], [], [BODY]], []) == 2
    assert unseen([0, 4], [[], []], []) == 0


def test_who_turns_away_after_a_face_was_seen_is_still_the_same_person() -> None:
    turned = [[BODY], [moved(BODY, 10)], [moved(BODY, 20)]]
    assert unseen([0, 4, 8], turned, [face(0)]) == 0
    assert unseen([0, 4, 8], turned, [face(8, x=150)]) == 0


def test_somebody_beside_a_face_is_somebody_else() -> None:
    other = moved(BODY, 200)
    assert unseen([0, 4], [[BODY, other], [BODY, other]], [face(0), face(4)]) == 2


def test_a_face_at_the_knees_is_not_of_that_body() -> None:
    assert unseen([0], [[BODY]], [face(0, y=290)]) == 1


def test_a_face_that_fills_the_picture_is_of_the_body_although_it_is_not_in_its_upper_half() -> None:
    near = (10.0, 46.0, 294.0, 240.0)
    view = dataclasses.replace(face(0), head=(92.0, 121.0, 123.0, 123.0))
    assert unseen([0], [[near]], [view]) == 0


def test_one_face_is_of_one_body_although_another_stands_behind_it() -> None:
    """A taller back behind somebody who faces the camera lies about that face, too."""
    behind = (90.0, 60.0, 90.0, 280.0)
    (back,) = [body for body in bodies([0], [[behind, BODY]], [face(0)]) if not body.people]
    assert back.looks == ((0, behind),)


def test_whoever_is_found_in_a_place_after_a_while_may_be_somebody_else() -> None:
    assert unseen([0, 8], [[BODY], [BODY]], [face(0)]) == 0
    assert unseen([0, 9], [[BODY], [BODY]], [face(0)]) == 1


@given(st.permutations([BODY, moved(BODY, 50), moved(BODY, 300)]))
def test_bodies_side_by_side_are_followed_in_whatever_order_they_are_found(now: list[Box]) -> None:
    before = [BODY, moved(BODY, 50), moved(BODY, 300)]
    tracks = {body.looks[0][1]: body.looks[-1][1] for body in bodies([0, 2], [before, now], [])}
    assert tracks == {box: box for box in before}


def test_who_faced_the_camera_and_shows_a_profile_later_is_one_person() -> None:
    views = [face(0), face(2), face(8, track=1, quality=0.0)]
    followed = bodies([0, 2, 4, 6, 8], [[BODY]] * 5, views)
    assert [view.track for view in without_turned(views, followed)] == [0, 0]
    lost = bodies([0, 2, 4, 6, 8], [[BODY], [moved(BODY, 200)], [], [], [moved(BODY, 400)]], views)
    assert [view.track for view in without_turned(views, lost)] == [0, 0, 1]


def test_a_profile_beside_somebody_who_faces_the_camera_is_somebody_else() -> None:
    views = [face(0), face(4), face(4, x=300, track=1, quality=0.0)]
    other = moved(BODY, 170)
    assert without_turned(views, bodies([0, 4], [[BODY], [BODY, other]], views)) == views


def test_a_profile_on_a_body_that_showed_two_faces_is_nobodys() -> None:
    views = [face(0), face(2, track=1), face(4, track=2, quality=0.0)]
    assert without_turned(views, bodies([0, 2, 4], [[BODY]] * 3, views)) == views


def test_of_somebody_whose_face_was_only_seen_clearly_nothing_is_left_out() -> None:
    views = [face(0), face(2, track=1, quality=0.1)]
    assert without_turned(views, bodies([0, 2], [[BODY]] * 2, views)) == views

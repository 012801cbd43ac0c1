"""The truth rules, on made-up evidence."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.calibration import Calibration
from runtime.people.views import PersonView
from runtime.session.decide import Findings, chance_finds, combine, decide
from runtime.session.judge import NOBODY, Claim

A, B, C = "sA", "sB", "sC"
RULES = Calibration()


def view(person: int, frame: int = 0, quality: float = 0.8) -> PersonView:
    box = (person * 10.0, 0.0, 8.0, 8.0)
    return PersonView(frame, frame / 4, person, box, box, np.ones(1, np.float32), quality, "head")


def find(
    views: list[PersonView],
    claims: list[tuple[str, int, float]],
    *,
    doubts: tuple[str, ...] = (),
    able: dict[str, bool] | None = None,
    compared: frozenset[int] | None = None,
    min_views: int = 1,
    blind_below: float | None = None,
    pictured: frozenset[int] = frozenset(),
) -> Findings:
    best = {one.track: one for one in sorted(views, key=lambda one: one.quality)}
    return decide(
        views,
        [Claim(subject, person, llr, best.get(person)) for subject, person, llr in claims],
        able=able or {subject: True for subject, _, _ in claims},
        compared=frozenset(best) if compared is None else compared,
        calibration=RULES,
        doubts=doubts,
        min_views=min_views,
        blind_below=blind_below,
        pictured=pictured,
    )


def verdict(findings: Findings, subject: str) -> str:
    return findings.judgements[subject].said.verdict


def test_of_two_who_fit_one_person_only_the_clearly_better_is_there() -> None:
    found = find([view(0)], [(A, 0, 8.0), (B, 0, 3.0)])
    assert (verdict(found, A), verdict(found, B)) == ("yes", "no")
    assert found.unknown_people == 0
    close = find([view(0)], [(A, 0, 8.0), (B, 0, 7.5)])
    assert (verdict(close, A), verdict(close, B)) == ("unsure", "unsure")
    assert close.unknown_people == 1


def test_the_second_best_person_is_left_for_the_second_subject() -> None:
    found = find([view(0), view(1)], [(A, 0, 8.0), (B, 0, 4.0), (A, 1, -9.0), (B, 1, 6.0)])
    assert (verdict(found, A), verdict(found, B)) == ("yes", "yes")
    assert [person.subject_id for person in found.people] == [A, B]


def test_nobody_is_in_two_places_of_one_frame() -> None:
    found = find([view(0), view(1)], [(A, 0, 8.0), (A, 1, 7.0)])
    assert [person.subject_id for person in found.people] == [A, None]
    assert found.unknown_people == 1
    later = find([view(0, 0), view(1, 9)], [(A, 0, 8.0), (A, 1, 7.0)])
    assert [person.subject_id for person in later.people] == [A, A]


def test_a_doubt_turns_no_into_unsure_but_leaves_yes() -> None:
    found = find([view(0)], [(A, 0, 8.0), (B, 0, -8.0)], doubts=("Half the clip is damaged.",))
    assert (verdict(found, A), verdict(found, B)) == ("yes", "unsure")
    assert found.judgements[B].reason == "Half the clip is damaged."


def test_somebody_who_cannot_be_told_may_be_anybody() -> None:
    for hidden in (
        find([view(0, quality=0.1)], [(A, 0, -8.0)]),
        find([view(0)], [(A, 0, -8.0)], compared=frozenset()),
        find([view(0)], [(A, 0, -8.0)], min_views=2),
    ):
        assert verdict(hidden, A) == "unsure"
        assert hidden.unknown_people == 1
    assert verdict(find([view(0, 0), view(0, 1)], [(A, 0, -8.0)], min_views=2), A) == "no"


def test_who_cannot_be_named_can_still_be_told_apart_down_to_views_that_tell_nothing() -> None:
    dim = find([view(0, quality=0.1)], [(A, 0, -8.0), (B, 0, 8.0)], blind_below=0.07)
    assert (verdict(dim, A), verdict(dim, B)) == ("no", "unsure")
    assert dim.judgements[B].reason == "The view is too poor to tell who it is."
    assert [person.subject_id for person in dim.people] == [None]
    covered = find([view(0, quality=0.05)], [(A, 0, -8.0)], blind_below=0.07)
    assert verdict(covered, A) == "unsure"


def test_who_is_seen_clearly_in_one_window_is_told_however_poor_the_others_are() -> None:
    clear, dark = view(0, 0, 0.8), view(0, 9, 0.01)
    claims = [Claim(A, 0, 5.0, clear, window=0), Claim(A, 0, 6.0, dark, window=1)]
    found = decide(
        [clear, dark], claims, able={A: True}, compared=frozenset({0}), calibration=RULES, doubts=()
    )
    claim = found.judgements[A].claim
    assert verdict(found, A) == "yes"
    assert claim is not None and (claim.view, claim.window) == (clear, 0), "what is shown is what proves it"


def test_blind_views_in_few_of_several_looks_are_a_chance_find() -> None:
    views = [view(0, 0), view(0, 1), view(1, 1, 0.01), view(2, 0, 0.01), view(2, 1, 0.02), view(3, 1, 0.5)]
    assert chance_finds(views, 8, 0.07) == {1, 2}
    assert chance_finds(views, 7, 0.07) == {1}, "two of seven looks are more than a quarter"
    assert chance_finds(views, 2, 0.07) == {1}, "one look of two is one look"
    assert chance_finds(views, 1, 0.07) == frozenset(), "one look alone cannot be confirmed by another"
    assert chance_finds(views, 8, None) == frozenset()


def test_evidence_without_a_person_is_never_a_yes() -> None:
    assert verdict(find([], [(A, NOBODY, 12.0)]), A) == "unsure"
    assert verdict(find([], [(A, NOBODY, -5.0)]), A) == "no"
    assert verdict(find([], [], able={A: True}), A) == "no"


def test_a_subject_without_views_of_this_source_is_unsure_and_told_what_to_do() -> None:
    found = find([view(0)], [(B, 0, -8.0)], able={A: False, B: True})
    assert verdict(found, A) == "unsure"
    assert found.judgements[A].said.confidence is None
    assert "enrol again" in found.judgements[A].reason


def test_several_fragments_that_cannot_be_told_count_as_many_as_are_seen_at_once() -> None:
    poor = [view(0, 0, 0.1), view(1, 5, 0.1), view(2, 9, 0.1), view(3, 9, 0.1)]
    assert find(poor, [(A, 0, -8.0)]).unknown_people == 2


def test_a_lost_track_of_a_member_is_not_one_person_more() -> None:
    later = find([view(0, 0), view(1, 9)], [(A, 0, 8.0), (A, 1, 0.5)])
    assert later.unknown_people == 0
    glimpse = find([view(0, 0), view(1, 9, 0.1)], [(A, 0, 8.0), (A, 1, -8.0)])
    assert glimpse.unknown_people == 0
    assert glimpse.doubts, "who it was cannot be told, so nobody else can be denied"


def test_somebody_else_is_counted_beside_a_member_and_after_one() -> None:
    beside = find([view(0, 9), view(1, 9)], [(A, 0, 8.0), (A, 1, 0.5)])
    assert beside.unknown_people == 1
    stranger_later = find([view(0, 0), view(1, 9)], [(A, 0, 8.0), (A, 1, -8.0)])
    assert stranger_later.unknown_people == 1
    glimpse_beside = find([view(0, 9), view(1, 9, 0.1)], [(A, 0, 8.0), (A, 1, -8.0)])
    assert glimpse_beside.unknown_people == 1
    nobody_known = find([view(0, 0), view(1, 9, 0.1)], [(A, 0, -8.0), (A, 1, -8.0)])
    assert nobody_known.unknown_people == 2


def test_of_several_windows_the_mean_decides_and_clear_views_weigh_more() -> None:
    clear, poor = view(0, 0, 0.9), view(0, 9, 0.3)
    claims = [Claim(A, 0, 4.0, poor, 0), Claim(A, 0, -6.0, clear, 1)]
    found = decide(
        [clear, poor], claims, able={A: True}, compared=frozenset({0}), calibration=RULES, doubts=()
    )
    assert verdict(found, A) == "no"
    turned = [Claim(A, 0, 6.0, clear, 0), Claim(A, 0, -4.0, poor, 1)]
    found = decide(
        [clear, poor], turned, able={A: True}, compared=frozenset({0}), calibration=RULES, doubts=()
    )
    assert verdict(found, A) == "yes"
    claim = found.judgements[A].claim
    assert claim is not None and claim.window == 0, "the evidence shown is the strongest window's"


def test_several_windows_that_say_the_same_make_it_surer_than_one() -> None:
    one = view(0, 0, 0.9)
    rules = Calibration(correlation=0.5)
    for count, said in ((1, "unsure"), (2, "yes")):
        claims = [Claim(A, 0, 2.0, one, number) for number in range(count)]
        found = decide([one], claims, able={A: True}, compared=frozenset({0}), calibration=rules, doubts=())
        assert verdict(found, A) == said


def test_a_face_on_a_screen_is_neither_a_member_nor_a_stranger_but_others_are_still_absent() -> None:
    found = find([view(0)], [(A, 0, 8.0), (B, 0, -8.0)], pictured=frozenset([0]))
    assert (verdict(found, A), verdict(found, B)) == ("unsure", "no")
    assert found.judgements[A].reason == "The face may be on a screen."
    assert (found.unknown_people, found.people[0].subject_id, found.people[0].pictured) == (0, None, True)
    stranger = find([view(0)], [(A, 0, -8.0)], pictured=frozenset([0]))
    assert (verdict(stranger, A), stranger.unknown_people) == ("no", 0)


def test_a_member_who_is_there_and_on_a_screen_is_there() -> None:
    found = find([view(0), view(1)], [(A, 0, 9.0), (A, 1, 6.0)], pictured=frozenset([0]))
    assert verdict(found, A) == "yes"
    assert [person.subject_id for person in found.people] == [None, A]


def test_a_and_b_are_there_only_if_both_are() -> None:
    found = find([view(0), view(1)], [(A, 0, 8.0), (B, 1, 0.0), (C, 1, -9.0)])
    yes, unsure, no = (found.judgements[one] for one in (A, B, C))
    assert combine([yes, yes]) == "yes"
    assert combine([yes, unsure]) == "unsure"
    assert combine([yes, unsure, no]) == "no"


llrs = st.floats(-12, 12)


@given(
    st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(0, 3), llrs), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.floats(0, 1)), min_size=1, max_size=12),
)
def test_no_person_has_two_names_and_every_yes_shows_a_clear_view(
    claims: list[tuple[str, int, float]], seen: list[tuple[int, int, float]]
) -> None:
    views = [view(person, frame, quality) for person, frame, quality in seen]
    people = {person for person, _, _ in seen}
    found = find(
        views,
        [claim for claim in claims if claim[1] in people],
        able={A: True, B: True, C: True},
    )
    owned = [person.subject_id for person in found.people if person.subject_id is not None]
    for subject, judgement in found.judgements.items():
        if judgement.said.verdict == "yes":
            assert subject in owned
            assert judgement.claim is not None and judgement.claim.view is not None
            assert judgement.claim.view.quality >= RULES.min_quality
        if judgement.said.verdict == "no":
            assert all(person.tellable or person.subject_id for person in found.people)
    unnamed = [person for person in found.people if person.subject_id is None]
    assert unnamed or not found.unknown_people
    assert found.unknown_people or owned or not unnamed


@given(llrs, llrs, llrs)
def test_adding_somebody_never_makes_another_subject_more_certain(a: float, b: float, c: float) -> None:
    alone = find([view(0)], [(A, 0, a)]).judgements[A].said.confidence
    pair = find([view(0)], [(A, 0, a), (B, 0, b), (C, 0, c)]).judgements[A].said.confidence
    assert alone is not None and pair is not None
    assert pair <= alone + 1e-12

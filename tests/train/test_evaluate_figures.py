"""Claims about figures: what counts as right, and what is never made up."""

from __future__ import annotations

import dataclasses
import math

import pytest

from train.evaluate.answers import Answers
from train.evaluate.descriptions import NOT_AVAILABLE, bleu_figures, description_figures
from train.evaluate.intervals import half_width, half_widths
from train.evaluate.presence import oracle_figures, presence_figures
from train.evaluate.report import split_table, table
from train.evaluate.score import Seed, result_line
from train.evaluate.splits import split_figures
from train.evaluate.trials import Case, Description, Presence

SEEN = Presence(
    "h", 1, "c", "m", "present", 0, True, False, "yes", 0.99, "yes", False, 40.0, "sweater", "tan", False
)


def trial(case: Case, verdict: str, probability: float, clip: str = "c", **other: object) -> Presence:
    return dataclasses.replace(
        SEEN,
        case=case,
        verdict=verdict,
        probability=probability,
        clip=clip,
        **other,  # type: ignore[arg-type]
    )


def described(said: str, right: bool, kind: str = "action") -> Description:
    return Description("h", 1, "c", kind, said, "Anna is waving.", {"action": "waving"}, {"action": right})  # type: ignore[arg-type]


def test_unsure_is_wrong_where_the_truth_can_be_seen_and_right_where_it_cannot() -> None:
    told = presence_figures([SEEN, trial("present", "unsure", 0.5), trial("stranger", "no", 0.01)], 50)
    assert (told["acc_present"], told["acc_absent"], told["acc"]) == (0.5, 1.0, 0.75)
    assert told["coverage"] == pytest.approx(2 / 3)
    assert told["unsure"] == pytest.approx(1 / 3)
    hidden = [
        trial("present", "no", 0.02, told=False, hidden=True),
        trial("member", "unsure", 0.5, told=False),
    ]
    figures = presence_figures(hidden, 50)
    assert (figures["overclaim"], figures["overclaim_hidden"], figures["acc_present"]) == (0.5, 1.0, None)


def test_answer_without_a_probability_is_evidence_of_nothing() -> None:
    figures = presence_figures([trial("present", "unsure", 0.5), trial("stranger", "no", 0.5)], 50)
    silent = [dataclasses.replace(SEEN, probability=None), trial("stranger", "no", 0.5)]
    assert figures["cllr"] == presence_figures(silent, 50)["cllr"] == pytest.approx(1.0)


def test_clip_with_two_members_named_wrongly_is_one_wrong_clip() -> None:
    wrong = [trial("stranger", "yes", 0.95, member=name) for name in ("m", "n")]
    figures = presence_figures([*wrong, trial("stranger", "no", 0.1, clip="d")], 50)
    assert figures["wrong_name"] == 0.5
    assert figures["wrong_names_per_camera_day"] == 25.0


def test_search_takes_the_best_member_of_each_strangers_clip() -> None:
    strangers = [
        trial("stranger", "no", 0.2 if n else 0.9, clip=f"s{n}", member=m) for n in range(100) for m in "ab"
    ]
    mated = [trial("present", "yes", 0.95), trial("present", "unsure", 0.6)]
    figures = presence_figures([*strangers, *mated], 50)
    assert figures["fnir_at_fpir_1"] == 0.0
    assert figures["fnir_at_fpir_03"] is None


def test_oracle_stands_beside_the_answers_and_is_silent_where_looks_are_not_known() -> None:
    figures = oracle_figures([SEEN, trial("present", "no", 0.1, oracle="")])
    assert figures["acc_present"] == 1.0
    assert oracle_figures([trial("present", "yes", 0.9, oracle="")])["acc_present"] is None


def test_no_answer_is_a_wrong_description() -> None:
    figures = description_figures([described("Anna is waving.", True), described("", False)])
    assert (figures["action"], figures["action_told"], figures["action_told_right"]) == (0.5, 0.5, 1.0)
    assert figures["appearance"] is None


def test_bleu_counts_empty_answers_and_names_its_signature() -> None:
    right, signature = bleu_figures([described("Anna is waving.", True)])
    assert right["bleu"] == pytest.approx(1.0)
    half, _ = bleu_figures([described("Anna is waving.", True), described("", False)])
    assert half["bleu"] is not None
    assert half["bleu"] < 0.8
    assert signature.startswith("nrefs:1|")


def test_one_frame_held_is_no_part_of_bleu() -> None:
    assert bleu_figures([described("Anna is waving.", True, "action_one_frame")])[0]["bleu"] is None


def test_interval_is_students_and_needs_three_seeds() -> None:
    width = half_width([0.90, 0.92, 0.94])
    assert width == pytest.approx(4.303 * 0.02 / math.sqrt(3))
    assert half_width([0.90, 0.92]) is None
    assert half_widths([{"a": 1.0}, {"a": None}, {"a": 1.0}]) == {"a": None}


def test_line_says_what_is_not_available_instead_of_replacing_it() -> None:
    answers = Answers(
        presence=[SEEN, trial("empty", "no", 0.01, clip="e")], descriptions=[described("", False)]
    )
    line = result_line([Seed(5, answers, None, {"acc": 0.6}, 1)], 50, {"world": "rendered"})
    assert line["not_available"] == NOT_AVAILABLE
    assert "bertscore" not in line["instant"]
    assert line["trained"] is None
    assert (line["world_seed"], line["identities"], line["crop_knn"]) == ([5], 1, {"acc": 0.6})
    assert line["instant_counts"] == {"present": 1, "empty": 1, "action": 1}
    assert "oracle" in table(line)


def test_line_has_figures_and_intervals_for_each_number_of_members() -> None:
    def seed(number: int, present: str) -> Seed:
        alone = trial("present", present, 0.97)
        among = [trial("present", "yes", 0.97, size=3), trial("empty", "no", 0.01, size=3)]
        return Seed(number, Answers([alone, *among], [described("", False)]), None, None, 2)

    line = result_line([seed(1, "yes"), seed(2, "unsure"), seed(3, "yes")], 50, {})
    parts = line["instant_by_members"]
    assert list(parts) == ["1", "3"]
    assert (parts["1"]["acc_present"], parts["3"]["acc_present"]) == (pytest.approx(2 / 3, abs=1e-4), 1.0)
    assert parts["1"]["95"]["acc_present"] == pytest.approx(half_width([1.0, 0.0, 1.0]), abs=1e-4)
    assert (parts["1"]["action"], parts["3"]["action"]) == (0.0, None)
    assert line["instant_95"]["acc_present"] == pytest.approx(half_width([1.0, 0.5, 1.0]), abs=1e-4)
    assert "95" not in line["instant"]


def test_every_part_of_a_split_counts_its_own_trials() -> None:
    splits = split_figures([SEEN, trial("lookalike", "no", 0.1, differing=2, night=True)], 50)
    assert {name: part["asked"] for name, part in splits["light"].items()} == {"day": 1.0, "night": 1.0}
    assert list(splits["look-alike"]) == ["2 traits"]
    assert "night" in split_table(splits)

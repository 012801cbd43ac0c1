"""Claims about exit codes: what a script learns of an answer."""

from __future__ import annotations

import pytest

from runtime.contract.dialogue import Answer, AnswerKind, Verdict, exit_code


def answer(kind: AnswerKind, verdict: Verdict | None) -> Answer:
    return Answer(kind, "text", verdict, None, 0.9)


@pytest.mark.parametrize(
    ("verdict", "plain", "strict"), [("yes", 0, 0), ("no", 0, 1), ("unsure", 3, 3), ("unavailable", 4, 4)]
)
@pytest.mark.parametrize("kind", ["verdict", "description"])
def test_the_verdict_decides_and_only_strict_tells_no_from_yes(
    kind: AnswerKind, verdict: Verdict, plain: int, strict: int
) -> None:
    assert exit_code(answer(kind, verdict)) == plain
    assert exit_code(answer(kind, verdict), strict=True) == strict


def test_a_list_of_people_is_an_answer() -> None:
    assert exit_code(answer("people", None)) == exit_code(answer("people", None), strict=True) == 0


@pytest.mark.parametrize("verdict", ["yes", "no", "unsure", "unavailable", None])
def test_a_refusal_is_6_whatever_its_verdict(verdict: Verdict | None) -> None:
    assert exit_code(answer("refusal", verdict)) == 6

"""The only prompt template. Knows no tokenizer and no weights.

A prompt is a list of pieces: text, or a block of embeddings. Names never enter it: subject i is the slot
token `<p{i}>`; display names are put in after decoding. Everything before the question is the same for every
question about the same clip and subjects, hence one cacheable prefix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from runtime.contract.dialogue import Kind

TEMPLATE_VERSION = 1
MAX_SUBJECTS = 8
BOS, EOS, PAD, UNK = "<s>", "</s>", "<pad>", "<unk>"
INST_OPEN, INST_CLOSE = "[INST]", "[/INST]"
PERSON_OPEN, PERSON_CLOSE = "[PERSON]", "[/PERSON]"
SLOTS: tuple[str, ...] = tuple(f"<p{index}>" for index in range(1, MAX_SUBJECTS + 1))
YES, NO = "yes", "no"
SPECIAL_TOKENS: tuple[str, ...] = (
    PAD, UNK, BOS, EOS, INST_OPEN, INST_CLOSE, PERSON_OPEN, PERSON_CLOSE, *SLOTS,
)  # fmt: skip
PAD_ID, UNK_ID, BOS_ID, EOS_ID = 0, 1, 2, 3

NEVER_DESCRIBED: tuple[str, ...] = ("not", "here")
"""Words that no description holds. Whether somebody is there, the evidence has said before; what the model
cannot tell shows in how sure it is of its words, not in a sentence that says so."""

CANONICAL_QUESTIONS: dict[Kind, str] = {
    "existence": "is {} in this video ?",
    "appearance": "what is {} wearing ?",
    "action": "what is {} doing ?",
    "location": "where is {} ?",
}
"""What the language model is asked, whatever the user's wording was: `{}` is a slot token."""


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Text to be tokenised without added special tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class BlockPiece:
    """Embeddings put in as they are.

    Attributes:
        block: `video` (base rows), `token` (1 row, added to the slot token's own), `soft` or `rows`.
        subject: index of the subject, 0-based; -1 for `video`.
    """

    block: Literal["video", "token", "soft", "rows"]
    subject: int = -1


Piece = TextPiece | BlockPiece


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a language model says: words, and the probability of having chosen each of them, multiplied.

    Attributes:
        confidence: 0..1, 1 for no words.
    """

    text: str
    confidence: float


def build_prompt(subjects: int, question: str) -> list[Piece]:
    """Pieces of a prompt about `subjects` people (0 to 8) and a question that already holds slot tokens."""
    pieces: list[Piece] = [TextPiece(f"{BOS}{INST_OPEN}"), BlockPiece("video")]
    for index in range(subjects):
        pieces += [
            TextPiece(PERSON_OPEN),
            BlockPiece("token", index),
            TextPiece("is"),
            BlockPiece("soft", index),
            BlockPiece("rows", index),
            TextPiece(PERSON_CLOSE),
        ]
    pieces.append(TextPiece(f"{question}{INST_CLOSE}"))
    return pieces


def canonical_question(kind: Kind, slots: Sequence[int]) -> str:
    """The trained wording of a question about the subjects in `slots` (0-based)."""
    names = " and ".join(SLOTS[slot] for slot in slots)
    return CANONICAL_QUESTIONS[kind].format(names)


def with_names(text: str, names: Mapping[int, str]) -> str:
    """Slot tokens replaced by display names, and spaces before punctuation removed."""
    for slot, name in names.items():
        text = text.replace(SLOTS[slot], name)
    for mark in (".", ",", "?", "!", "'"):
        text = text.replace(f" {mark}", mark)
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]

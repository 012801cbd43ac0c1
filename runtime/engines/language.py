"""The language model: prompt pieces in, words or a yes/no score out. Knows no clip and no names.

Greedy, one sequence, own loop. What comes before the question is the same for every question about one window
and its subjects; its keys and values are kept and used again.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import BundleError, EngineError
from runtime.contract.prompt import (
    EOS_ID,
    NO,
    SLOTS,
    SPECIAL_TOKENS,
    YES,
    BlockPiece,
    Piece,
    Spoken,
    TextPiece,
)
from runtime.engines.base import Engine
from runtime.engines.decoder import Decoder, Fed, Floats

Blocks = Mapping[BlockPiece, Floats]
Encode = Callable[[str], list[int]]
Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokenizer, as two functions, and the ids that matter.

    Attributes:
        encode: text to ids, no special tokens added; `decode`: ids to text.
        special: id of each special token by its text.
        yes, no: the ids whose logits are compared.
    """

    encode: Encode
    decode: Decode
    special: Mapping[str, int]
    yes: int
    no: int


def load_vocabulary(raw: bytes) -> Vocabulary:
    """Read a tokenizer.json.

    Raises:
        BundleError: it is none, or lacks a special token, or yes and no are not one token each.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(raw.decode())
    except Exception as error:
        raise BundleError(f"the tokenizer cannot be read: {error}.", "Install the bundle again.") from error

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=False))

    found = {token: tokenizer.token_to_id(token) for token in SPECIAL_TOKENS}
    special = {token: number for token, number in found.items() if number is not None}
    missing = sorted(set(SPECIAL_TOKENS) - set(special))
    yes, no = encode(YES), encode(NO)
    if missing or len(yes) != 1 or len(no) != 1 or yes == no:
        raise BundleError(
            f"the tokenizer lacks {', '.join(missing) or 'one token each for yes and no'}.",
            "Export the bundle again.",
        )
    return Vocabulary(encode, decode, special, yes[0], no[0])


class LanguageModel:
    """A decoder that takes embeddings."""

    def __init__(
        self, engine: Engine, table: Floats, vocabulary: Vocabulary, *, prefixes_kept: int = 12
    ) -> None:
        """Put the parts together.

        Args:
            engine: inputs_embeds, attention_mask, past_key_values.*; logits, present.*.
            table: float32 (V, D), the token embeddings.
            vocabulary: the tokenizer.
            prefixes_kept: how many prefixes' keys and values stay in memory: three windows of four people.
        """
        self._decoder = Decoder(engine)
        self._table = table
        self._vocabulary = vocabulary
        self._kept = prefixes_kept
        self._prefixes: OrderedDict[Hashable, Fed] = OrderedDict()

    def yes_no(self, key: Hashable, pieces: Sequence[Piece], blocks: Blocks) -> float:
        """Logit of `yes` minus logit of `no` after the prompt; one prefill."""
        _, logits = self._prefill(key, pieces, blocks)
        return float(logits[self._vocabulary.yes] - logits[self._vocabulary.no])

    def generate(
        self,
        prompts: Mapping[Hashable, Blocks],
        pieces: Sequence[Piece],
        *,
        slots: Collection[int],
        max_tokens: int,
        without: Collection[str] = (),
        check: Callable[[], None] = lambda: None,
    ) -> Spoken:
        """The most likely words, until the end token or `max_tokens`.

        Several prompts are heard together, word by word: the geometric mean of their probabilities counts (a
        logarithmic opinion pool; Genest and Zidek, 1986).

        Args:
            prompts: blocks by key, at least one; a key is equal only where everything before the last piece
                is equal (window, subjects, adapters). Rows are float32 (L, D). Blocks are looked up only
                where the prefix is not in memory.
            pieces: of every prompt; the last piece is the question.
            slots: subjects that may be spoken of, 0-based; every other slot token is never chosen.
            without: words that are never chosen, either.
            check: called before every prompt and word; raises to stop.
        """
        banned = [
            number
            for token, number in self._vocabulary.special.items()
            if number != EOS_ID and not (token in SLOTS and SLOTS.index(token) in slots)
        ]
        banned += [number for word in without for number in self._vocabulary.encode(word)]
        heard: list[tuple[Fed, Floats]] = []
        for key, blocks in prompts.items():
            check()
            heard.append(self._prefill(key, pieces, blocks))
        spoken: list[int] = []
        surprise = 0.0
        while len(spoken) < max_tokens:
            check()
            pooled = np.mean([_log_probabilities(logits, banned) for _, logits in heard], axis=0)
            best = int(np.argmax(pooled))
            surprise += float(np.log(np.exp(pooled).sum()) - pooled[best])
            if best == EOS_ID:
                break
            spoken.append(best)
            if len(spoken) < max_tokens:
                heard = [self._step(state, self._table[[best]]) for state, _ in heard]
        return Spoken(self._vocabulary.decode(spoken).strip(), math.exp(-surprise))

    def forget(self, which: Callable[[Hashable], bool] = lambda _: True) -> None:
        """Drop the prefixes with such keys, all if none is said."""
        for key in [key for key in self._prefixes if which(key)]:
            del self._prefixes[key]

    def _prefill(self, key: Hashable, pieces: Sequence[Piece], blocks: Blocks) -> tuple[Fed, Floats]:
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix, _ = self._step(self._decoder.empty, self._embed(pieces[:-1], blocks))
            self._prefixes[key] = prefix
            if len(self._prefixes) > self._kept:
                self._prefixes.popitem(last=False)
        else:
            self._prefixes.move_to_end(key)
        return self._step(prefix, self._embed(pieces[-1:], blocks))

    def _embed(self, pieces: Sequence[Piece], blocks: Blocks) -> Floats:
        rows: list[Floats] = []
        for piece in pieces:
            if isinstance(piece, TextPiece):
                rows.append(self._table[self._vocabulary.encode(piece.text)])
            elif piece.block == "token":
                slot = self._vocabulary.special[SLOTS[piece.subject]]
                rows.append(self._table[[slot]] + blocks[piece])
            else:
                rows.append(blocks[piece])
        return np.concatenate(rows).astype(np.float32, copy=False)

    def _step(self, state: Fed, embeds: Floats) -> tuple[Fed, Floats]:
        state, logits = self._decoder.feed(state, embeds)
        if len(logits) != len(self._table):
            raise EngineError(
                f"the language engine gives {len(logits)} logits for {len(self._table)} tokens."
            )
        return state, logits


def _log_probabilities(logits: Floats, banned: Sequence[int]) -> NDArray[np.float64]:
    """(V,): of each token, minus infinity for banned ones."""
    allowed = logits.astype(np.float64)
    allowed[banned] = -np.inf
    allowed -= allowed.max()
    return np.asarray(allowed - np.log(np.exp(allowed).sum()))

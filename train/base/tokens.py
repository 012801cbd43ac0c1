"""The tokenizer: one token a word of the bank, specials first. Knows no model."""

from __future__ import annotations

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from runtime.contract.prompt import SPECIAL_TOKENS, UNK
from train.augment.questions import words


def build_tokenizer() -> Tokenizer:
    """A word-level tokenizer over the question bank; specials are tokens of their own wherever they stand."""
    vocabulary = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
    for word in words():
        vocabulary.setdefault(word, len(vocabulary))
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=UNK))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL_TOKENS])
    return tokenizer

"""A tokenizer of made-up words for decoders with random weights: the builders want one. Knows no language."""

from __future__ import annotations

from tokenizers import Tokenizer, models, pre_tokenizers

from runtime.contract.prompt import SPECIAL_TOKENS, UNK


def word_tokenizer(size: int) -> str:
    """A tokenizer of whole words with `size` tokens, as JSON."""
    words = [*SPECIAL_TOKENS, *(f"word{number}" for number in range(size - len(SPECIAL_TOKENS)))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return str(tokenizer.to_str())

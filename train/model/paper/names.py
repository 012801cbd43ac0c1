"""Our parameter names and the public checkpoint's. Pure; knows no tensors."""

from __future__ import annotations

import re

_LAYER = r"^qformer\.layers\.(\d+)\."
_THERE = r"qformer.bert.encoder.layer.\1."


def _of_attention(ours: str, theirs: str) -> tuple[tuple[str, str], ...]:
    """Rules of one attention module; self- and cross-attention differ in its name alone."""
    inside, routers = rf"{_LAYER}{ours}\.", f"{_THERE}{theirs}.self.router_alpha."
    return (
        (rf"{_LAYER}{ours}_norm\.", f"{_THERE}{theirs}.output.LayerNorm."),
        (inside + r"out\.", f"{_THERE}{theirs}.output.dense."),
        (inside + r"router\.router\.", f"{routers}router."),
        (inside + r"router\.alpha\.", f"{routers}alpha_proj."),
        (inside + r"(query|key|value)\.", rf"{_THERE}{theirs}.self.\2."),
    )


def _of_feed_forward(ours: str, suffix: str) -> tuple[tuple[str, str], ...]:
    """Rules of one feed-forward; the queries' has a suffix, the text's has none."""
    inside = rf"{_LAYER}{ours}\."
    return (
        (inside + r"fc1\.", f"{_THERE}intermediate{suffix}.dense."),
        (inside + r"fc2\.", f"{_THERE}output{suffix}.dense."),
        (inside + r"norm\.", f"{_THERE}output{suffix}.LayerNorm."),
    )


_RULES: tuple[tuple[str, str], ...] = (
    (r"^qformer\.words\.", "qformer.bert.embeddings.word_embeddings."),
    (r"^qformer\.positions\.", "qformer.bert.embeddings.position_embeddings."),
    (r"^qformer\.norm\.", "qformer.bert.embeddings.LayerNorm."),
    *_of_attention("attention", "attention"),
    *_of_attention("cross", "crossattention"),
    *_of_feed_forward("text", ""),
    *_of_feed_forward("query", "_query"),
)


def public_name(name: str) -> str:
    """The checkpoint's name of one of our parameters; most are the same."""
    for pattern, there in _RULES:
        found, count = re.subn(pattern, there, name)
        if count:
            return found
    return name

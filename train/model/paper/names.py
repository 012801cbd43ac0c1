"""Our parameter names and the public checkpoint's. Pure; knows no tensors."""

from __future__ import annotations

import re

_LAYER = r"^qformer\.layers\.(\d+)\."
_THERE = r"qformer.bert.encoder.layer.\1."
_RULES: tuple[tuple[str, str], ...] = (
    (r"^qformer\.words\.", "qformer.bert.embeddings.word_embeddings."),
    (r"^qformer\.positions\.", "qformer.bert.embeddings.position_embeddings."),
    (r"^qformer\.norm\.", "qformer.bert.embeddings.LayerNorm."),
    (_LAYER + r"attention_norm\.", _THERE + "attention.output.LayerNorm."),
    (_LAYER + r"cross_norm\.", _THERE + "crossattention.output.LayerNorm."),
    (_LAYER + r"attention\.out\.", _THERE + "attention.output.dense."),
    (_LAYER + r"cross\.out\.", _THERE + "crossattention.output.dense."),
    (_LAYER + r"attention\.router\.router\.", _THERE + "attention.self.router_alpha.router."),
    (_LAYER + r"attention\.router\.alpha\.", _THERE + "attention.self.router_alpha.alpha_proj."),
    (_LAYER + r"cross\.router\.router\.", _THERE + "crossattention.self.router_alpha.router."),
    (_LAYER + r"cross\.router\.alpha\.", _THERE + "crossattention.self.router_alpha.alpha_proj."),
    (_LAYER + r"attention\.(query|key|value)\.", _THERE + r"attention.self.\2."),
    (_LAYER + r"cross\.(query|key|value)\.", _THERE + r"crossattention.self.\2."),
    (_LAYER + r"text\.fc1\.", _THERE + "intermediate.dense."),
    (_LAYER + r"text\.fc2\.", _THERE + "output.dense."),
    (_LAYER + r"text\.norm\.", _THERE + "output.LayerNorm."),
    (_LAYER + r"query\.fc1\.", _THERE + "intermediate_query.dense."),
    (_LAYER + r"query\.fc2\.", _THERE + "output_query.dense."),
    (_LAYER + r"query\.norm\.", _THERE + "output_query.LayerNorm."),
)


def public_name(name: str) -> str:
    """The checkpoint's name of one of our parameters; most are the same."""
    for pattern, there in _RULES:
        found, count = re.subn(pattern, there, name)
        if count:
            return found
    return name

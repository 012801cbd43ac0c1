"""Mixed precision where the processor has it. Knows no model."""

from __future__ import annotations

from functools import cache

import torch


@cache
def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 matrices itself; elsewhere emulation is ten times slower."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def mixed() -> torch.autocast:
    """bfloat16 for matrix work inside the block where that is fast, float32 elsewhere."""
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16())

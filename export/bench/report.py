"""The table and the one line of JSON. Knows no engine.

Ratios are ours ÷ theirs in time, so below 1 is faster, except `*_vs_eager`: theirs ÷ ours. A ratio whose
other side did not run is null, never a guess.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from export.bench import networks
from export.bench.decoder import NAMES, Decoded
from export.bench.timing import Timed
from export.machine import cpu_name

TARGETS: dict[str, tuple[str, float]] = {
    "vision_bridge_fp32_vs_eager": (">=", 1.1),
    "vision_bridge_vs_eager": (">=", 2.0),
    "router_overhead": ("<=", 1.03),
    "router_pruned": ("<=", 1.0),
    "decode_vs_bandwidth": ("<=", 1.3),
    "decode_vs_best_peer": ("<=", 1.0),
    "peak_memory_ratio": ("<=", 1.3),
}
_PEERS = ("genai", "eager", "compile", "llama")
Networks = Mapping[str, Timed | str]


def network_ratios(found: Networks, *, shipped: str) -> dict[str, float | None]:
    """Vision and bridge against eager; `shipped`: the row of the precision that the profile ships."""
    return {
        "vision_bridge_fp32_vs_eager": _over(found, networks.EAGER, networks.OURS),
        "vision_bridge_vs_eager": _over(found, networks.EAGER, shipped),
    }


def router_ratios(found: Networks) -> dict[str, float | None]:
    """The routed and the pruned bridge against the one without routing."""
    return {
        "router_overhead": _over(found, networks.ROUTED, networks.UNROUTED),
        "router_pruned": _over(found, networks.PRUNED, networks.UNROUTED),
    }


def decoder_ratios(
    found: Mapping[str, Decoded], *, weight_bytes: int, bytes_s: float, ours: str
) -> dict[str, float | None]:
    """Decoding against reading the weights once, against the best peer; memory over an empty session.

    Args:
        weight_bytes: int4 weights, which one step reads once. bytes_s: the memory's speed in this very run.
        ours: the contender that the profile ships.
    """
    step = found[ours].step_s or None
    peers = [found[kind].step_s for kind in _PEERS if kind in found and found[kind].step_s]
    empty, held = (found[kind].peak_bytes or None for kind in ("empty", ours))
    return {
        "decode_vs_bandwidth": _ratio(step, weight_bytes / bytes_s),
        "decode_vs_best_peer": _ratio(step, min(peers, default=None)),
        "peak_memory_ratio": None if empty is None or held is None else (held - empty) / weight_bytes,
    }


def table(title: str, found: Networks, against: str) -> list[str]:
    """Rows of Markdown: who, milliseconds, and how many times the time of `against`, round by round."""
    lines = [f"**{title}**", "", f"| | ms | ÷ {against} |", "| --- | ---: | ---: |"]
    for name, one in found.items():
        if isinstance(one, str):
            lines.append(f"| {name} | {one} | |")
        else:
            lines.append(f"| {name} | {one.median_s * 1e3:.2f} | {_shown(_over(found, name, against))} |")
    return [*lines, ""]


def decoder_table(title: str, found: Mapping[str, Decoded], *, limit_s: float) -> list[str]:
    """Rows of Markdown: who, the prompt, tokens a second, how many times the memory's limit, peak memory."""
    lines = [
        f"**{title}**; memory's limit {1 / limit_s:.1f} tokens a second", "",
        "| | prompt ms | tokens a second | ÷ limit | peak MiB |", "| --- | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for kind, name in NAMES.items():
        one = found[kind]
        if one.why or not one.step_s:
            lines.append(f"| {name} | {one.why or 'never ran'} | | | |")
            continue
        times = f"{one.prompt_s * 1e3:.0f} | {1 / one.step_s:.1f} | {one.step_s / limit_s:.2f}"
        lines.append(f"| {name} | {times} | {one.peak_bytes / 2**20:.0f} |")
    return [*lines, ""]


def target_table(line: Mapping[str, Any]) -> list[str]:
    """Every target, what was measured, and whether it is met; a missed one says so."""
    lines = ["| ratio | measured | target | |", "| --- | ---: | ---: | --- |"]
    for name, (sign, wanted) in TARGETS.items():
        got = line.get(name)
        met = "" if got is None else "met" if (got >= wanted if sign == ">=" else got <= wanted) else "MISSED"
        lines.append(f"| `{name}` | {_shown(got)} | {sign} {wanted:g} | {met or 'not measured'} |")
    return [*lines, ""]


def machine(threads: int) -> dict[str, Any]:
    """What it was measured on."""
    return {
        "cpu": cpu_name(), "cores": os.cpu_count(), "threads": threads,
        "system": platform.platform(), "python": platform.python_version(),
    }  # fmt: skip


def plain(found: Mapping[str, Timed | Decoded | str]) -> dict[str, Any]:
    """For JSON."""
    return {name: one if isinstance(one, str) else asdict(one) for name, one in found.items()}


def _over(found: Networks, one: str, other: str) -> float | None:
    ours, theirs = found.get(one), found.get(other)
    return ours.over(theirs) if isinstance(ours, Timed) and isinstance(theirs, Timed) else None


def _ratio(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"

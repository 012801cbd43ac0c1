"""A bundle's parity as a page of Markdown, from what its manifest says. Knows no engine, measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export.markdown import table
from runtime.contract.bundle import HALF, Bundle

_KINDS = {
    "prompts": "prompts",
    "slots": "facts the same",
    "clear_slots": "where torch is clear",
    "yes_no": "yes/no the same",
    "drift": "drift of yes",
    "perplexity": "perplexity",
    "perplexity_torch": "torch's",
}


def parity_page(bundle: Bundle, command: str) -> str:
    """How near every engine is to torch, on the weights that ship and on perturbed ones, and what int4 costs.

    Args:
        command: what made the bundle.
    """
    manifest = bundle.manifest
    parity, made_by = manifest.evaluation["parity"], manifest.made_by["export"]
    config = made_by["config"]
    tools = ", ".join(f"{name} {version}" for name, version in sorted(made_by["tools"].items()))
    made = f"`{command}`: {manifest.kind} bundle {bundle.bundle_id}, base `{manifest.base[:12]}…`; {tools}."
    return "\n".join(
        [
            "# The engines against torch",
            "",
            f"{made} The engines ran in the runtime's own sessions, on {parity['provider']}. No bundle is "
            "made where a limit is missed.",
            "",
            *_engines(bundle, parity, config),
            "",
            *_language(parity["language"], config["language"], manifest.engines["language"].precision),
            "",
        ]
    )


def _engines(bundle: Bundle, parity: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    perturbed = parity.get("perturbed_max_abs", {})
    rows = []
    for name, apart in sorted(parity["max_abs"].items()):
        precision = bundle.manifest.engines[name.split(".")[0]].precision
        cosine = config["half_min_cosine_bridge" if name.startswith("bridge.") else "half_min_cosine"]
        limit = f"cosine {cosine:g}" if precision == HALF else f"{config['max_abs']:g}"
        other = f"{perturbed[name]:.1e}" if name in perturbed else "-"
        rows.append((name, precision, f"{apart:.1e}", other, limit))
    return table(("output", "in", "largest difference", "with perturbed weights", "limit"), rows)


def _language(found: Mapping[str, Any], config: Mapping[str, Any], precision: str) -> list[str]:
    told = [
        ("graph, in one piece (float32 activations)", "graph_max_abs", f"≤ {config['graph_max_abs']:g}"),
        ("graph, past handed back half way", "prefix_max_abs", f"≤ {config['graph_max_abs']:g}"),
        ("cosine of logits, mean", "cosine_mean", f"≥ {config['min_cosine']:g}"),
        ("likeliest token the same, where torch is clear", "top1", f"≥ {config['min_top1']:g}"),
        ("likeliest token the same, everywhere", "top1_all", ""),
        ("yes or no the same, where torch is clear", "yes_no", f"≥ {config['min_yes_no']:g}"),
    ]
    rows = [(name, _shown(found.get(key)), limit) for name, key, limit in told]
    kinds = [
        (kind, *(_shown(one.get(key)) for key in _KINDS)) for kind, one in sorted(found["kinds"].items())
    ]
    limits = f"the facts where torch is clear ≥ {config['min_slots']:g}, drift ≤ {config['max_drift']:g}"
    size = f"{found['positions']:.0f} positions of {found['prompts']:.0f} prompts"
    return [
        f"The decoder ({precision}) against torch's own, unrounded weights; {size}:",
        "",
        *table(("", "measured", "limit"), rows),
        "",
        f"What the rounding changes in the answers, by kind of question ({limits}, of all kinds together):",
        "",
        *table(("kind", *_KINDS.values()), kinds),
    ]


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.4g}"

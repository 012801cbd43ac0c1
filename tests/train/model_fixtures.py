"""Small random bridges and inputs that several tests share."""

from __future__ import annotations

import torch

from train.model.bridge import Bridge, BridgeConfig, BridgeInputs


def random_inputs(
    config: BridgeConfig, *, batch: int = 2, subjects: int = 3, tokens: int = 32
) -> BridgeInputs:
    """Windows with every slot in use; the same each time."""
    draw = torch.Generator().manual_seed(5)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw)

    geom = torch.rand(batch, tokens, config.geom_dim, generator=draw)
    geom[..., 10] = (torch.arange(tokens) % 4) / 8
    cells = config.scene_rows * config.scene_columns
    return BridgeInputs(
        scene=normal(batch, config.frames, cells, config.scene_dim),
        scene_valid=torch.ones(batch),
        embed=torch.nn.functional.normalize(normal(batch, tokens, config.embed_dim), dim=-1),
        geom=geom,
        signs=normal(batch, tokens, config.signs_dim),
        valid=torch.ones(batch, tokens),
        queries=normal(batch, subjects, config.queries, config.dim),
        templates=torch.nn.functional.normalize(normal(batch, subjects, config.embed_dim), dim=-1),
        subject_valid=torch.ones(batch, subjects),
        delta_a=normal(batch, subjects, config.layers, config.dim, config.rank) * 0.1,
        delta_b=normal(batch, subjects, config.layers, config.rank, config.dim) * 0.1,
    )


def random_bridge(config: BridgeConfig) -> Bridge:
    """A bridge whose presence head is not at its zero start."""
    torch.manual_seed(3)
    bridge = Bridge(config).eval()
    with torch.no_grad():
        for parameter in bridge.presence_rows.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return bridge

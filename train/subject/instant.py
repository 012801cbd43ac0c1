"""The instant adapter as the box makes it, with the torch model. Knows no files and no contact sheets."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.contract.adapter import Adapter
from runtime.contract.errors import ContentError
from runtime.contract.pixels import PixelSpec
from train.model.pvchat import PVChat
from train.windows import REFERENCE_TOKENS, look, pack

_VIEWS = 16


def instant_adapter(model: PVChat, frames: NDArray[np.uint8], base: str, subject_id: str) -> Adapter:
    """One forward pass over a reference clip that shows one person.

    Args:
        frames: uint8 (T, H, W, 3) at the window's rate. base: fingerprint of the model's checkpoint.

    Raises:
        ContentError: nobody is found in the clip.
    """
    spec, config = PixelSpec(), model.bridge.config
    _, views = look(model, frames, spec, spec.window_fps)
    if not views:
        raise ContentError("the clip shows nobody.", "Use a clip that shows the person near and by day.")
    tokens = pack(views, frames, spec, REFERENCE_TOKENS, model)
    with torch.no_grad():
        queries, soft, token = model.enrol(
            *(torch.from_numpy(part)[None] for part in (tokens.embed, tokens.geom, tokens.valid))
        )
    arrays = {
        "queries": queries[0].numpy(),
        "soft_tokens": soft[0].numpy(),
        "token": token[0].numpy(),
        "delta_a": np.zeros((config.layers, config.dim, config.rank), dtype=np.float32),
        "delta_b": np.zeros((config.layers, config.rank, config.dim), dtype=np.float32),
        "views.head": np.stack([view.embedding for view in views[:_VIEWS]]).astype(np.float32),
    }
    return Adapter(subject_id, base, "instant", 1, arrays)

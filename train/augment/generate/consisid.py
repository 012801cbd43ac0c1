"""ConsisID (Yuan et al., 2024) through diffusers' own pipeline: a scene in words with the face of a still.

The paper generates with it. Weights are read from a folder and never downloaded. Its face encoders are a
seam: those that its authors use are not permissively licensed. Knows no dataset.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from runtime.contract.errors import ContentError, UsageError
from train.augment.generate.config import GeneratorConfig
from train.augment.generate.order import Frames, Order

LICENCE = (
    "ConsisID: Apache-2.0, derived from CogVideoX-5B (CogVideoX licence; commercial use needs registration); "
    "face encoders of insightface (non-commercial research only); diffusers: Apache-2.0"
)
_CALM = "blurred, distorted, deformed face, several people, watermark"


class FaceEncoder(Protocol):
    """What ConsisID is told of a face."""

    def encode(self, still: Frames) -> tuple[Tensor, list[Tensor], Frames]:
        """The identity (1, I), the hidden states of the view, each (1, N, V), and the aligned face.

        Raises:
            ContentError: the still shows no face to it.
        """
        ...


class InstalledFaces:
    """The encoders of ConsisID's authors (insightface, facexlib, EVA-CLIP), where somebody installed them."""

    def __init__(self, weights: Path, device: str, dtype: torch.dtype) -> None:
        """Load them.

        Raises:
            UsageError: a package is not installed, or a file is missing.
        """
        try:
            from diffusers.pipelines.consisid import consisid_utils as utils
        except ImportError as error:
            raise UsageError(
                f"ConsisID's face encoders cannot be loaded: {error}",
                "Install insightface, facexlib and consisid_eva_clip; mind that their weights are for "
                "non-commercial research.",
            ) from error
        self._utils, self._device, self._dtype = utils, device, dtype
        try:
            self._models = utils.prepare_face_models(str(weights), device=device, dtype=dtype)
        except (OSError, RuntimeError, AssertionError) as error:
            raise UsageError(f"ConsisID's face encoders do not load: {error}.", f"See {weights}.") from error

    def encode(self, still: Frames) -> tuple[Tensor, list[Tensor], Frames]:
        """See `FaceEncoder.encode`."""
        helper, second, clip, main, mean, std = self._models
        try:
            identity, hidden, aligned, _ = self._utils.process_face_embeddings_infer(
                helper, clip, second, mean, std, main, self._device, self._dtype, still, is_align_face=True
            )
        except RuntimeError as error:
            raise ContentError(
                f"ConsisID finds no face in the still: {error}.", "Use a nearer view."
            ) from error
        return identity, hidden, np.asarray(aligned.convert("RGB"))


class ConsisId:
    """The pipeline, loaded when the first clip is wanted."""

    def __init__(self, config: GeneratorConfig, faces: FaceEncoder | None = None) -> None:
        """Nothing is loaded yet.

        Args:
            faces: None: `InstalledFaces`, from the folder of the weights.

        Raises:
            UsageError: no weights at the path, or diffusers is not installed.
        """
        if config.weights is None or not (config.weights / "model_index.json").is_file():
            raise UsageError(
                f"{config.name}: no pipeline in {config.weights}.",
                "Put ConsisID's weights there yourself, or take it out of the configuration.",
            )
        self.name, self.licence = config.name, config.licence or LICENCE
        self._config, self._weights, self._faces = config, config.weights, faces
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._dtype = torch.bfloat16 if self._device == "cuda" else torch.float32
        self._pipeline: Any = None
        self.settings = repr(
            (config.width, config.height, config.frames, config.fps, config.steps, config.guidance)
        )

    def generate(self, order: Order) -> tuple[Frames, float]:
        """See `Generator.generate`."""
        from PIL import Image

        if self._pipeline is None:
            self._pipeline = self._load()
        faces = self._faces or InstalledFaces(self._weights, self._device, self._dtype)
        self._faces = faces
        identity, hidden, aligned = faces.encode(order.still)
        config = self._config
        made = self._pipeline(
            image=Image.fromarray(aligned),
            prompt=order.prompt,
            negative_prompt=_CALM,
            width=config.width,
            height=config.height,
            num_frames=config.frames,
            num_inference_steps=config.steps,
            guidance_scale=config.guidance,
            generator=torch.Generator().manual_seed(order.seed),
            id_cond=identity.to(self._device, self._dtype),
            id_vit_hidden=[one.to(self._device, self._dtype) for one in hidden],
            output_type="np",
        ).frames[0]
        if not np.isfinite(made).all():
            raise ContentError(f"{self.name} made a clip that is not finite.", "Try another seed.")
        return np.ascontiguousarray(np.rint(np.clip(made, 0, 1) * 255).astype(np.uint8)), config.fps

    def _load(self) -> Any:
        try:
            from diffusers import ConsisIDPipeline
        except ImportError as error:
            raise UsageError(
                f"{self.name} needs diffusers, which is not installed.",
                "Run `pip install 'pvchat-edge[generate]'`.",
            ) from error
        try:
            pipeline = ConsisIDPipeline.from_pretrained(
                str(self._weights), dtype=self._dtype, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"{self.name}: {self._weights} does not load: {error}.", "Copy the weights again."
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        if self._device == "cuda":
            pipeline.enable_model_cpu_offload()
        return pipeline

"""What goes in and out of the five torch engines, from the model's sizes. Knows no weights and no ONNX."""

from __future__ import annotations

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.contract.errors import BundleError
from runtime.contract.pixels import PixelSpec
from runtime.contract.prompt import MAX_SUBJECTS
from train.model.head import POSE
from train.model.pvchat import ModelConfig
from train.model.vision import PEOPLE

WINDOW_TOKENS = 32
ENROL_TOKENS = 64
TORCH_ROLES = ("vision", "head", "body", "bridge", "enrol")
PATHS = {
    "vision": "vision/vision.onnx",
    "head": "head/head.onnx",
    "body": "body/body.onnx",
    "bridge": "bridge/bridge.onnx",
    "enrol": "bridge/enrol.onnx",
    "language": "language/model.onnx",
}
DYNAMIC = {"vision": "T", "head": "N", "body": "N", "bridge": "S", "enrol": ""}
"""The one letter of each engine whose size is free; the bridge's windows have a fixed length."""


def shape_letters(config: ModelConfig) -> dict[str, int]:
    """The manifest's `shapes`.

    Raises:
        BundleError: parts whose sizes do not fit together.
    """
    bridge, rows = config.bridge, config.bridge.scene_rows
    wanted = {
        "bridge.scene_dim": (bridge.scene_dim, config.vision.dim),
        "bridge.scene_rows, scene_columns": ((rows, bridge.scene_columns), config.vision.grid),
        "bridge.embed_dim": (bridge.embed_dim, config.head.dim),
        "bridge.signs_dim": (bridge.signs_dim, config.body.signs + POSE),
        "enrol.embed_dim": (config.enrol.embed_dim, config.head.dim),
        "enrol.geom_dim": (config.enrol.geom_dim, bridge.geom_dim),
        "enrol.dim": (config.enrol.dim, bridge.dim),
        "enrol.queries": (config.enrol.queries, bridge.queries),
        "language.dim": (config.language.dim, bridge.language_dim),
        "enrol.language_dim": (config.enrol.language_dim, bridge.language_dim),
    }
    for name, (found, expected) in wanted.items():
        if found != expected:
            raise BundleError(f"{name} is {found} where {expected} fits.", "Train with sizes that agree.")
    return {
        "P": rows * bridge.scene_columns,
        "Dv": bridge.scene_dim,
        "E": bridge.embed_dim,
        "F": bridge.embed_dim,
        "G": bridge.geom_dim,
        "J": bridge.signs_dim,
        "M": WINDOW_TOKENS,
        "N": ENROL_TOKENS,
        "T": bridge.frames,
        "Q": bridge.queries,
        "W": config.enrol.soft,
        "D": bridge.dim,
        "Dl": bridge.language_dim,
        "K": bridge.layers,
        "R": bridge.rank,
        "S": MAX_SUBJECTS,
        "V": config.language.vocab,
    }


def pixel_spec(config: ModelConfig) -> PixelSpec:
    """How frames and crops are prepared for a model of these sizes."""
    return PixelSpec(
        width=config.vision.width,
        height=config.vision.height,
        crop=config.head.crop,
        body_width=config.body.width,
        body_height=config.body.height,
        window_frames=config.bridge.frames,
    )


def torch_specs(config: ModelConfig) -> dict[str, EngineSpec]:
    """Inputs and outputs of vision, head, body, bridge and enrol; all float32."""
    size = shape_letters(config)
    p, dv, e, g, m, n = (size[letter] for letter in ("P", "Dv", "E", "G", "M", "N"))
    q, d, dl, k, r = (size[letter] for letter in ("Q", "D", "Dl", "K", "R"))
    crop = config.head.crop
    tables: dict[str, tuple[dict[str, tuple[str | int, ...]], dict[str, tuple[str | int, ...]]]] = {
        "vision": (
            {"pixels": ("T", 3, config.vision.height, config.vision.width)},
            {"tokens": ("T", p, dv), "people": ("T", p, PEOPLE)},
        ),
        "head": (
            {"crops": ("N", 3, crop, crop)},
            {"embeddings": ("N", e), "quality": ("N",), "shift": ("N", 3), "pose": ("N", POSE)},
        ),
        "body": (
            {"crops": ("N", 3, config.body.height, config.body.width)},
            {"signs": ("N", config.body.signs)},
        ),
        "bridge": (
            {
                "scene": (size["T"], p, dv),
                "scene_valid": (1,),
                "person_embed": (m, e),
                "person_geom": (m, g),
                "person_signs": (m, size["J"]),
                "person_valid": (m,),
                "queries": ("S", q, d),
                "templates": ("S", e),
                "subject_valid": ("S",),
                "delta_a": ("S", k, d, r),
                "delta_b": ("S", k, r, d),
            },
            {"base_rows": (q, dl), "subject_rows": ("S", q, dl), "presence": ("S",), "match": ("S", m)},
        ),
        "enrol": (
            {"person_embed": (n, e), "person_geom": (n, g), "person_valid": (n,)},
            {"queries": (q, d), "soft_tokens": (size["W"], dl), "token": (dl,)},
        ),
    }
    return {
        role: EngineSpec(PATHS[role], _tensors(inputs), _tensors(outputs))
        for role, (inputs, outputs) in tables.items()
    }


def _tensors(table: dict[str, tuple[str | int, ...]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, "float32", shape) for name, shape in table.items())

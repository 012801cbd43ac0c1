"""A whole bundle of tiny graphs on disk, and clips of the world that it knows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import onnxruntime
import safetensors.numpy
from numpy.typing import NDArray

from runtime.contract.bundle import (
    MANIFEST,
    Bundle,
    EngineSpec,
    FileEntry,
    Manifest,
    TensorSpec,
    manifest_to_json,
    sha256_file,
)
from runtime.contract.calibration import Calibration, SourceCalibration
from runtime.contract.pixels import PixelSpec, to_vision_input
from runtime.contract.prompt import EOS, NO, SPECIAL_TOKENS, UNK, YES
from tests.fakes import tiny_graphs as graphs

BASE = "b" * 64
WIDTH, HEIGHT, CELL = 640, 480, 80
BACKGROUND = (60, 70, 90)
ELSEWHERE = (90, 200, 60)
ANN, BEN, CYN, STRANGER = (255, 0, 120), (255, 120, 0), (255, 120, 120), (255, 0, 0)
POOR_ANN = (190, 0, 120)
HEADLESS = (60, 250, 90)
WORDS = (
    "yes",
    "no",
    "is",
    "here",
    ".",
    "?",
    "in",
    "this",
    "video",
    "what",
    "wearing",
    "doing",
    "where",
    "waving",
)
VOCABULARY = (*SPECIAL_TOKENS, *WORDS, "somebody", "and")
SHAPES = {"P": 48, "Dv": 128, "E": 128, "F": 128, "G": 12, "M": 32, "Q": 16, "D": 192, "Dl": 192, "K": 4}
Colour = tuple[int, int, int]


def frame(people: Mapping[int, Colour], background: Colour = BACKGROUND) -> NDArray[np.uint8]:
    """uint8 (480, 640, 3): a square of colour in each of some grid cells (0..47, eight a row)."""
    picture = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[:] = background
    for cell, colour in people.items():
        x, y = cell % 8 * CELL, cell // 8 * CELL
        picture[y : y + CELL, x : x + CELL] = colour
    return picture


def write_clip(path: Path, frames: Sequence[NDArray[np.uint8]], fps: int = 4) -> Path:
    """A lossless video file of these frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "bgr0"
        for picture in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def make_bundle(
    root: Path,
    *,
    domain_limit: float = 0.1,
    domain_sure: float | None = None,
    leak: bool = False,
    with_language: bool = True,
    with_bodies: bool = False,
    descriptions: Mapping[str, float] | None = None,
    described_with: int = 1,
) -> Bundle:
    """Write a bundle into `root` and open it.

    Args:
        domain_limit: below 0 nothing is the trained domain: only faces count. domain_sure: None: the limit.
        leak: the bridge mixes subjects, which the canary must notice.
        with_bodies: a body engine, parts and poses, as bundles have since they read bodies.
        descriptions, described_with: as in `Calibration`; None: action and appearance at 0.5.
    """
    files: dict[str, tuple[bytes, str]] = {
        "vision/vision.onnx": (graphs.vision(parts=with_bodies), "vision"),
        "vision/domain.safetensors": (_domain(), "domain"),
        "vision/head.onnx": (graphs.head(pose=with_bodies), "head"),
        "bridge/bridge.onnx": (graphs.bridge(leak=leak, signs=with_bodies), "bridge"),
        "bridge/enrol.onnx": (graphs.enrol(), "enrol"),
    }
    specs = {
        "vision": _spec("vision/vision.onnx", *(graphs.with_parts() if with_bodies else graphs.VISION)),
        "head": _spec("vision/head.onnx", *(graphs.with_pose() if with_bodies else graphs.HEAD)),
        "bridge": _spec("bridge/bridge.onnx", *(graphs.with_signs() if with_bodies else graphs.BRIDGE)),
        "enrol": _spec("bridge/enrol.onnx", *graphs.ENROL),
    }
    shapes = dict(SHAPES)
    if with_bodies:
        files["body/body.onnx"] = (graphs.body(), "body")
        specs["body"] = _spec("body/body.onnx", *graphs.BODY)
        shapes["J"] = graphs.BODY_SIGNS + graphs.POSE
    if with_language:
        files["language/model.onnx"] = (language_graph(), "language")
        files["language/embeddings.safetensors"] = (
            safetensors.numpy.save({"embed": embedding_table()}),
            "language",
        )
        files["language/tokenizer.json"] = (tokenizer_json(), "language")
        specs["language"] = _spec(
            "language/model.onnx", graphs.LANGUAGE_IN, graphs.language_out(len(VOCABULARY))
        )
    files["golden/0.safetensors"] = (
        golden({name: files[spec.path][0] for name, spec in specs.items()}),
        "golden",
    )
    rules = Calibration(
        sources={"bridge": SourceCalibration(scale=1.0, bias=0.0, provenance="tiny graphs")},
        domain_limit=domain_limit,
        domain_sure=max(0.0, domain_limit) if domain_sure is None else domain_sure,
        descriptions={"action": 0.5, "appearance": 0.5} if descriptions is None else descriptions,
        described_with=described_with,
    )
    return write_bundle(root, files, specs, rules, shapes)


def write_bundle(
    root: Path, files: Mapping[str, tuple[bytes, str]], specs: dict[str, EngineSpec], rules: Calibration,
    shapes: Mapping[str, int] = SHAPES,
) -> Bundle:  # fmt: skip
    """Files and a manifest that fits them."""
    entries = []
    for name, (data, role) in sorted(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        entries.append(FileEntry(name, len(data), sha256_file(path), role))
    manifest = Manifest(
        kind="base",
        base=BASE,
        files=tuple(entries),
        engines=specs,
        shapes={**shapes, "R": 4, "S": 8},
        pixels=PixelSpec(),
        calibration=rules,
    )
    (root / MANIFEST).write_bytes(manifest_to_json(manifest))
    return Bundle.open(root)


def embedding_table() -> NDArray[np.float32]:
    """float32 (V, D): token i is unit vector i."""
    return np.eye(len(VOCABULARY), graphs.D, dtype=np.float32)


def language_graph() -> bytes:
    """After the question it says `<p1> is waving .`, else `<p2> is waving .`, else `somebody is waving .`.

    The first that may be said.

    It says yes the louder, the more the subject's rows (the unit vectors that no token uses) sum to.
    """
    number = {word: index for index, word in enumerate(VOCABULARY)}
    following = np.zeros((graphs.D, len(VOCABULARY)), dtype=np.float32)
    for before, after, weight in (
        ("[/INST]", "<p1>", 9.0),
        ("[/INST]", "<p2>", 8.0),
        ("[/INST]", "somebody", 5.0),
        ("<p1>", "is", 9.0),
        ("<p2>", "is", 9.0),
        ("somebody", "is", 9.0),
        ("is", "waving", 9.0),
        ("waving", ".", 9.0),
        (".", EOS, 9.0),
    ):
        following[number[before], number[after]] = weight
    heard = np.zeros((graphs.D, graphs.KEYS), dtype=np.float32)
    heard[number["<s>"], 0] = 1.0
    heard[-1, 1] = 1.0
    tint = np.zeros((graphs.KEYS, len(VOCABULARY)), dtype=np.float32)
    tint[0, number[NO]] = 0.01
    tint[1, number[YES]] = 0.01
    return graphs.language(following, heard, tint)


def tokenizer_json() -> bytes:
    """Words apart by spaces; special tokens wherever they stand."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    numbers = {word: index for index, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token=UNK))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return json.dumps(json.loads(tokenizer.to_str())).encode()


def golden(models: Mapping[str, bytes]) -> bytes:
    """Inputs and outputs of each engine, from the library itself."""
    rng = np.random.default_rng(5)
    tensors: dict[str, NDArray[np.generic]] = {}
    for role, raw in models.items():
        session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
        sizes = {"T": 3, "N": 2, "S": 2, "L": 4, "past": 0, "total": 4}
        feeds: dict[str, NDArray[np.generic]] = {}
        for node in session.get_inputs():
            shape = [size if isinstance(size, int) else sizes[size] for size in node.shape]
            if node.type == "tensor(int64)":
                feeds[node.name] = np.ones(shape, dtype=np.int64)
            else:
                feeds[node.name] = rng.uniform(0, 1, shape).astype(np.float32)
        outputs = session.run(None, feeds)
        tensors.update({f"{role}.in.{name}": array for name, array in feeds.items()})
        for node, array in zip(session.get_outputs(), outputs, strict=True):
            tensors[f"{role}.out.{node.name}"] = np.ascontiguousarray(array)
    return bytes(safetensors.numpy.save(tensors))


def _domain() -> bytes:
    spec = PixelSpec()
    pixels = to_vision_input(frame({})[None], spec)
    session = onnxruntime.InferenceSession(graphs.vision(), providers=["CPUExecutionProvider"])
    tokens = session.run(["tokens"], {"pixels": pixels})[0]
    mean = tokens.reshape(-1, graphs.DV).mean(axis=0)
    whiten = np.eye(graphs.DV, dtype=np.float32) * 5
    return bytes(safetensors.numpy.save({"mean": mean.astype(np.float32), "whiten": whiten}))


def _spec(path: str, inputs: graphs.Shapes, outputs: graphs.Shapes) -> EngineSpec:
    def tensors(shapes: graphs.Shapes) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(name, "int64" if name == "attention_mask" else "float32", tuple(shape))
            for name, shape in shapes.items()
        )

    return EngineSpec(path, tensors(inputs), tensors(outputs))

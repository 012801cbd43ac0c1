"""Decoders of one shape against each other, each in a process of its own, in turns."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import onnx
from onnx import TensorProto, helper

from export.bench.decoder_worker import GENAI, GGUF, SOURCE
from export.bench.gguf_file import write_gguf
from export.config import EXACT, LanguageExport
from export.decoder import DecoderExport
from export.dequantise import with_accuracy
from export.language import build_language, build_whole, write_source
from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.contract.errors import BundleError
from train.model.language import LanguageConfig
from train.model.language import build_language as random_decoder

_NOTE = "prepared.json"
LLAMA_NEEDS = ("llama_cpp", "gguf")
Say = Callable[[str], None]
NAMES = {
    "ours": "ours, int4, int8 activations", "ours32": "ours, int4, float32 activations",
    "genai": "onnxruntime-genai, int4, int8 activations", "eager": "PyTorch eager, float32",
    "compile": "torch.compile, float32", "llama": "llama.cpp, Q4_0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decoded:
    """One contender.

    Attributes:
        prompt_s, step_s: medians. peak_bytes: the most its process ever held. why: it did not run, and why.
    """

    prompt_s: float = 0.0
    step_s: float = 0.0
    peak_bytes: int = 0
    why: str = ""


def prepared(folder: Path, config: LanguageConfig, tokenizer_json: str, say: Say) -> int:
    """Write what the workers read, unless it is there; returns the bytes of the int4 weights.

    Raises:
        BundleError: the folder holds what another decoder reads.
    """
    note, sizes = folder / _NOTE, asdict(config)
    if not note.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        written = {"sizes": sizes, "weight_bytes": _prepare(folder, config, tokenizer_json, say)}
        note.write_text(json.dumps(written))
    found = json.loads(note.read_text())
    if found["sizes"] != sizes:
        raise BundleError(f"{folder} holds another decoder.", "Name an empty folder.")
    return int(found["weight_bytes"])


def _prepare(folder: Path, config: LanguageConfig, tokenizer_json: str, say: Say) -> int:
    say("make a random decoder and quantise it twice (ours, and with its embeddings for genai)")
    model, settings = random_decoder(config), LanguageExport()
    write_source(folder / SOURCE, model, tokenizer_json)
    raw = build_language(model, tokenizer_json, settings)
    (folder / "model.onnx").write_bytes(raw)
    specs = DecoderExport(model.config).spec()
    graph = onnx.load_from_string(raw)
    (folder / "model32.onnx").write_bytes(with_accuracy(graph, EXACT))
    for name in ("model", "model32"):
        _write_specs(folder / f"{name}.json", specs)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1]) for name in ("x", "y"))
    nothing = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "empty", [x], [y])
    empty = helper.make_model(nothing, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (folder / "empty.onnx").write_bytes(empty.SerializeToString())
    one = (TensorSpec("x", "float32", (1, 1)), TensorSpec("y", "float32", (1, 1)))
    _write_specs(folder / "empty.json", EngineSpec("empty.onnx", one[:1], one[1:]))
    if not llama_missing():
        write_gguf(folder / GGUF, model)
    del model
    build_whole(folder / SOURCE, folder / GENAI, settings)
    return sum(len(tensor.raw_data) for tensor in graph.graph.initializer)


def time_decoders(
    folder: Path, *, threads: int, prompt: int, steps: int, warm: int, repeats: int, compiled: bool, say: Say
) -> dict[str, Decoded]:
    """Every contender that is installed, in turns; `empty` says what the libraries alone hold."""
    why = {} if compiled else {"compile": "left out"}
    why |= llama_missing()
    wanted = [kind for kind in ("empty", *NAMES) if kind not in why]
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in wanted}
    with Workers(folder, threads, prompt, steps) as workers:
        for kind in wanted:
            say(f"load {kind}")
            why |= workers.start(kind)
        for number in range(warm + repeats):
            say(f"decode, round {number + 1} of {warm + repeats}")
            for kind in [one for one in wanted if one not in why]:
                answer, failed = workers.ask(kind, "run")
                why |= failed
                if answer and number >= warm:
                    found[kind].append(answer)
    return {
        kind: Decoded(why=why[kind]) if kind in why else _summed(found[kind]) for kind in ("empty", *NAMES)
    }


class Workers:
    """The processes; all end with the block."""

    def __init__(self, folder: Path, threads: int, prompt: int, steps: int) -> None:
        self._words = [str(folder), str(threads), str(prompt), str(steps)]
        self._threads = threads
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(self, kind: str) -> dict[str, str]:
        """Start one; returns why it is not there, if so."""
        pinned = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self._threads))
        self._running[kind] = subprocess.Popen(
            [sys.executable, "-m", "export.bench.decoder_worker", kind, *self._words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **pinned, "HF_HUB_OFFLINE": "1"},
        )
        return self._answer(kind)[1]

    def ask(self, kind: str, word: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Its answer, or why there is none."""
        stream = self._running[kind].stdin
        if stream is None:
            raise BundleError(f"decoder {kind} has no input.")
        try:
            stream.write(f"{word}\n")
            stream.flush()
        except OSError:
            return {}, {kind: "ended"}
        return self._answer(kind)

    def _answer(self, kind: str) -> tuple[dict[str, Any], dict[str, str]]:
        child = self._running[kind]
        for line in _lines(child.stdout):
            try:
                return json.loads(line), {}
            except ValueError:
                continue  # something a library prints
        said = (child.stderr.read() if child.stderr else "").strip().splitlines()
        return {}, {kind: said[-1] if said else "ended without a word"}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._running.values():
            child.kill()
            child.communicate()


def llama_missing() -> dict[str, str]:
    """Why llama.cpp cannot take part, if so."""
    missing = [name for name in LLAMA_NEEDS if importlib.util.find_spec(name) is None]
    return {"llama": f"not installed: {', '.join(missing)}"} if missing else {}


def _lines(stream: IO[str] | None) -> Iterator[str]:
    while stream is not None and (line := stream.readline()):  # a `for` that is left would close the stream
        yield line


def _summed(rounds: list[dict[str, Any]]) -> Decoded:
    if not rounds:
        return Decoded(why="never ran")
    prompt_s, step_s = (statistics.median(one[name] for one in rounds) for name in ("prompt_s", "step_s"))
    return Decoded(prompt_s, step_s, max(int(one["peak_bytes"]) for one in rounds))


def _write_specs(path: Path, specs: EngineSpec) -> None:
    def plain(tensors: tuple[TensorSpec, ...]) -> list[Mapping[str, Any]]:
        return [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in tensors]

    path.write_text(json.dumps({"inputs": plain(specs.inputs), "outputs": plain(specs.outputs)}))

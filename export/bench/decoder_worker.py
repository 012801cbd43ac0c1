"""One decoder in one process: `python -m export.bench.decoder_worker KIND FOLDER THREADS PROMPT STEPS`.

Reads `run` and `end` from standard input and answers each with a line of JSON, so that several workers take
turns and each one's memory is its own. Knows nothing of the others.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.engines.base import Engine
from runtime.engines.decoder import Decoder
from runtime.engines.ort import CPU
from runtime.session.models import LANGUAGE, open_engine

KINDS = ("empty", "ours", "ours32", "genai", "eager", "compile", "llama")
SOURCE, GENAI, GGUF = "source", "genai", "model.gguf"
Round = tuple[float, float]
"""Seconds of the prompt, and of one step after it."""


def main(words: list[str]) -> int:
    """Serve until `end`."""
    kind, folder, threads, prompt, steps = words[0], Path(words[1]), *map(int, words[2:5])
    run = OPENERS[kind](folder, threads, prompt, steps)
    _say({"ready": True, "peak_bytes": peak_bytes()})
    for line in sys.stdin:
        if line.strip() == "end":
            break
        prompt_s, step_s = run()
        _say({"prompt_s": prompt_s, "step_s": step_s, "peak_bytes": peak_bytes()})
    _say({"peak_bytes": peak_bytes()})
    return 0


def peak_bytes() -> int:
    """The most memory that this process ever held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not tell a process's peak memory")


def _empty(folder: Path, threads: int, prompt: int, steps: int) -> Callable[[], Round]:
    """A session of a network that does nothing: what the libraries alone hold."""
    engine = _engine(folder, "empty", threads)
    one = np.zeros((1, 1), dtype=np.float32)

    def run() -> Round:
        engine.run({"x": one})
        return 0.0, 0.0

    return run


def _ours(folder: Path, threads: int, prompt: int, steps: int) -> Callable[[], Round]:
    return _decode_ours(_engine(folder, "model", threads), prompt, steps)


def _ours32(folder: Path, threads: int, prompt: int, steps: int) -> Callable[[], Round]:
    return _decode_ours(_engine(folder, "model32", threads), prompt, steps)


def _engine(folder: Path, name: str, threads: int) -> Engine:
    """The runtime's own engine of `NAME.onnx`, with the inputs and outputs in `NAME.json`."""
    specs = json.loads((folder / f"{name}.json").read_text())
    inputs, outputs = (
        tuple(TensorSpec(one["name"], one["dtype"], tuple(one["shape"])) for one in specs[which])
        for which in ("inputs", "outputs")
    )
    with (folder / f"{name}.onnx").open("rb") as file:  # as the runtime opens its decoder
        return open_engine(
            LANGUAGE, file, EngineSpec(file.name, inputs, outputs), provider=CPU, threads=threads
        )


def _decode_ours(engine: Engine, prompt: int, steps: int) -> Callable[[], Round]:
    decoder = Decoder(engine)
    width = next(int(spec.shape[2]) for spec in engine.specs.inputs if spec.name == "inputs_embeds")
    rows = np.random.default_rng(0).normal(0, 0.02, (prompt + steps, width)).astype(np.float32)

    def run() -> Round:
        began = time.perf_counter()
        state, _ = decoder.feed(decoder.empty, rows[:prompt])
        middle = time.perf_counter()
        for at in range(prompt, prompt + steps):
            state, _ = decoder.feed(state, rows[at : at + 1])
        return middle - began, (time.perf_counter() - middle) / steps

    return run


def _genai(folder: Path, threads: int, prompt: int, steps: int) -> Callable[[], Round]:
    library = importlib.import_module("onnxruntime_genai")
    file = folder / GENAI / "genai_config.json"
    settings = json.loads(file.read_text())
    settings["model"]["decoder"].setdefault("session_options", {})["intra_op_num_threads"] = threads
    file.write_text(json.dumps(settings))
    model = library.Model(str(folder / GENAI))

    def run() -> Round:
        options = library.GeneratorParams(model)
        options.set_search_options(max_length=prompt + steps + 1, min_length=prompt + steps + 1)
        generator = library.Generator(model, options)
        began = time.perf_counter()
        generator.append_tokens(np.arange(10, 10 + prompt, dtype=np.int32)[None])
        generator.generate_next_token()
        middle = time.perf_counter()
        for _ in range(steps):
            generator.generate_next_token()
        return middle - began, (time.perf_counter() - middle) / steps

    return run


def _eager(folder: Path, threads: int, prompt: int, steps: int) -> Callable[[], Round]:
    return _torch(folder, threads, prompt, steps, compiled=False)


def _compile(folder: Path, threads: int, prompt: int, steps: int) -> Callable[[], Round]:
    return _torch(folder, threads, prompt, steps, compiled=True)


def _torch(folder: Path, threads: int, prompt: int, steps: int, *, compiled: bool) -> Callable[[], Round]:
    import torch
    from transformers import MistralForCausalLM

    from train.model.language import CACHE, after

    torch.set_num_threads(threads)
    model: Any = MistralForCausalLM.from_pretrained(folder / SOURCE, dtype=torch.float32)
    model.train(mode=False)
    forward: Any = torch.compile(model, dynamic=True) if compiled else model
    ids = torch.arange(10, 10 + prompt + steps)[None]

    @torch.inference_mode()
    def run() -> Round:
        began = time.perf_counter()
        out = forward(input_ids=ids[:, :prompt], logits_to_keep=1, **after(None))
        middle = time.perf_counter()
        for at in range(prompt, prompt + steps):
            cache = getattr(out, CACHE)
            out = forward(input_ids=ids[:, at : at + 1], logits_to_keep=1, **after(cache))
        return middle - began, (time.perf_counter() - middle) / steps

    return run


def _llama(folder: Path, threads: int, prompt: int, steps: int) -> Callable[[], Round]:
    library = importlib.import_module("llama_cpp")
    model = library.Llama(str(folder / GGUF), n_threads=threads, n_ctx=prompt + steps + 8, verbose=False)

    def run() -> Round:
        model.reset()
        began = time.perf_counter()
        model.eval(list(range(10, 10 + prompt)))
        middle = time.perf_counter()
        for at in range(steps):
            model.eval([10 + at])
        return middle - began, (time.perf_counter() - middle) / steps

    return run


OPENERS: dict[str, Callable[[Path, int, int, int], Callable[[], Round]]] = {
    "empty": _empty, "ours": _ours, "ours32": _ours32, "genai": _genai, "eager": _eager, "compile": _compile,
    "llama": _llama,
}  # fmt: skip


def _say(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

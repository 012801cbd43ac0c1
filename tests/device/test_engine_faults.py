"""Claims about engines that fail, in the real runtime: `unavailable` with a reason, never a guess."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from device.paths import base_bundle
from device.store.records import Consent, NewAdapter
from device.store.store import Store
from runtime.client import Client, wait_until_ready
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle, manifest_to_json, sha256_file
from runtime.contract.dialogue import Intent, Kind
from runtime.contract.errors import EngineError, PvchatError, UnavailableError
from runtime.contract.household import Subject
from runtime.contract.serving import ClipSource
from runtime.engines.ort import CPU, OrtEngine
from runtime.session import open_session
from runtime.wire import AnswerReply, Ask, SetSubjects
from tests.device.daemon_world import ROOT, World, short_world, wait_for
from tests.fakes.tiny_bundle import ANN, make_bundle
from tests.fakes.tiny_home import IDS, TinyHome, open_tiny

_NO_LIBRARY = (
    "import sys; sys.modules['onnxruntime'] = None; from runtime.__main__ import main; sys.exit(main())"
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "b")


def replaced(bundle: Bundle, root: Path, path: str, raw: bytes) -> Bundle:
    """A copy with another file and a manifest that says so."""
    shutil.copytree(bundle.root, root)
    (root / path).write_bytes(raw)
    files = tuple(
        replace(entry, size_bytes=len(raw), sha256=sha256_file(root / path)) if entry.path == path else entry
        for entry in bundle.manifest.files
    )
    (root / "manifest.json").write_bytes(manifest_to_json(replace(bundle.manifest, files=files)))
    return Bundle.open(root)


def poisoned(raw: bytes, wanted: Callable[[str], bool], *, last: bool = False) -> Iterator[tuple[str, bytes]]:
    """The network with one value of one weight made NaN, its middle or last one, for each that is wanted."""
    whole = onnx.load_from_string(raw)
    for number, weight in enumerate(whole.graph.initializer):
        values = numpy_helper.to_array(weight).copy()
        if values.dtype.kind != "f" or not wanted(weight.name):
            continue
        values.reshape(-1)[-1 if last else values.size // 2] = np.nan
        broken = onnx.ModelProto()
        broken.CopyFrom(whole)
        broken.graph.initializer[number].CopyFrom(numpy_helper.from_array(values, weight.name))
        yield weight.name, broken.SerializeToString()


def serve(bundle: Bundle, endpoint: str, *extra: str) -> list[str]:
    """The real runtime, until its input ends."""
    words = ["serve", "--until-stdin-ends", "--bundle", str(bundle.root), "--socket", endpoint, *extra]
    return [sys.executable, "-m", "runtime", *words]


def _missing(bundle: Bundle, endpoint: str) -> list[str]:
    (bundle.root / "bridge" / "bridge.onnx").unlink()
    return serve(bundle, endpoint)


def _changed(bundle: Bundle, endpoint: str) -> list[str]:
    path = bundle.root / "bridge" / "bridge.onnx"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))
    return serve(bundle, endpoint)


def _another_provider(bundle: Bundle, endpoint: str) -> list[str]:
    config = bundle.root.parent / "cuda.toml"
    config.write_text('device = "cuda"\n', encoding="ascii")
    return serve(bundle, endpoint, "--config", str(config))


def _no_library(bundle: Bundle, endpoint: str) -> list[str]:
    return [sys.executable, "-c", _NO_LIBRARY, *serve(bundle, endpoint)[3:]]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_missing, "bridge.onnx"),
        (_changed, "bridge.onnx has changed"),
        (_another_provider, "has no CUDAExecutionProvider"),
        (_no_library, "no inference engine is installed"),
    ],
)
def test_an_engine_that_does_not_load_makes_the_daemon_unavailable_with_its_words(
    bundle: Bundle, fault: Callable[[Bundle, str], list[str]], words: str
) -> None:
    with short_world({"cook": "kitchen"}, ("kitchen",)) as home:
        broken = shutil.copytree(bundle.root, home.home.bundles / "broken")
        with Store.open(home.home) as store:
            adapter = NewAdapter(b"never read", 1, "instant", bundle.manifest.base)
            store.add_subject(Subject(IDS["ann"], "Ann"), Consent("Ann", 1.0), adapter)
        opened = Bundle.open(broken)
        home.start(command=lambda _, endpoint: _once(opened, endpoint, fault, home))
        wait_for(lambda: home.status().runtime == "down" and set(home.states().values()) == {"live"}, 120)
        answer = home.ask("Is Ann in the kitchen?")
        assert (answer.verdict, answer.confidence, answer.evidence) == ("unavailable", None, ())
        assert words in answer.reason


def _once(bundle: Bundle, endpoint: str, fault: Callable[[Bundle, str], list[str]], home: World) -> list[str]:
    """The fault happens at the first start; each start meets it."""
    said = home.home.run / "command.json"
    if not said.exists():
        said.write_text(json.dumps(fault(bundle, "ENDPOINT")), encoding="utf-8")
    words: list[str] = json.loads(said.read_text(encoding="utf-8"))
    return [endpoint if word == "ENDPOINT" else word for word in words]


def test_a_gate_of_the_shipped_bridge_that_is_not_a_number_is_an_error_and_no_answer() -> None:
    shipped = Bundle.open(base_bundle())
    spec = shipped.manifest.engines["bridge"]
    golden = _golden_inputs(shipped, "bridge")
    raw = shipped.path(spec.path).read_bytes()
    OrtEngine("bridge", raw, spec, provider=CPU, threads=1).run(golden)
    tried = []
    gates = _router_biases(raw)
    for name, broken in poisoned(raw, gates.__contains__, last=True):
        tried.append(name)
        with pytest.raises(EngineError, match="not finite"):
            OrtEngine("bridge", broken, spec, provider=CPU, threads=1).run(golden)
    assert len(tried) == len(gates) > 0


def _router_biases(raw: bytes) -> set[str]:
    """Biases of the projections that routers ride in: their last values are the routed heads' own."""
    graph = onnx.load_from_string(raw).graph
    made_by = {name: node for node in graph.node for name in node.output}
    found = set()
    for relu in (node for node in graph.node if node.op_type == "Relu"):
        split = made_by[relu.input[0]]
        assert split.op_type == "Split" and split.output[-1] == relu.input[0]
        bias = made_by[split.input[0]].input[1]
        found.add(made_by[bias].input[0] if bias in made_by else bias)
    return found


def _golden_inputs(bundle: Bundle, role: str) -> dict[str, np.ndarray]:
    import safetensors.numpy

    tensors = safetensors.numpy.load_file(bundle.path(f"golden/{role}.safetensors"))
    found = {}
    for spec in bundle.manifest.engines[role].inputs:
        names = [name for name in sorted(tensors) if name.endswith(spec.name)]
        name = next((name for name in names if "in" in name), names[0])
        found[spec.name] = tensors[name].astype(spec.dtype)
    return found


@pytest.mark.parametrize("role", ["vision", "head", "bridge", "language"])
def test_a_network_with_a_weight_that_is_not_a_number_answers_nothing(
    bundle: Bundle, tmp_path: Path, role: str
) -> None:
    home = TinyHome(open_tiny(bundle), tmp_path)
    home.install("ann")
    clip = home.clip({19: ANN})
    kind: Kind = "appearance" if role == "language" else "existence"
    assert home.ask(clip, kind, "ann").verdict == "yes"
    path = bundle.manifest.engines[role].path
    raw = _spoiled(bundle.path(path).read_bytes())
    copy = replaced(bundle, tmp_path / "copy", path, raw)
    session = open_session(copy, RuntimeConfig(device="cpu", threads=1))
    session.set_subjects([home.ref("ann")])
    with pytest.raises(EngineError, match="not finite"):
        session.answer(ClipSource(clip), Intent(kind, (IDS["ann"],)), {}, None, lambda: 600.0)


def _spoiled(raw: bytes) -> bytes:
    """The network with its largest weight made NaN."""
    whole = onnx.load_from_string(raw)
    weights = [one for one in whole.graph.initializer if numpy_helper.to_array(one).dtype.kind == "f"]
    largest = max(weights, key=lambda one: numpy_helper.to_array(one).size)
    values = np.full_like(numpy_helper.to_array(largest), np.nan)
    largest.CopyFrom(numpy_helper.from_array(values, largest.name))
    return bytes(whole.SerializeToString())


def test_a_runtime_without_memory_says_so_and_answers_again_when_it_has_some(
    bundle: Bundle, tmp_path: Path
) -> None:
    home = TinyHome(open_tiny(bundle), tmp_path)
    home.install("ann")
    clip = home.clip({19: ANN}, seconds=30.0)
    with tempfile.TemporaryDirectory(prefix="pvc", dir="/tmp") as folder:
        endpoint = f"ipc://{folder}/r"
        with (
            subprocess.Popen(serve(bundle, endpoint), cwd=ROOT, stdin=subprocess.PIPE) as process,
            Client(endpoint) as client,
        ):
            try:
                wait_until_ready(client, 240_000, lambda: process.poll() is None)
                client.call(SetSubjects(adapters=(home.ref("ann"),)), 60_000)
                ask = Ask(intent=Intent("existence", (IDS["ann"],)), clip=ClipSource(clip))
                used = _address_space(process.pid)
                resource.prlimit(process.pid, resource.RLIMIT_AS, (used + (8 << 20), resource.RLIM_INFINITY))
                with pytest.raises(PvchatError) as caught:
                    client.call(ask, 60_000)
                assert isinstance(caught.value, UnavailableError), caught.value
                resource.prlimit(
                    process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                )
                reply = client.call(ask, 200_000)
                assert isinstance(reply, AnswerReply)
                assert reply.answer.verdict == "yes"
            finally:
                process.kill()


def _address_space(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()

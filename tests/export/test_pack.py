"""Claims about bundles: whole or not at all, small enough, and understood by the runtime as it ships."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from export.__main__ import main
from export.config import ExportConfig, load_export_config
from export.files import ready_engines
from export.pack import pack, size_mib
from export.prompts import made_prompts
from export.specs import TORCH_ROLES
from runtime.adapters import read_adapter, write_adapter
from runtime.config import RuntimeConfig
from runtime.contract.adapter import Adapter
from runtime.contract.bundle import Bundle
from runtime.contract.errors import AdapterError, BundleError, UsageError
from runtime.session.models import load_models
from runtime.session.selftest import selftest_problems
from tests.export.conftest import CALIBRATED, LOOSE, Exported
from train.checkpoint import fingerprint, load_base, read_calibration

pytestmark = pytest.mark.timeout(900)  # whoever comes first waits for the export of the session

ROOT = Path(__file__).parents[2]
SUBJECT = "s" + "5" * 32


def _adapter(exported: Exported, base: str) -> Adapter:
    s = exported.bundle.manifest.shapes
    rng = np.random.default_rng(4)
    view = rng.normal(size=(2, s["E"]))
    arrays = {
        "queries": rng.normal(size=(s["Q"], s["D"])),
        "soft_tokens": rng.normal(size=(s["Q"], s["Dl"])),
        "token": rng.normal(size=s["Dl"]),
        "delta_a": rng.normal(size=(s["K"], s["D"], s["R"])),
        "delta_b": rng.normal(size=(s["K"], s["R"], s["D"])),
        "views.head": view / np.linalg.norm(view, axis=1, keepdims=True),
    }
    return Adapter(SUBJECT, base, "trained", 1, {k: v.astype(np.float32) for k, v in arrays.items()})


def test_bundle_is_whole_and_within_the_budget(exported: Exported) -> None:
    exported.bundle.verify()
    assert size_mib(exported.bundle) <= 25
    roles = {entry.role for entry in exported.bundle.manifest.files}
    assert roles >= {"vision", "head", "bridge", "enrol", "language", "checkpoint", "domain", "golden"}


def test_shipped_selftest_of_the_runtime_finds_nothing(exported: Exported) -> None:
    models = load_models(exported.bundle, RuntimeConfig(device="cpu", threads=1))
    problems = selftest_problems(exported.bundle, models, None)
    assert [problem for problem in problems if not problem.startswith("faces:")] == []
    assert models.domain is not None
    assert np.array_equal(models.domain.mean, exported.model.domain_mean.numpy())


def test_training_can_start_from_the_shipped_base(exported: Exported) -> None:
    shipped = exported.bundle.root / "checkpoint"
    model, sizes = load_base(shipped)
    assert sizes == exported.sizes
    assert fingerprint(shipped) == exported.bundle.manifest.base
    assert all((a == b).all() for a, b in zip(model.parameters(), exported.model.parameters(), strict=True))


def test_command_line_packs_a_household_from_ready_engines(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "loose.toml"
    config.write_text(
        "[language]\nwindows = 1\nmin_cosine = 0.9\nmin_top1 = 0.5\nmin_yes_no = 0.5\n"
        "min_slots = 0.0\nmax_drift = 1.0\n"
    )
    member = tmp_path / "member.safetensors"
    write_adapter(member, _adapter(exported, exported.bundle.manifest.base))
    out = tmp_path / "bundle"
    code = main(
        [str(config), "--checkpoint", str(exported.checkpoint), "--out", str(out), "--quick",
         "--engines-from", str(exported.bundle.root), "--adapters", str(member),
         "--report", str(tmp_path / "parity.md")]
    )  # fmt: skip
    said = capsys.readouterr()
    assert code == 0, said.err
    summary = json.loads(said.out.splitlines()[-1])
    bundle = Bundle.open(out)
    bundle.verify()
    assert summary["bundle_id"] == bundle.bundle_id
    assert summary["kind"] == bundle.manifest.kind == "household"
    assert summary["max_abs"] <= 1e-4
    page = (tmp_path / "parity.md").read_text()
    assert bundle.bundle_id in page and "| cosine of logits, mean |" in page
    outputs = {f"{role}.{one.name}" for role in TORCH_ROLES for one in bundle.manifest.engines[role].outputs}
    assert all(f"| {name} | fp32 |" in page for name in outputs)
    assert all(f"| {kind} | 1 |" in page for kind in ("action", "appearance", "existence", "location"))
    (path,) = bundle.role("adapter")
    adapter, raw = read_adapter(path, base=bundle.manifest.base, shapes=bundle.manifest.shapes)
    assert (adapter.subject_id, raw) == (SUBJECT, member.read_bytes())
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_adapter_of_another_base_is_refused_and_nothing_is_written(
    exported: Exported, tmp_path: Path
) -> None:
    member = tmp_path / "member.safetensors"
    write_adapter(member, _adapter(exported, "0" * 64))
    with pytest.raises(AdapterError, match="made for base"):
        _pack(exported, tmp_path / "bundle", LOOSE, adapters=[member])
    assert [path.name for path in tmp_path.iterdir()] == [member.name]


def test_bundle_above_its_budget_is_refused_and_the_old_one_stays(exported: Exported, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "manifest.json").write_text("{}")
    tight = ExportConfig(prove_perturbed=False, max_mib=2.0, language=LOOSE.language)
    with pytest.raises(BundleError, match="allowed are 2"):
        _pack(exported, out, tight)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert (out / "manifest.json").read_text() == "{}"


def test_folder_that_is_no_bundle_is_never_replaced(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(UsageError, match="is no bundle"):
        _pack(exported, tmp_path / "letters", LOOSE)


def test_engines_of_another_checkpoint_are_not_taken(exported: Exported) -> None:
    with pytest.raises(BundleError, match="of base"):
        ready_engines(exported.bundle.root, "0" * 64)


@pytest.mark.parametrize("missing", ["base.safetensors", "tokenizer.json", "calibration.json"])
def test_incomplete_checkpoint_is_one_clear_line(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    for path in exported.checkpoint.iterdir():
        if path.name != missing:
            (checkpoint / path.name).symlink_to(path)
    config = str(ROOT / "configs" / "export" / "cpu.toml")
    code = main([config, "--checkpoint", str(checkpoint), "--out", str(tmp_path / "out")])
    said = capsys.readouterr()
    assert code == 5
    assert said.out == ""
    assert len([line for line in said.err.splitlines() if line.startswith("pvchat-edge export:")]) == 1
    assert not (tmp_path / "out").exists()


def test_calibration_file_is_read_as_the_manifest_writes_it(exported: Exported) -> None:
    assert read_calibration(exported.checkpoint / "calibration.json") == CALIBRATED
    assert exported.bundle.manifest.calibration == CALIBRATED


def test_shipped_settings_are_the_defaults() -> None:
    assert load_export_config(ROOT / "configs" / "export" / "cpu.toml") == ExportConfig()


def _pack(exported: Exported, out: Path, config: ExportConfig, adapters: list[Path] | None = None) -> Bundle:
    prompts = made_prompts(exported.model, exported.sizes, windows=1, seed=5)[:1]
    return pack(
        exported.checkpoint,
        out,
        kind="household",
        calibration=CALIBRATED,
        evaluation={},
        made_by={},
        config=config,
        adapters=adapters or [],
        prompts=prompts,
        ready=exported.engines(),
    )

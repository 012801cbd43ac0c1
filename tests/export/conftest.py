"""One perturbed random model, exported once for all tests of the exporter."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from export.config import ExportConfig, LanguageExport
from export.pack import pack
from export.parity import perturb
from runtime.contract.bundle import Bundle
from runtime.contract.calibration import Calibration, SourceCalibration
from runtime.contract.prompt import SPECIAL_TOKENS
from train.checkpoint import CALIBRATION, load_base, save_base
from train.model.pvchat import ModelConfig, PVChat, build_model

WORDS = ("yes", "no", "is", "in", "this", "video", "what", "where", "doing", "wearing", "and", ".", "?")
CALIBRATED = Calibration({"bridge": SourceCalibration(1.0, 0.0, provenance="none: random weights")})
LOOSE = ExportConfig(
    prove_perturbed=False,
    language=LanguageExport(
        windows=2, min_cosine=0.9, min_top1=0.5, min_yes_no=0.5, min_slots=0.0, max_drift=1.0
    ),
)
"""Random weights are all noise to int4 rounding; the graph and the other engines get no such grace."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A checkpoint and its bundle."""

    checkpoint: Path
    model: PVChat
    sizes: ModelConfig
    tokenizer_json: str
    bundle: Bundle

    def engine(self, role: str) -> bytes:
        """The shipped file of one engine."""
        return self.bundle.path(self.bundle.manifest.engines[role].path).read_bytes()

    def engines(self) -> dict[str, bytes]:
        """All of them."""
        return {role: self.engine(role) for role in self.bundle.manifest.engines}


def small_tokenizer(size: int) -> str:
    """A tokenizer of whole words with `size` tokens, as JSON."""
    words = [*SPECIAL_TOKENS, *WORDS]
    words += [f"word{number}" for number in range(size - len(words))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return str(tokenizer.to_str())


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Export a model in which every part moves."""
    torch.manual_seed(7)
    sizes = ModelConfig()
    model = perturb(build_model(sizes), seed=3)
    model.domain_mean.copy_(torch.linspace(-1, 1, sizes.vision.dim).half().float())
    tokenizer_json = small_tokenizer(sizes.language.vocab)
    root = tmp_path_factory.mktemp("export")
    save_base(root / "checkpoint", model, sizes, tokenizer_json)
    model, _ = load_base(root / "checkpoint")
    calibration = dataclasses.asdict(CALIBRATED) | {"domain_limit": None}
    (root / "checkpoint" / CALIBRATION).write_text(json.dumps(calibration))
    bundle = pack(
        root / "checkpoint",
        root / "bundle",
        kind="base",
        calibration=CALIBRATED,
        evaluation={"note": "random weights"},
        made_by={"seed": 7},
        config=LOOSE,
    )
    return Exported(root / "checkpoint", model, sizes, tokenizer_json, bundle)

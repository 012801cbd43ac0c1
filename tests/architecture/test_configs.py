"""Every configuration file that ships parses into the dataclass of its program."""

from __future__ import annotations

from typing import Any

import pytest

from device.config import DeviceConfig
from export.config import ExportConfig
from runtime.config import RuntimeConfig
from runtime.contract.settings import load_settings
from runtime.registry import Registry
from tests.architecture.project_files import ROOT, relative
from train.augment.dataset.config import AugmentConfig
from train.base.config import BaseConfig
from train.evaluate.config import EvaluateConfig
from train.household.config import HouseholdConfig
from train.subject.config import SubjectConfig

READERS: dict[str, type[Any]] = {
    "configs/device/default.toml": DeviceConfig,
    "configs/export/agx_orin_64gb.toml": ExportConfig,
    "configs/export/cpu.toml": ExportConfig,
    "configs/export/l20.toml": ExportConfig,
    "configs/export/orin_nx_16gb.toml": ExportConfig,
    "configs/models.toml": Registry,
    "configs/runtime/default.toml": RuntimeConfig,
    "configs/train/ablate.toml": BaseConfig,
    "configs/train/augment.toml": AugmentConfig,
    "configs/train/evaluate.toml": EvaluateConfig,
    "configs/train/evaluate_quick.toml": EvaluateConfig,
    "configs/train/household.toml": HouseholdConfig,
    "configs/train/subject.toml": SubjectConfig,
    "configs/train/tiny.toml": BaseConfig,
}


def test_every_configuration_file_has_a_reader_here() -> None:
    assert sorted(relative(path) for path in (ROOT / "configs").rglob("*.toml")) == sorted(READERS)


@pytest.mark.parametrize("name", READERS)
def test_a_shipped_configuration_parses(name: str) -> None:
    assert isinstance(load_settings(ROOT / name, READERS[name]), READERS[name])

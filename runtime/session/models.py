"""Loads a bundle's engines, each file hashed before it is used. Knows no clips and no subjects."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle, EngineSpec, Manifest, manifest_to_json
from runtime.contract.calibration import Calibration, SourceCalibration
from runtime.contract.errors import BundleError, EngineError
from runtime.contract.sources import PersonSource
from runtime.engines.base import Engine
from runtime.engines.language import LanguageModel, load_vocabulary
from runtime.engines.ort import OrtEngine, choose_provider, library_version
from runtime.people.face_calibration import FACE_CALIBRATION
from runtime.people.faces import FaceEngine, FaceFinder, shared_faces
from runtime.people.persons import PersonFinder
from runtime.session.others import Others
from runtime.session.plans import TENSORRT, open_plans, wanted_plans

NEEDED = ("vision", "head", "bridge", "enrol")
DOMAIN_ROLE = "domain"
BRIDGE, BODY, FACE, LANGUAGE = "bridge", "body", "face", "language"
_EVIDENCE: dict[PersonSource, str] = {"head": BRIDGE, "face": FACE}
SPIN_FROM = 64 << 20
"""Bytes of a decoder from which its threads wait awake: a small one's only take the cores from others."""
_EMBEDDINGS, _TOKENIZER = "embeddings.safetensors", "tokenizer.json"
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Domain:
    """What scene tokens look like where the base was trained.

    Attributes:
        mean: float32 (Dv,); whiten: float32 (Dv, Dv).
    """

    mean: Floats
    whiten: Floats

    def distance(self, scene: Floats) -> float:
        """How far the mean of scene tokens float32 (T, P, Dv) lies from training; about 1 in the middle."""
        pooled = scene.reshape(-1, scene.shape[-1]).mean(axis=0)
        return float(np.linalg.norm((pooled - self.mean) @ self.whiten) / np.sqrt(len(self.mean)))


class Models:
    """The loaded networks; faces are loaded when the first face is needed."""

    def __init__(
        self,
        manifest: Manifest,
        engines: dict[str, Engine],
        language: LanguageModel | None,
        domain: Domain | None,
        others: Others | None = None,
        engine_id: str = "",
    ) -> None:
        """Put loaded parts together; `engines` holds at least vision, head, bridge and enrol.

        Args:
            engine_id: names what computes: equal only where the same inputs give the same bits.
        """
        self.engine_id = engine_id
        self._others = others
        self.manifest = manifest
        self.engines = engines
        self.language = language
        self.domain = domain

    @property
    def faces(self) -> FaceEngine:
        """What embeds faces, and finds them where nothing better is installed.

        Raises:
            EngineError: dlib or its weights are not installed.
        """
        return shared_faces()

    @property
    def better_faces(self) -> FaceFinder | None:
        """What finds more faces than `faces` does; None where it is not installed.

        Raises:
            EngineError: it is installed and does not load.
        """
        return None if self._others is None else self._others.faces()

    @property
    def persons(self) -> PersonFinder | None:
        """What finds people in ordinary footage, face or none; None where it is not installed.

        Raises:
            EngineError: it is installed and does not load.
        """
        return None if self._others is None else self._others.persons()

    def load_for_faces(self) -> None:
        """Load now what ordinary footage is looked at with; what does not load is told when it is needed.

        While the face library loads nothing else runs in this process, for most of a second.
        """
        with contextlib.suppress(EngineError):
            _ = self.faces, self.better_faces, self.persons

    def calibration(self, source: PersonSource) -> SourceCalibration:
        """How scores become likelihood ratios where people are told by this source.

        Raises:
            BundleError: the bundle says nothing of it.
        """
        evidence = _EVIDENCE[source]
        found = self.manifest.calibration.sources.get(evidence)
        if found is None and evidence == FACE:
            return FACE_CALIBRATION
        if found is None:
            raise BundleError(f"the bundle has no calibration of {evidence!r}.", "Export the bundle again.")
        return found

    def rules(self, source: PersonSource) -> Calibration:
        """What decides where people are told by this source."""
        return self.manifest.calibration.judging(self.calibration(source))


def open_engine(
    role: str, model: bytes | BinaryIO, spec: EngineSpec, *, provider: str, threads: int
) -> OrtEngine:
    """A network as the box opens it: the decoder keeps no memory of its prompt, and spins if it is large."""
    decoder = role == LANGUAGE
    size = len(model) if isinstance(model, bytes) else os.fstat(model.fileno()).st_size
    spin = decoder and size >= SPIN_FROM
    return OrtEngine(role, model, spec, provider=provider, threads=threads, arena=not decoder, spin=spin)


def load_models(bundle: Bundle, config: RuntimeConfig) -> Models:
    """Every engine of a bundle, where the configuration says.

    Raises:
        BundleError: an engine is missing, damaged, or not what the manifest says.
        EngineError: no inference library, or not the device that was asked for.
    """
    manifest = bundle.manifest
    missing = [role for role in NEEDED if role not in manifest.engines]
    if missing:
        raise BundleError(f"the bundle has no engine {', '.join(missing)}.", "Export the bundle again.")
    if BRIDGE not in manifest.calibration.sources:
        raise BundleError("the bundle has no calibration of 'bridge'.", "Export the bundle again.")
    planned = wanted_plans(bundle, config.device, config.engines)
    provider = choose_provider("auto" if config.device == TENSORRT else config.device)
    engines: dict[str, Engine] = {
        role: _engine(bundle, role, spec, provider, config.threads)
        for role, spec in manifest.engines.items()
        if planned is None or role not in planned.roles
    }
    if planned is not None and config.engines is not None:
        engines.update(open_plans(bundle, planned, config.engines))
    others = None if config.models is None else Others(config.models, provider, config.threads)
    language = _language(bundle, engines.get(LANGUAGE))
    where = provider if planned is None else f"{provider}, {TENSORRT} for {' '.join(sorted(planned.roles))}"
    engine = engine_id(manifest, where, config.threads)
    return Models(manifest, engines, language, _domain(bundle), others, engine)


def _engine(bundle: Bundle, role: str, spec: EngineSpec, provider: str, threads: int) -> OrtEngine:
    with bundle.opened(spec.path) as file:
        return open_engine(role, file, spec, provider=provider, threads=threads)


def engine_id(manifest: Manifest, where: str, threads: int) -> str:
    """Names a bundle's engines where they run, in hex: every file by its hash, provider, threads, library."""
    digest = hashlib.sha256(manifest_to_json(manifest))
    digest.update(f"{where}:{threads}:{library_version()}".encode())
    return digest.hexdigest()


def read_tensors(bundle: Bundle, relative: str) -> dict[str, NDArray[np.generic]]:
    """The arrays of a .safetensors file of the bundle.

    Raises:
        BundleError: as `Bundle.read`, or no such file format.
    """
    try:
        return dict(safetensors.numpy.load(bundle.read(relative)))
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise BundleError(f"{relative} cannot be read: {error}.", "Export the bundle again.") from error


def _language(bundle: Bundle, engine: Engine | None) -> LanguageModel | None:
    if engine is None:
        return None
    folder = PurePosixPath(bundle.manifest.engines["language"].path).parent
    tensors = read_tensors(bundle, str(folder / _EMBEDDINGS))
    table = tensors.get("embed")
    width = bundle.manifest.shapes["Dl"]
    if table is None or table.ndim != 2 or table.shape[1] != width or not np.isfinite(table).all():
        raise BundleError(f"{_EMBEDDINGS} holds no finite table `embed` (V, {width}).")
    vocabulary = load_vocabulary(bundle.read(str(folder / _TOKENIZER)))
    return LanguageModel(engine, np.asarray(table, dtype=np.float32), vocabulary)


def _domain(bundle: Bundle) -> Domain | None:
    """The domain gate, or None: then everything counts as the trained domain."""
    entries = [entry.path for entry in bundle.manifest.files if entry.role == DOMAIN_ROLE]
    if not entries:
        return None
    tensors = read_tensors(bundle, entries[0])
    width = bundle.manifest.shapes["Dv"]
    mean, whiten = tensors.get("mean"), tensors.get("whiten")
    if mean is None or whiten is None or mean.shape != (width,) or whiten.shape != (width, width):
        raise BundleError(f"{entries[0]} needs `mean` ({width},) and `whiten` ({width}, {width}).")
    return Domain(np.asarray(mean, dtype=np.float32), np.asarray(whiten, dtype=np.float32))

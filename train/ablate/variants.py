"""What is compared with what, as data. Knows no training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from train.losses import LossForm
from train.model.remoh import Routing


@dataclass(frozen=True, slots=True)
class BridgeVariant:
    """One bridge.

    Attributes:
        routing: of its upper layers. form: of the losses on routed heads.
        sparsity, activation: whether SPR and HAE count. queries: rows of each subject, and of the base.
    """

    label: str
    routing: Routing = field(default_factory=Routing)
    form: LossForm = "global"
    sparsity: bool = True
    activation: bool = True
    queries: int = 16


@dataclass(frozen=True, slots=True)
class BridgeTable:
    """Variants side by side; `paper` says which table of the paper it answers."""

    name: str
    title: str
    paper: str
    variants: tuple[BridgeVariant, ...]


@dataclass(frozen=True, slots=True)
class LanguageVariant:
    """One way to describe people, on top of the same trained bridge.

    Attributes:
        speaker: the language model, or a linear classifier for each slot with templates around it.
        video: what stands for the clip in the prompt: the Q-Former's rows, or pooled patches (PLLaVA).
        soft: soft tokens a subject. faces: whether a face stream is fused into the subject's rows.
    """

    label: str
    speaker: Literal["language", "slots"] = "language"
    video: Literal["rows", "pooled"] = "rows"
    soft: int = 16
    faces: bool = False


@dataclass(frozen=True, slots=True)
class SubjectVariant:
    """What a trained adapter learns from; `trained` false: the instant adapter as it is."""

    label: str
    trained: bool = True
    negatives: bool = True
    augmented: bool = True


_PAPER = Routing(mode="paper")
ROUTING = BridgeTable(
    "routing",
    "Routing of the bridge's heads",
    "Table 2: no routing .733, MoH .813, ReMoH .901 accuracy on its own characters",
    (
        BridgeVariant("no routing", Routing(mode="none"), form="none"),
        BridgeVariant("MoH, 2 of 4 routed heads", Routing(mode="moh"), form="balance"),
        BridgeVariant("ReMoH as published", _PAPER, form="published"),
        BridgeVariant("ReMoH, published gates, our losses", _PAPER),
        BridgeVariant("ReMoH from the identity (ours)"),
    ),
)
LOSSES = BridgeTable(
    "losses",
    "SPR and HAE",
    "Table 3: with both .901 (active .552), without HAE .746 (active .217), without both NaN",
    (
        BridgeVariant("neither", form="none"),
        BridgeVariant("SPR alone", activation=False),
        BridgeVariant("HAE alone", sparsity=False),
        BridgeVariant("both, one lambda (ours)"),
        BridgeVariant("both, a lambda each", form="per_module"),
        BridgeVariant("both, as published (HAE without a gradient)", form="published"),
    ),
)
QUERIES = BridgeTable(
    "queries",
    "Queries a subject",
    "token-number table: 0, 4, 8, 12, 16 and 20 tokens .801 to .922, 16 best",
    tuple(BridgeVariant(f"{count} queries", queries=count) for count in (6, 8, 12, 16, 20)),
)
BRIDGE_TABLES: dict[str, BridgeTable] = {table.name: table for table in (ROUTING, LOSSES, QUERIES)}


@dataclass(frozen=True, slots=True)
class LanguageTable:
    """Ways to describe side by side; `paper` says which table of the paper it answers."""

    name: str
    title: str
    paper: str
    variants: tuple[LanguageVariant, ...]


DESCRIBING = LanguageTable(
    "describing",
    "Describing: language model, slot classifier, pooled patches, face stream",
    "no such table; PLLaVA pools patches, FaVChat adds faces",
    (
        LanguageVariant("slot classifier with templates", speaker="slots"),
        LanguageVariant("language model on the Q-Former's rows (ours)"),
        LanguageVariant("language model, pooled patches for the clip (PLLaVA)", video="pooled"),
        LanguageVariant("language model, face stream fused into rows (after FaVChat)", faces=True),
    ),
)
SOFT_TOKENS = LanguageTable(
    "soft_tokens",
    "Soft tokens a subject",
    "token-number table: 0, 4, 8, 12, 16, 20 tokens .801, .871, .890, .895, .922, .882",
    tuple(LanguageVariant(f"{count} soft tokens", soft=count) for count in (0, 4, 8, 12, 16, 20)),
)
LANGUAGE_TABLES: dict[str, LanguageTable] = {table.name: table for table in (DESCRIBING, SOFT_TOKENS)}


DATA_VARIANTS: tuple[SubjectVariant, ...] = (
    SubjectVariant("instant adapter, nothing trained", trained=False),
    SubjectVariant("the clip alone", negatives=False, augmented=False),
    SubjectVariant("+ negatives", augmented=False),
    SubjectVariant("+ negatives + varied light, noise, framing (ours)"),
)
DATA_PAPER = "data table: one positive .464, + negatives .584, + ConsisID .781, + LivePortrait .901"

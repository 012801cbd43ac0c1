"""Claims about the ablations: every variant trains, starts from the same parts, and what is told of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from train.ablate.bridge_run import Ground, calibrated, collect, measure, new_stage, run_variant
from train.ablate.combinations import held_out_combination
from train.ablate.evidence import ROWS, evidence_table
from train.ablate.kept import Report, once, run_path
from train.ablate.language_run import Describer, run_describer
from train.ablate.speaker_run import train_speaker
from train.ablate.tables import bridge_markdown, evidence_markdown, language_markdown
from train.ablate.variants import (
    BRIDGE_TABLES,
    DESCRIBING,
    LANGUAGE_TABLES,
    LOSSES,
    QUERIES,
    ROUTING,
    BridgeVariant,
    LanguageVariant,
)
from train.base.config import BaseConfig, StageConfig, WorldConfig
from train.base.features import cache_features
from train.base.world_data import open_world, render_world
from train.fit import FitConfig
from train.model.pvchat import ModelConfig, build_model
from train.model.remoh import Routing

WORLD = WorldConfig(seed=6, identities=16, clips_each=3, held_out=8, processes=1)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("ablate")
    render_world(folder / "world", WORLD, lambda done, total: None)
    data = open_world(folder / "world")
    torch.manual_seed(0)
    model = build_model(ModelConfig()).eval()
    features = cache_features(
        folder / "features", data, model.vision, model.head, model.body, lambda label, done, total: None
    )
    tensors = {
        f"model.bridge.{name}": value.contiguous() for name, value in model.bridge.state_dict().items()
    }
    save_file(tensors, folder / "tracks.safetensors")
    stage = StageConfig(FitConfig(steps=2), 4)
    config = BaseConfig(
        head=stage, vision=stage, body=stage, tracks=stage, bridge=stage, language=stage, world=WORLD
    )
    return Ground(config, data, features, folder / "tracks.safetensors", batches=2)


VARIANTS = list(dict.fromkeys(one for table in BRIDGE_TABLES.values() for one in table.variants))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda one: f"{one.label}-{one.queries}")
def test_every_variant_takes_a_step(ground: Ground, variant: BridgeVariant) -> None:
    stage = new_stage(ground, variant, 1)
    losses = stage.train().loss(0)
    torch.stack([part.sum() for part in losses.values()]).sum().backward()  # type: ignore[no-untyped-call]
    stage.routing.after_step()
    assert all(bool(torch.isfinite(part.detach()).all()) for part in losses.values())
    rows = stage.bridge.subject_queries.shape[0]
    assert rows == variant.queries


def test_variants_of_one_seed_start_from_the_same_tracks_and_the_same_first_layer(ground: Ground) -> None:
    plain, ours = (new_stage(ground, one, 1).bridge for one in (ROUTING.variants[0], ROUTING.variants[-1]))
    for name in ("motion.fc1.weight", "traits.kin", "base_queries", "layers.0.self_attention.query.weight"):
        assert torch.equal(plain.state_dict()[name], ours.state_dict()[name])


def test_identity_routing_starts_as_no_routing_and_the_published_one_does_not(ground: Ground) -> None:
    def presence(routing: Routing) -> torch.Tensor:
        stage = new_stage(ground, BridgeVariant("x", routing), 1).eval()
        reference = new_stage(ground, ROUTING.variants[0], 1).eval()
        weights = {n: v for n, v in reference.state_dict().items() if ".router." not in n}
        stage.load_state_dict(weights, strict=False)
        with torch.no_grad():
            last = stage.bridge.presence_rows.get_parameter("2.weight")
            torch.nn.init.normal_(last, generator=torch.Generator().manual_seed(0))
        evidence = collect(stage, ground.maker(held_out=True, token_only=0.0), 1, 2)
        return torch.from_numpy(evidence["presence"])

    none = presence(Routing(mode="none"))
    assert torch.equal(presence(Routing()), none)
    assert not torch.allclose(presence(Routing(mode="paper")), none, atol=1e-3)


def test_run_gives_every_figure_and_the_same_ones_again(ground: Ground) -> None:
    variant = LOSSES.variants[3]
    first, again = (run_variant(ground, variant, 2, 2, lambda done, total: None) for _ in range(2))
    assert first == again
    assert set(first) == {"presence", "cllr", "min_cllr", "facts", "action", "active"}
    assert 0 < first["active"] <= 1


def test_bridge_without_routing_has_no_active_heads(ground: Ground) -> None:
    assert measure(new_stage(ground, ROUTING.variants[0], 1), ground, 1)["active"] == 0.0


def test_calibration_is_fitted_on_some_trials_and_applied_to_all() -> None:
    rng = np.random.default_rng(0)
    present = rng.random(4000) < 0.3
    scores = (rng.normal(size=4000) + 2.0 * present).astype(np.float32) * 5
    llr = calibrated(scores, present, np.arange(4000) % 2 == 0)
    wanted = 2.0 * (scores / 5 - 1.0)
    assert np.abs(llr - wanted).max() < 1.0


def test_evidence_says_what_each_piece_costs_against_all_together(ground: Ground) -> None:
    stage = new_stage(ground, ROUTING.variants[-1], 1)
    table = evidence_table(collect(stage.eval(), ground.maker(held_out=True, token_only=0.0), 1, 2), 1)
    assert set(table) == set(ROWS)
    assert table["presence"]["more"] == table["presence"]["more_low"] == 0.0
    for row in table.values():
        assert row["more_low"] <= row["more"] + 0.05
        assert row["more"] == pytest.approx(row["cllr"] - table["presence"]["cllr"])
    assert "+0" in evidence_markdown([table] * 3)


@pytest.fixture(scope="module")
def bridge(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained stage's checkpoint, as far as its form goes."""
    stage = new_stage(ground, ROUTING.variants[-1], 1)
    path = tmp_path_factory.mktemp("bridge") / "bridge.safetensors"
    save_file({f"model.{n}": v.contiguous() for n, v in stage.state_dict().items()}, path)
    return path


SPEAKERS = [one for table in LANGUAGE_TABLES.values() for one in table.variants]


@pytest.mark.parametrize("variant", SPEAKERS, ids=lambda one: one.label)
def test_every_way_to_describe_takes_a_step_and_answers(
    ground: Ground, bridge: Path, variant: LanguageVariant
) -> None:
    describer = Describer(ground, variant, bridge, 1).train()
    losses = describer.loss(0)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    parts = {"slots": describer.slots, "pooled": describer.pooled, "faces": describer.faces}
    wanted = {
        "slots": variant.speaker == "slots",
        "pooled": variant.video == "pooled",
        "faces": variant.faces,
    }
    for name, part in parts.items():
        assert any(p.grad is not None for p in part.parameters()) is wanted[name], name
    assert all(p.grad is None for p in describer.stage.bridge_stage.bridge.layers.parameters())
    episode = describer.maker.draw(np.random.default_rng(0), 6, 1)
    for hits in describer.eval().right(episode).values():
        assert all(isinstance(hit, bool) for hit in hits)


def test_held_out_combinations_are_never_drawn_and_every_deed_still_is(ground: Ground, bridge: Path) -> None:
    apart = held_out_combination(ground.data)
    assert 0.02 < apart.mean() < 0.5
    maker = Describer(ground, DESCRIBING.variants[1], bridge, 1).maker
    assert not apart[maker.clips].any()
    drawn = maker.draw(np.random.default_rng(0), 64, 1).clips
    assert not apart[drawn].any()


def test_every_describer_starts_from_one_language_model_and_learns_what_leads_into_it_anew(
    ground: Ground, bridge: Path, tmp_path: Path
) -> None:
    path, told = tmp_path / "speaker.safetensors", []
    for steps in (1, 2, 2):
        train_speaker(ground, bridge, path, steps, lambda done, total: told.append((done, total)))
    assert told == [(1, 1), (2, 2)]
    kept = load_file(path)
    for variant in DESCRIBING.variants[1:3]:
        describer = Describer(ground, variant, bridge, 1, path)
        for name, tensor in describer.stage.language.state_dict().items():
            assert torch.equal(tensor, kept[f"model.stage.language.{name}"]), name
        up = describer.stage.bridge_stage.bridge.project_up
        assert torch.equal(up.weight, load_file(bridge)["model.bridge.project_up.weight"])
        assert not torch.equal(up.weight, kept["model.stage.bridge_stage.bridge.project_up.weight"])


def test_describers_figures_tell_new_combinations_apart(ground: Ground, bridge: Path) -> None:
    figures = run_describer(ground, DESCRIBING.variants[0], bridge, 1, 1, lambda done, total: None)
    assert {"action", "location"} <= set(figures)
    assert any(name.endswith("_new") for name in figures)
    whole = {f"{kind}{new}": 0.5 for kind in ("action", "appearance", "location") for new in ("", "_new")}
    text = language_markdown(DESCRIBING, {one.label: [whole] * 3 for one in DESCRIBING.variants}, 5, 7)
    assert "5 steps a run, from one language model of 7 steps" in text
    assert "0.500 ± 0.000 (0.500 ± 0.000)" in text


def test_figures_are_kept_for_what_varies_and_what_it_starts_from(tmp_path: Path) -> None:
    starts = [tmp_path / name for name in ("tracks", "other", "copy")]
    for start, weights in zip(starts, (b"a", b"b", b"a"), strict=True):
        start.write_bytes(weights)
    ours, fewer = QUERIES.variants[3], QUERIES.variants[0]
    again = replace(ours, label="the same run in another table")
    ran: list[Path] = []

    def figure(variant: BridgeVariant, start: Path) -> float:
        path = run_path(tmp_path, variant, start, 1, "300")

        def run(report: Report) -> dict[str, float]:
            ran.append(path)
            return {"presence": float(len(ran))}

        return once(path, "run", run)["presence"]

    asked = [(ours, starts[0]), (again, starts[2]), (ours, starts[1]), (fewer, starts[0]), (ours, starts[0])]
    assert [figure(variant, start) for variant, start in asked] == [1.0, 1.0, 2.0, 3.0, 1.0]


def test_table_names_the_papers_claim_and_every_variant(tmp_path: Path) -> None:
    figures = {"presence": 0.9, "cllr": 0.4, "facts": 0.8, "action": 0.5, "active": 0.5}
    text = bridge_markdown(QUERIES, {one.label: [figures] * 3 for one in QUERIES.variants}, 300)
    assert QUERIES.paper in text
    assert all(one.label in text for one in QUERIES.variants)
    assert "0.900 ± 0.000" in text
    (tmp_path / "x.json").write_text(json.dumps(figures))

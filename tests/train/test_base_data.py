from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.contract.calibration import Calibration, SourceCalibration
from runtime.contract.pixels import PixelSpec
from train.augment.questions import Fact
from train.base.bridge_stage import BridgeStage, score_episodes
from train.base.calibrate import calibrate, evidence, fit_correlation, fit_source
from train.base.config import WorldConfig
from train.base.episodes import EpisodeMaker
from train.base.features import Features, cache_features, domain_statistics
from train.base.head_stage import equal_error, hidden_traits, visible_traits
from train.base.held_out import Look, Trial
from train.base.language_stage import LanguageStage, ask_all_kinds
from train.base.tokens import build_tokenizer
from train.base.world_data import WorldData, open_world, render_world, sample_people
from train.model.pvchat import ModelConfig, PVChat, build_model
from train.rates import cllr
from train.world.traits import HEAD_TRAITS, TRAITS, differing_traits, split_of

CONFIG = WorldConfig(seed=9, identities=10, clips_each=3, held_out=4, processes=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldData:
    folder = tmp_path_factory.mktemp("world")
    render_world(folder, CONFIG, lambda done, total: None)
    return open_world(folder)


@pytest.fixture(scope="module")
def model() -> PVChat:
    torch.manual_seed(0)
    return build_model(ModelConfig()).eval()


@pytest.fixture(scope="module")
def features(world: WorldData, model: PVChat, tmp_path_factory: pytest.TempPathFactory) -> Features:
    folder = tmp_path_factory.mktemp("features")
    return cache_features(
        folder, world, model.vision, model.head, model.body, lambda label, done, total: None
    )


def _maker(world: WorldData, features: Features, token_only: float) -> EpisodeMaker:
    return EpisodeMaker(world, features, first=0, last=6, clips_each=3, token_only=token_only)


def test_training_people_belong_to_the_training_split_and_come_in_look_alike_pairs() -> None:
    people = sample_people(CONFIG)
    assert {split_of(person) for person in people} == {"train"}
    differences = [len(differing_traits(people[i], people[i + 1])) for i in range(0, 10, 2)]
    assert all(1 <= count <= 5 for count in differences)


def test_rendering_again_gives_the_same_bytes_and_keeps_finished_chunks(
    world: WorldData, tmp_path: Path
) -> None:
    render_world(tmp_path, CONFIG, lambda done, total: None)
    again = open_world(tmp_path)
    assert np.array_equal(world.frames, again.frames)
    assert np.array_equal(world.crops, again.crops)
    assert np.array_equal(world.bodies, again.bodies)
    first = (tmp_path / "part-000000.npz").stat().st_mtime_ns
    render_world(tmp_path, CONFIG, lambda done, total: None)
    assert (tmp_path / "part-000000.npz").stat().st_mtime_ns == first


def test_reference_clips_show_their_person_alone(world: WorldData) -> None:
    who = world.truth["who"]
    for person in range(CONFIG.identities):
        assert who[person * 3].tolist() == [person, -1, -1]


def test_held_out_people_are_never_seen_beside_trained_ones(world: WorldData) -> None:
    for row in world.truth["who"]:
        people = {int(who) for who in row if who >= 0}
        assert people <= set(range(6)) or people <= {6, 7, 8, 9}


def test_traits_count_as_visible_only_as_the_world_says() -> None:
    yaw, size = np.array([0.0, 170.0, 0.0], np.float32), np.array([60.0, 60.0, 60.0], np.float32)
    column = {name: index for index, name in enumerate(HEAD_TRAITS)}
    hidden = np.zeros((3, 2, len(HEAD_TRAITS)), dtype=bool)
    shown = visible_traits(yaw, size, np.array([0.0, 0.0, 1.0], np.float32), hidden)
    assert shown[0].all()
    assert shown[1, column["glasses"]] == 0
    assert shown[2, column["skin_tone"]] == 0
    assert shown[2, column["glasses"]] == 1


def test_a_trait_that_other_traits_hide_is_not_visible() -> None:
    column = {name: index for index, name in enumerate(HEAD_TRAITS)}
    bald = np.zeros((1, len(HEAD_TRAITS)), dtype=np.float32)
    bald[0, column["hair_style"]] = TRAITS["hair_style"].values.index("bald")
    zero, near = np.zeros(1, dtype=np.float32), np.full(1, 60.0, dtype=np.float32)
    shown = visible_traits(zero, near, zero, hidden_traits(bald))
    assert shown[0, column["hair_colour"]] == 0
    assert shown[0, column["hair_style"]] == 1


def test_an_episode_says_present_exactly_for_those_in_the_clip(world: WorldData, features: Features) -> None:
    episode = _maker(world, features, 0.0).draw(np.random.default_rng(0), 40, 2)
    who = world.truth["who"]
    for row, clip in enumerate(episode.clips):
        for column in range(2):
            assert bool(episode.present[row, column]) == (episode.subjects[row, column] in who[clip])
    assert 0.3 < float(episode.present.mean()) < 0.7


def test_facts_are_told_only_of_people_who_are_there(world: WorldData, features: Features) -> None:
    episode = _maker(world, features, 0.0).draw(np.random.default_rng(1), 40, 2)
    absent = episode.present == 0
    assert bool((episode.facts[absent] == -1).all())
    assert bool((episode.facts[~absent][:, 1] >= 0).any())


def test_token_only_episodes_have_no_scene_and_no_facts(world: WorldData, features: Features) -> None:
    episode = _maker(world, features, 1.0).draw(np.random.default_rng(2), 16, 2)
    assert float(episode.scene.abs().max()) == 0.0
    assert bool((episode.facts == -1).all())
    norms = episode.embed.norm(dim=-1)[episode.valid > 0]
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-4)


def test_simulated_embeddings_keep_the_same_person_closer_than_others(
    world: WorldData, features: Features, model: PVChat
) -> None:
    maker = _maker(world, features, 1.0)
    same, other = [], []
    for seed in range(6):
        episode = maker.draw(np.random.default_rng(seed), 16, 2)
        cosine, _, _ = model.bridge.identity(episode.templates, episode.embed, episode.geom, episode.valid)
        best = (cosine - 9 * (1 - episode.valid[:, None])).amax(dim=-1)
        usable = (episode.told > 0) & (episode.ref_valid.sum(dim=-1) > 0)
        same += best[usable & (episode.present > 0)].tolist()
        other += best[usable & (episode.present == 0)].tolist()
    assert np.mean(same) > np.mean(other) + 0.2


def test_the_same_step_gives_the_same_loss(world: WorldData, features: Features, model: PVChat) -> None:
    stage = BridgeStage(model.bridge, model.enrol, _maker(world, features, 0.3), batch=4, subjects=2, seed=1)
    first, second = stage.loss(3), stage.loss(3)
    assert all(torch.equal(first[name], second[name]) for name in first)
    figures = score_episodes(stage, stage.maker, batches=1, seed=0)
    assert 0.0 <= figures["plain_cosine"] <= 1.0


def test_what_a_token_shows_is_what_is_true_of_its_owner(world: WorldData, features: Features) -> None:
    episode = _maker(world, features, 0.0).draw(np.random.default_rng(3), 40, 1)
    known = (episode.token_facts[..., 1] >= 0).numpy()
    assert known.any() and not known[episode.valid.numpy() == 0].any()
    for row, clip in enumerate(episode.clips):
        rooms = episode.token_facts[row, known[row], 1].tolist()
        assert set(rooms) <= {int(world.truth["room"][clip])}
        tops = {int(top) for top in episode.token_facts[row, :, 2] if top >= 0}
        assert tops <= {int(top) for top in world.truth["top"][clip]}


def test_the_language_loss_moves_what_speaks_and_leaves_what_decides(
    world: WorldData, features: Features, model: PVChat
) -> None:
    inner = BridgeStage(model.bridge, model.enrol, _maker(world, features, 0.0), batch=2, subjects=1, seed=1)
    stage = LanguageStage(inner, model.language, build_tokenizer(), batch=2, seed=1)
    stage.loss(0)["answer"].backward()  # type: ignore[no-untyped-call]
    assert model.bridge.project_up.weight.grad is not None
    assert model.enrol.soft_tokens.grad is not None
    assert float(model.bridge.project_up.weight.grad.abs().sum()) > 0
    assert model.bridge.presence_facts.weight.grad is None
    assert all(parameter.grad is None for parameter in model.bridge.layers.parameters())
    stage.zero_grad(set_to_none=True)


def test_every_window_is_asked_about_in_all_four_kinds() -> None:
    facts = [
        Fact(0, True, action="waving", room="kitchen", top_color="red", top_kind="shirt"),
        Fact(1, False),
    ]
    for seed in range(20):
        asked = ask_all_kinds(facts, np.random.default_rng(seed))
        assert [qa.kind for qa in asked] == ["existence", "action", "appearance", "location"]


def test_pooled_tokens_of_the_trained_world_are_about_one_away(features: Features, model: PVChat) -> None:
    mean, whiten = domain_statistics(features.tokens, np.arange(30))
    model.domain_mean.copy_(mean)
    model.domain_whiten.copy_(whiten)
    tokens = torch.from_numpy(features.tokens[:30].astype(np.float32))
    inside = model.domain_distance(tokens).mean()
    outside = model.domain_distance(tokens * 0 + 3).mean()
    assert float(inside) < 2.0 < float(outside)


def test_calibration_turns_separated_scores_into_confident_verdicts() -> None:
    rng = np.random.default_rng(0)
    trials = [
        Trial(who, case, True, (Look(float(rng.normal(mean, 1.0)), 0.6),), 0.0, 1.0)
        for who in range(200)
        for case, mean in (("present", 4.0), ("stranger", -4.0))
    ]
    calibration, figures = calibrate(trials)
    source = calibration.sources["bridge"]
    assert calibration.verdict(calibration.probability(source.llr(4.0, 0.6))) == "yes"
    assert calibration.verdict(calibration.probability(source.llr(-4.0, 0.6))) == "no"
    assert figures["cllr"] < 0.1
    assert figures["stranger_yes"] <= 0.02


def test_a_few_trials_about_somebody_else_do_not_blunt_all_others() -> None:
    rng = np.random.default_rng(3)
    trials = []
    for who in range(3000):
        case, mean = (("present", 1.0), ("stranger", -1.0))[who % 2]
        seen = 3 * rng.normal(-mean if rng.random() < 0.02 else mean, 1.0)
        trials.append(Trial(who, case, True, (Look(float(seen), 0.6),), 0.0, 1.0))
    source = fit_source(trials, "two normals, and two in a hundred drawn from the other one")
    assert source.scale == pytest.approx(2 / 3, abs=0.1)  # of two normals at +3 and -3 with deviation 3
    assert source.slip == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.9])
def test_calibration_finds_how_far_the_windows_of_a_clip_agree(correlation: float) -> None:
    rng = np.random.default_rng(5)
    trials = []
    for who in range(4000):
        case, mean = (("present", 1.0), ("stranger", -1.0))[who // 2 % 2]
        shared, own = rng.normal(0, correlation**0.5), rng.normal(0, (1 - correlation) ** 0.5, 4)
        trials.append(Trial(who, case, True, tuple(Look(mean + shared + one, 0.6) for one in own), 0.0, 1.0))
    exact = SourceCalibration(scale=2.0, bias=0.0)  # of two normals at +1 and -1 with variance 1
    assert fit_correlation(trials, exact) == pytest.approx(correlation, abs=0.12)


def test_finding_nobody_weighs_as_much_as_people_are_rarely_overlooked() -> None:
    rng = np.random.default_rng(0)

    def looks(mean: float) -> tuple[Look, ...]:
        overlooked = rng.random() < 0.1
        return () if overlooked else (Look(float(rng.normal(mean, 1.0)), 0.6),)

    trials = [
        Trial(who, case, True, looks(mean), 0.0, 1.0)
        for who in range(400)
        for case, mean in (("present", 4.0), ("stranger", -4.0))
    ]
    calibration, figures = calibrate(trials)
    assert calibration.sources["bridge"].nobody == pytest.approx(np.log(0.1), abs=0.5)
    assert figures["nobody_found"] > 0
    assert evidence([Trial(0, "present", True, (), 0.0, 1.0)], calibration) == pytest.approx(
        [calibration.sources["bridge"].nobody]
    )


def test_a_clip_is_calibrated_as_the_box_pools_it() -> None:
    rules = Calibration(sources={"bridge": SourceCalibration(1.0, 0.0)}, correlation=0.5)
    trial = Trial(0, "present", True, (Look(2.0, 0.5), Look(2.0, 0.5)), 0.0, 1.0)
    assert evidence([trial], rules) == pytest.approx([2.0 * 2 / 1.5])


def test_cllr_is_one_without_information_and_zero_with_all() -> None:
    nothing = np.zeros(50)
    assert cllr(nothing, nothing) == pytest.approx(1.0)
    assert cllr(np.full(50, 30.0), np.full(50, -30.0)) == pytest.approx(0.0, abs=1e-6)


def test_equal_error_of_separate_scores_is_zero_and_of_equal_ones_a_half() -> None:
    low, high = np.linspace(0, 1, 200, dtype=np.float32), np.linspace(2, 3, 200, dtype=np.float32)
    assert equal_error(high, low) == pytest.approx(0.0, abs=0.01)
    assert equal_error(low, low) == pytest.approx(0.5, abs=0.02)


def test_the_grid_of_the_renderer_is_the_grid_of_the_box(world: WorldData) -> None:
    spec = PixelSpec()
    assert world.frames.shape[1:] == (spec.window_frames, spec.height, spec.width, 3)

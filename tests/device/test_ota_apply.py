"""Updates as the box sees them: what is installed, what is refused, and the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.ota import commands
from device.ota.ledger import Ledger
from device.ota.policy import describe
from runtime.contract.errors import BusyError, UpdateError, UsageError
from tests.device.ota_world import GRANDMA, TOM, World, adapter, write_bundle


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_published_adapter_becomes_active_and_the_old_one_previous(world: World) -> None:
    world.publish(2)
    offered = {one["subject_id"]: one for one in world.check()["subjects"]}
    assert offered[GRANDMA]["state"] == "new"
    assert offered[TOM]["state"] == "nothing"
    assert world.active().release == 1, "a check installs nothing"
    assert world.apply()["applied"] == [{"subject_id": GRANDMA, "release": 2, "watched": False}]
    assert world.active().release == 2
    with world.store() as store:
        previous = store.person(GRANDMA).adapter("previous")
    assert previous is not None and previous.release == 1
    assert world.active(TOM).release == 1


def test_second_apply_changes_nothing(world: World) -> None:
    world.publish(2)
    world.apply()
    again = world.apply()
    assert again["applied"] == [] and again["refused"] == []
    assert set(again["unchanged"]) == {GRANDMA, TOM}


def test_one_subject_can_be_updated_by_name_alone(world: World) -> None:
    world.publish(2)
    world.publish(2, subject_id=TOM)
    assert world.apply("tom")["applied"] == [{"subject_id": TOM, "release": 2, "watched": False}]
    assert world.active().release == 1


def test_one_refused_subject_does_not_stop_another(world: World) -> None:
    world.publish(2, adapter(2, base="d" * 64))
    world.publish(2, subject_id=TOM)
    done = world.apply()
    assert done["applied"] == [{"subject_id": TOM, "release": 2, "watched": False}]
    assert [one["subject_id"] for one in done["refused"]] == [GRANDMA]
    assert "made for base dddddddddddd" in done["refused"][0]["reason"]
    assert world.active().release == 1


def test_adapter_for_another_base_is_refused(world: World) -> None:
    world.publish(2)
    write_bundle(world.home, base="e" * 64)
    with pytest.raises(UpdateError, match="made for base bbbbbbbbbbbb, installed is eeeeeeeeeeee"):
        world.apply()
    assert world.active().release == 1


def test_signed_base_that_the_file_contradicts_is_refused(world: World) -> None:
    release, _ = describe(_file(world, adapter(2)))
    world.publisher().add(world.household, adapter(2, base="d" * 64), release)
    with pytest.raises(UpdateError, match="was made for base dddddddddddd"):
        world.apply()
    assert world.active().release == 1


def test_signed_release_that_the_file_contradicts_is_refused(world: World) -> None:
    release, _ = describe(_file(world, adapter(3)))
    world.publisher().add(world.household, adapter(2), release)
    with pytest.raises(UpdateError, match="has release 2, signed is 3"):
        world.apply()


def test_adapter_of_one_person_under_the_name_of_another_is_refused(world: World) -> None:
    release, _ = describe(_file(world, adapter(2, TOM)))
    world.publisher().add(world.household, adapter(2, GRANDMA), release)
    with pytest.raises(UpdateError, match=f"has subject {GRANDMA}, signed is {TOM}"):
        world.apply("Tom")
    assert world.active(TOM).release == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x80\x04pickle", "header claims"),
        (adapter(2)[:-8], "damaged"),
        (adapter(2, token=np.full(5, np.nan, np.float32)), "not finite"),
        (adapter(2, token=np.zeros(6, np.float32)), r"token is float32 \(6,\)"),
        (adapter(2, extra=np.zeros(1, np.float32)), "unknown arrays: extra"),
    ],
    ids=["pickle", "cut", "nan", "shape", "unknown-array"],
)
def test_signed_but_unsound_file_is_refused(world: World, data: bytes, why: str) -> None:
    release, _ = describe(_file(world, adapter(2)))
    world.publisher().add(world.household, data, release)
    with pytest.raises(UpdateError, match=why):
        world.apply()
    assert world.active().release == 1
    assert not (world.home.ota / "staging").exists()


def test_adapter_of_somebody_unknown_is_never_installed(world: World) -> None:
    stranger = "s" + "9" * 32
    world.publish(1, adapter(1, stranger))
    assert world.check()["strangers"] == [stranger]
    assert world.apply()["applied"] == []
    with pytest.raises(UsageError, match="nobody here is called"):
        world.apply(stranger)
    with world.store() as store:
        assert [one.subject.subject_id for one in store.people()] == [GRANDMA, TOM]


def test_forgotten_person_is_not_brought_back_by_an_update(world: World) -> None:
    world.publish(2)
    world.check()
    with world.store() as store:
        store.forget(GRANDMA)
    assert world.apply()["applied"] == []
    assert world.check()["strangers"] == [GRANDMA]


def test_older_release_under_newer_metadata_is_refused(world: World) -> None:
    world.publish(3)
    world.apply()
    _republish_older(world, 2)
    with pytest.raises(UpdateError, match="release 2 is not newer than 3"):
        world.apply()
    assert world.active().release == 3


def test_failed_self_test_refuses_and_is_not_tried_again(world: World) -> None:
    world.publish(2)
    world.problem = "golden clip 3 differs"
    with pytest.raises(UpdateError, match="fails its self-test: golden clip 3 differs"):
        world.apply()
    assert world.active().release == 1
    world.problem = ""
    again = world.apply()
    assert again["applied"] == [] and again["refused"] == []
    with pytest.raises(UpdateError, match="failed here or was rolled back"):
        world.apply("Grandma")
    world.publish(3)
    assert world.apply()["applied"] == [{"subject_id": GRANDMA, "release": 3, "watched": False}]


def test_rollback_needs_no_repository_and_the_release_does_not_return(world: World) -> None:
    world.publish(2)
    world.apply()
    world.repo.rename(world.folder / "away")
    with world.store() as store:
        done = commands.rollback(world.home, store, "Grandma", world.seams())
    assert done["rolled_back"] == [{"subject_id": GRANDMA, "from": 2, "to": 1}]
    assert world.active().release == 1
    (world.folder / "away").rename(world.repo)
    assert world.apply()["applied"] == []
    assert world.active().release == 1


def test_rollback_of_all_takes_only_those_who_have_a_previous_one(world: World) -> None:
    world.publish(2)
    world.apply()
    with world.store() as store:
        done = commands.rollback(world.home, store, None, world.seams())
        assert [one["subject_id"] for one in done["rolled_back"]] == [GRANDMA]
        with pytest.raises(UpdateError, match="nobody has a previous adapter"):
            commands.rollback(world.home, store, None, world.seams())


def test_running_daemon_is_told_of_an_update_and_of_a_rollback(world: World) -> None:
    world.live.present = True
    world.publish(2)
    assert world.apply()["applied"][0]["watched"]
    assert world.live.reloads == [{GRANDMA: 2}]
    with world.store() as store:
        assert commands.rollback(world.home, store, None, world.seams())["daemon_reloaded"]
    assert world.live.reloads[1:] == [{GRANDMA: 1}]


def test_update_that_breaks_the_running_daemon_is_rolled_back_by_itself(world: World) -> None:
    world.live.present, world.live.bad_release = True, 2
    world.publish(2)
    with pytest.raises(UpdateError, match=r"went wrong in use .*; release 1 is active again"):
        world.apply()
    assert world.active().release == 1
    assert world.live.reloads == [{GRANDMA: 2}, {GRANDMA: 1}]
    assert world.apply()["applied"] == [], "what broke is not tried again"


def test_update_left_unwatched_by_a_crash_is_watched_at_the_next_apply(world: World) -> None:
    world.publish(2)
    world.apply()
    with Ledger(world.home.ota / "ledger.db") as ledger:
        ledger.set_note("pending", {"subject_id": GRANDMA, "release": 2})
    world.live.present, world.live.bad_release = True, 2
    with pytest.raises(UpdateError, match="release 1 is active again"):
        world.apply()
    assert world.active().release == 1


def test_daemon_with_a_broken_configuration_does_not_condemn_the_update(world: World) -> None:
    world.live.present, world.live.broken_config = True, True
    world.publish(2)
    assert world.apply()["applied"] == [{"subject_id": GRANDMA, "release": 2, "watched": False}]
    assert world.active().release == 2
    world.live.broken_config, world.live.bad_release = False, 2
    with pytest.raises(UpdateError, match="release 1 is active again"):
        world.apply()


def test_status_shows_versions_last_check_and_last_refusal(world: World) -> None:
    assert world.status()["fresh"] is None
    world.publish(2)
    world.problem = "canary moved"
    with pytest.raises(UpdateError):
        world.apply()
    now = world.status()
    assert now["repository"] == str(world.repo)
    assert now["fresh"] is True
    assert now["last_refusal"]["subject_id"] == GRANDMA
    assert now["last_refusal"]["release"] == 2
    assert "canary moved" in now["last_refusal"]["reason"]
    states = {one["release"]: one["state"] for one in now["subjects"][0]["adapters"]}
    assert states == {1: "active", 2: "bad"}
    stale = world.status(clock=lambda: now["last_check"]["at_s"] + 73 * 3600)
    assert stale["fresh"] is False


def test_two_updates_at_a_time_are_refused(world: World) -> None:
    world.publish(2)
    seen: list[str] = []

    def meanwhile(*_: Path) -> str:
        with pytest.raises(BusyError, match="another update is under way"):
            world.apply()
        seen.append("refused")
        return ""

    world.apply(self_test=meanwhile)
    assert seen == ["refused"]
    assert world.active().release == 2


def test_box_that_trusts_nothing_says_what_to_do(world: World) -> None:
    (world.home.ota / "ledger.db").unlink()
    with pytest.raises(UpdateError, match="Run `pvchat-edge ota trust"):
        world.check()
    assert world.status()["repository"] is None


def _file(world: World, data: bytes) -> Path:
    path = world.folder / "file.safetensors"
    path.write_bytes(data)
    return path


def _republish_older(world: World, release: int) -> None:
    """What somebody with the household's key could do: the publisher's own check is bypassed."""
    publisher = world.publisher()
    timestamp, snapshot = publisher._heads()
    targets = publisher._load(world.household, snapshot)
    targets.targets.clear()
    targets.version += 1
    publisher._write(targets, world.household, snapshot)
    publisher._release(snapshot, timestamp)
    world.publish(release)

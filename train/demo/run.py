"""The demo from beginning to end. Knows the order of things; each thing is done elsewhere."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.demo.asking import Asker
from train.demo.children import Children
from train.demo.console import Console
from train.demo.home import Cameras, daemon, settings, temporary_home, wait_until_live
from train.demo.page import PageData, Portrait, flatten, page
from train.demo.render import render_world, world_key
from train.demo.score import Asked, shortcomings, summarise
from train.demo.story import Scene, Story, build_story
from train.demo.table import closing, event_row, row, versions_table
from train.demo.updates import Channel, Event, flip_adapter, flip_signature
from train.demo.workshop import Enrolled, Made, base_checkpoint, enrol, make

CHAPTERS = 7
PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class Options:
    """What the demo is told.

    Attributes:
        out: folder of the page and of the rendered world.
        seed: of the household.
        train_seconds: for the adapter of the first member.
        keep: leave the temporary home for a look.
    """

    out: Path
    seed: int
    train_seconds: float
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The demo's last line, and why it failed (empty: it did not)."""

    summary: Mapping[str, Any]
    problems: Sequence[str]


def run(options: Options, console: Console) -> Outcome:
    """Everything.

    Raises:
        PvchatError: a step failed, with what it said last.
    """
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    (out / PAGE).unlink(missing_ok=True)
    console.chapter("A household is drawn: three members, a stranger, a look-alike, two cameras")
    story = build_story(options.seed)
    videos = render_world(story, out / "world", console.progress("render clips"))
    console.note(f"{len(videos)} clips in {out / 'world' / world_key(story)}")
    with temporary_home(options.keep) as home, Children(home) as children:
        if options.keep:
            console.note(f"the home stays in {home}")
        demo = _Demo(options, console, story, videos, home, children)
        demo.people_and_bundle()
        demo.watch()
    return demo.finish(out / PAGE)


class _Demo:
    """One run; its methods are the chapters, in order."""

    def __init__(
        self,
        options: Options,
        console: Console,
        story: Story,
        videos: Mapping[str, Path],
        home: Path,
        children: Children,
    ) -> None:
        self._options = options
        self._console = console
        self._story = story
        self._videos = videos
        self._home = home
        self._children = children
        self._cameras = Cameras(home / "cameras")
        self._people: list[Enrolled] = []
        self._made: Made | None = None
        self._asker = Asker(children, story, videos, {}, self._tell_answer)
        name = story.world.members[0].name
        self._channel = Channel(children, home / "updates", name, self._tell_event)

    def people_and_bundle(self) -> None:
        """Enrol everybody, train the first, merge, export, install."""
        console, children, story = self._console, self._children, self._story
        console.chapter("Each member is enrolled from one clip")
        children.cli("init")
        (self._home / "config" / "device.toml").write_text(settings(self._cameras.files), encoding="utf-8")
        checkpoint = base_checkpoint(children)
        for member in story.world.members:
            one = enrol(children, member, self._reference(member.person_id))
            self._people.append(one)
            self._asker.persons[one.subject_id] = member.person_id
            console.note(f"{member.name}: {'; '.join(_facts(one))}")
        first = self._people[0].member
        console.chapter(
            f"{first.name}'s adapter is trained; all are merged, exported and proven against torch"
        )
        clip = self._reference(first.person_id)
        folder, seconds = self._home / "workshop", self._options.train_seconds
        self._made = make(children, folder, checkpoint, self._people, clip, seconds)
        console.note(f"{first.name}'s training: {_in_words(self._made.training)}")
        console.note(f"engines against torch: {_in_words(self._made.export, 'max_abs', 'mb', 'seconds')}")
        installed = children.cli("bundle", "install", str(self._made.bundle)).data
        console.note(f"bundle {installed['bundle_id']} is verified, self-tested and in use")

    def watch(self) -> None:
        """Start the daemon, then play scene after scene, ask, and update."""
        console, scenes = self._console, self._story.scenes
        console.chapter("The runtime and the daemon start, with two cameras")
        self._cameras.show(self._films(scenes[0]))
        with daemon(self._home) as child:
            wait_until_live(self._children, child, self._home, len(self._people))
            self._cameras.started()
            self._scene(scenes[0])
            self._cameras.show(self._films(scenes[1]))
            self._scene(scenes[1], self._ask_about_clips)
            self._cameras.show(self._films(scenes[2]))
            self._scene(scenes[2], self._publish)
            self._update(scenes[2])

    def finish(self, path: Path) -> Outcome:
        """Write the page; the readable end."""
        asked, channel, made = self._asker.asked, self._channel, self._made
        summary = summarise(asked, channel.updates, self._console.seconds)
        problems = shortcomings(asked, channel.updates)
        data = PageData(
            summary=summary,
            problems=problems,
            portraits=[Portrait(one.member.name, _facts(one), one.sheet) for one in self._people],
            asked=asked,
            events=channel.events,
            stages=channel.stages,
            training=made.training if made else {},
            parity=made.export.get("parity", {}) if made else {},
            about=self._about(),
        )
        path.write_text(page(data), encoding="utf-8")
        self._console.result("\nReleases on the box:\n" + versions_table(channel.stages))
        self._console.result("\n" + closing(summary, problems, str(path)))
        return Outcome(summary, problems)

    def _scene(self, scene: Scene, meanwhile: Callable[[Scene], None] | None = None) -> None:
        """Wait until the cameras show it (doing something else first), then ask."""
        self._console.chapter(scene.name)
        if meanwhile is not None:
            meanwhile(scene)
        self._cameras.wait()
        for question in scene.questions:
            self._asker.ask(question, scene)

    def _ask_about_clips(self, scene: Scene) -> None:
        for question in self._story.clip_questions:
            self._asker.ask(question, scene, "Video files, while the cameras change")

    def _publish(self, scene: Scene) -> None:
        if self._made is not None:
            self._channel.publish(self._made.trained)

    def _update(self, scene: Scene) -> None:
        channel, chapter = self._channel, "A signed update"
        channel.refuse("tampered with: a byte of the adapter was changed", flip_adapter)
        channel.apply(self._asker, scene, chapter)
        channel.refuse("tampered with: a signature was changed", flip_signature)
        channel.rollback()
        self._asker.ask(self._story.update_question, scene, f"{chapter}, after going back")

    def _films(self, scene: Scene) -> dict[str, Path]:
        return {room: self._videos[script.clip_id] for room, script in scene.cameras.items()}

    def _reference(self, person_id: str) -> Path:
        return self._videos[self._story.references[person_id].clip_id]

    def _tell_answer(self, number: int, asked: Asked) -> None:
        self._console.result(row(number, asked))

    def _tell_event(self, event: Event) -> None:
        self._console.result(event_row(event.good, event.what, event.outcome))

    def _about(self) -> dict[str, Any]:
        export = {} if self._made is None else self._made.export
        return {
            "household": world_key(self._story),
            "bundle": export.get("bundle_id", "-"),
            "bundle MiB": export.get("mb", "-"),
            "base": export.get("base", "-"),
            "export took": f"{export.get('seconds', 0):.0f} s",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "python": sys.version.split()[0],
        }


def _in_words(said: Mapping[str, Any], *names: str) -> str:
    """A child's JSON line, or some fields of it."""
    wanted = {name: said[name] for name in names if name in said} if names else said
    shown = [(name, text) for name, text in flatten(wanted) if name != "subject"]
    return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in shown)


def _facts(one: Enrolled) -> tuple[str, ...]:
    """What enrolment found, in words."""
    report = one.report
    return (
        f"{report['heads_found'] or report['faces_found']} views in {report['frames_used']} frames, "
        f"{report['views']} kept, quality {report['quality']:.2f}",
        f"instant adapter, release {one.release}",
        *(str(hint) for hint in report["hints"]),
    )

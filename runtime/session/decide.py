"""The truth rules: evidence to verdicts, unknown people and doubts. Pure; knows no engines and no files.

Windows of one clip are looks at the same person under the same light: they count for little more than one.

A person in view is one subject, or somebody else: per person the subjects share the probability with
`somebody else`, so two subjects never both claim one person, and nobody is given the nearest name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runtime.contract.calibration import Calibration
from runtime.contract.dialogue import SubjectVerdict, Verdict
from runtime.people.views import PersonView, clearest_of
from runtime.session.judge import NOBODY, Claim

_CHANCE_SHARE = 0.25
"""Who is found in no more of the looks, or in one, and can never be told, may be a lamp (ADR 0053)."""
ON_SCREEN = "The face may be on a screen."


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in view.

    Attributes:
        number: as in the observation.
        subject_id: who it is, as far as that is accepted; None: unknown or not to be told.
        view: the view to show.
        quality: of the best view, 0..1.
        unknown: probability that it is nobody installed, 0..1.
        tellable: whether quality and views suffice, and the person was compared.
        pictured: whether this may be no more than a face on a screen.
    """

    number: int
    subject_id: str | None
    view: PersonView
    quality: float
    unknown: float
    tellable: bool
    pictured: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """One subject's verdict, the claim it rests on, and why it is not more certain."""

    said: SubjectVerdict
    claim: Claim | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known about a clip or window.

    Attributes:
        judgements: by subject id, for every installed subject.
        people: everybody in view, by number.
        unknown_people: how many are nobody installed or cannot be told.
        doubts: why `nobody else is there` cannot be said; empty: it can.
    """

    judgements: dict[str, Judgement]
    people: tuple[Person, ...]
    unknown_people: int
    doubts: tuple[str, ...]


def decide(
    views: Sequence[PersonView],
    claims: Sequence[Claim],
    *,
    able: Mapping[str, bool],
    compared: frozenset[int],
    calibration: Calibration,
    doubts: Sequence[str],
    min_views: int = 1,
    blind_below: float | None = None,
    pictured: frozenset[int] = frozenset(),
) -> Findings:
    """Verdicts for all installed subjects.

    Args:
        views: everybody seen; `track` is the person's number.
        claims: evidence; several per subject and person are pooled, clear views weighing more.
        able: every installed subject id, and whether its adapter has views of this source.
        compared: persons that were compared with the subjects at all.
        doubts: what is already known to hide people (a cut clip, no person detector); whole sentences.
        min_views: a person seen less often cannot be told apart.
        blind_below: a person whose best view is below this quality cannot be told from anybody; None:
            `min_quality`, below which nobody is recognised.
        pictured: persons who may only be on a screen: for that neither anybody of the home nor a stranger is
            there. Who is not on the screen can still be told.
    """
    best = _pooled(claims, calibration)
    shares = _shares(best, calibration)
    owners = _owners(views, shares, best, calibration, pictured)
    least = calibration.min_quality if blind_below is None else blind_below
    people = _people(views, best, shares, owners, compared, min_views, least, pictured)
    hidden = [person for person in people if not person.tellable and person.subject_id is None]
    doubts = list(doubts)
    if hidden:
        doubts.append("Somebody is there who cannot be told: too small, blurred or turned away.")
    judgements = {
        subject_id: _judge(subject_id, able[subject_id], best, shares, owners, calibration, doubts, pictured)
        for subject_id in able
    }
    unknown = _count_unknown(people, views, shares, calibration)
    return Findings(judgements, people, unknown, tuple(doubts))


def chance_finds(views: Sequence[PersonView], looks: int, blind_below: float | None) -> frozenset[int]:
    """Persons found in few of several looks, in views that tell nothing: a shadow more often than a head."""
    if blind_below is None or looks < 2:
        return frozenset()
    few = max(1.0, _CHANCE_SHARE * looks)
    seen: dict[int, list[float]] = {}
    for view in views:
        seen.setdefault(view.track, []).append(view.quality)
    return frozenset(number for number, mine in seen.items() if len(mine) <= few and max(mine) < blind_below)


def combine(judgements: Sequence[Judgement]) -> Verdict:
    """`are A and B here`: yes when all are, no when one is not, else unsure."""
    verdicts = [judgement.said.verdict for judgement in judgements]
    if "no" in verdicts:
        return "no"
    return "yes" if all(verdict == "yes" for verdict in verdicts) else "unsure"


def _pooled(claims: Sequence[Claim], calibration: Calibration) -> dict[tuple[str, int], Claim]:
    """One claim per subject and person: the evidence of all, the clearest one's view and window."""
    groups: dict[tuple[str, int], list[Claim]] = {}
    for claim in claims:
        groups.setdefault((claim.subject_id, claim.person), []).append(claim)
    pooled = {}
    for key, group in groups.items():
        qualities = [_clearness(claim) for claim in group]
        llr = calibration.pool([claim.llr for claim in group], qualities)
        pooled[key] = replace(max(group, key=_clearness), llr=llr)
    return pooled


def _clearness(claim: Claim) -> float:
    return claim.view.quality if claim.view else 0.0


def _shares(best: Mapping[tuple[str, int], Claim], calibration: Calibration) -> dict[tuple[str, int], float]:
    """Probability that a person is a subject; over all subjects and `somebody else` it sums to 1."""
    prior = math.log(calibration.prior / (1 - calibration.prior))
    odds = {key: math.exp(prior + claim.llr) for key, claim in best.items()}
    total: dict[int, float] = {}
    for (_, person), value in odds.items():
        total[person] = total.get(person, 1.0) + value
    return {key: value / (1 + value if key[1] == NOBODY else total[key[1]]) for key, value in odds.items()}


def _owners(
    views: Sequence[PersonView],
    shares: Mapping[tuple[str, int], float],
    best: Mapping[tuple[str, int], Claim],
    calibration: Calibration,
    pictured: frozenset[int],
) -> dict[int, str]:
    """Who each person is, where that is accepted on a view that can tell; nobody is twice in one frame."""
    frames: dict[int, set[int]] = {}
    for view in views:
        frames.setdefault(view.track, set()).add(view.frame)
    owners: dict[int, str] = {}
    for (subject_id, person), share in sorted(shares.items(), key=lambda item: -item[1]):
        shown = best[subject_id, person].view
        if person in pictured or shown is None or calibration.verdict(share) != "yes":
            continue
        if shown.quality < calibration.min_quality:
            continue
        twice = any(owner == subject_id and frames[other] & frames[person] for other, owner in owners.items())
        if not twice:
            owners.setdefault(person, subject_id)
    return owners


def _judge(
    subject_id: str,
    able: bool,
    best: Mapping[tuple[str, int], Claim],
    shares: Mapping[tuple[str, int], float],
    owners: Mapping[int, str],
    calibration: Calibration,
    doubts: Sequence[str],
    pictured: frozenset[int],
) -> Judgement:
    if not able:
        reason = "This person was enrolled from another kind of footage; enrol again with a clip from here."
        return Judgement(SubjectVerdict(subject_id, "unsure", None), None, reason)
    mine = [key for key in shares if key[0] == subject_id]
    if not mine:
        verdict: Verdict = "unsure" if doubts else "no"
        return Judgement(SubjectVerdict(subject_id, verdict, None), None, " ".join(doubts))
    key = max(mine, key=lambda item: (owners.get(item[1]) == subject_id, shares[item]))
    share, claim = shares[key], best[key]
    verdict = calibration.verdict(share)
    reason = ""
    if verdict == "yes" and owners.get(key[1]) != subject_id:
        verdict = "unsure"
        reason = ON_SCREEN if key[1] in pictured else "The view is too poor to tell who it is."
    elif verdict == "unsure":
        reason = "Somebody looks like this person, but not enough to say so."
    elif verdict == "no" and doubts:
        verdict, reason = "unsure", " ".join(doubts)
    return Judgement(SubjectVerdict(subject_id, verdict, share), claim, reason)


def _people(
    views: Sequence[PersonView],
    best: Mapping[tuple[str, int], Claim],
    shares: Mapping[tuple[str, int], float],
    owners: Mapping[int, str],
    compared: frozenset[int],
    min_views: int,
    least_quality: float,
    pictured: frozenset[int],
) -> tuple[Person, ...]:
    people = []
    for number in sorted({view.track for view in views}):
        mine = [view for view in views if view.track == number]
        clearest = clearest_of(mine, number)
        good = len(mine) >= min_views and clearest.quality >= least_quality
        owner = owners.get(number)
        claim = best.get((owner, number)) if owner is not None else None
        known = sum(share for (_, person), share in shares.items() if person == number)
        people.append(
            Person(
                number=number,
                subject_id=owner,
                view=claim.view if claim is not None and claim.view is not None else clearest,
                quality=clearest.quality,
                unknown=max(0.0, 1.0 - known),
                tellable=number in compared and good,
                pictured=number in pictured,
            )
        )
    return tuple(people)


def _count_unknown(
    people: Sequence[Person],
    views: Sequence[PersonView],
    shares: Mapping[tuple[str, int], float],
    calibration: Calibration,
) -> int:
    """Clear strangers one by one; of those who cannot be told, as many as are in view at once.

    A glimpse of somebody who may be a member, never beside that member, is taken for that member: a track
    that was lost and found again is not one person more.
    """
    frames: dict[int, set[int]] = {}
    for view in views:
        frames.setdefault(view.track, set()).add(view.frame)
    clear, hidden = 0, set[int]()
    for person in people:
        if person.pictured or person.subject_id is not None:
            continue
        if _may_be_known(person, people, frames, shares, calibration):
            continue
        if person.tellable:
            clear += 1
        else:
            hidden.add(person.number)
    together: dict[int, int] = {}
    for number in hidden:
        for frame in frames[number]:
            together[frame] = together.get(frame, 0) + 1
    return clear + max(together.values(), default=0)


def _may_be_known(
    person: Person,
    people: Sequence[Person],
    frames: Mapping[int, set[int]],
    shares: Mapping[tuple[str, int], float],
    calibration: Calibration,
) -> bool:
    """Whether this may be a second track of somebody who is known to be there."""
    for other in people:
        if other.subject_id is None or frames[other.number] & frames[person.number]:
            continue
        share = shares.get((other.subject_id, person.number))
        if not person.tellable or (share is not None and calibration.verdict(share) != "no"):
            return True
    return False

"""What is decoded, judged by numbers alone."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.media.levels import RATE_GROUPS, Level, Rate
from pipeline.media.scan import Gop, GopGate, ScanSettings, Verdict
from pipeline.records import Span

FRAMES = 25


def gop(
    number: int, busy: float = 1.0, *, seed: int = 0, last: int = FRAMES, **more: object
) -> Gop:
    """A second of pictures whose last `last` take `busy` times the bytes of a still one."""
    draw = np.random.default_rng((seed, number))
    sizes = 2000 * np.linspace(1.5, 1, FRAMES - 1) * draw.normal(1, 0.05, FRAMES - 1)
    sizes[FRAMES - 1 - min(last, FRAMES - 1) :] *= busy
    span = Span(Fraction(number), Fraction(number + 1))
    return Gop(span, FRAMES, 30_000, [int(size) for size in sizes], **more)  # type: ignore[arg-type]


def verdicts(
    gate: GopGate, gops: Iterable[Gop], moving: frozenset[int] = frozenset()
) -> list[Verdict]:
    """What the gate says of them; it sees at once what was decoded."""
    out: list[Verdict] = []

    def take(found: Iterable[Verdict]) -> None:
        for verdict in found:
            out.append(verdict)
            if verdict.fate == "all":
                gate.seen(verdict.number, verdict.number in moving)
                gate.moving(verdict.number in moving)
            else:
                gate.moving(False)

    for one in gops:
        take(gate.judge(one))
    take(gate.flush())
    return out


def film(count: int, active: Iterable[int], busy: float = 1.3) -> list[Gop]:
    chosen = set(active)
    return [gop(number, busy if number in chosen else 1.0) for number in range(count)]


def told(found: Iterable[Verdict], reason: str) -> list[int]:
    return [verdict.number for verdict in found if verdict.reason == reason]


def test_first_it_learns_then_it_decodes_what_is_active() -> None:
    active = frozenset({30, 31, 50})
    found = verdicts(GopGate(ScanSettings()), film(60, active), active)
    assert [verdict.number for verdict in found] == list(range(60))
    assert told(found, "calibrating") == list(range(4))
    assert set(told(found, "active")) == active
    assert {v.number for v in found if v.fate == "none"} >= set(range(10, 28)) - {29}
    assert found[32].fate == found[51].fate == "all"  # something moved at the end of the one before


def test_after_activity_the_lanes_see_that_it_is_over() -> None:
    found = verdicts(GopGate(ScanSettings(faint=9)), film(40, {30}))
    assert (found[31].fate, found[31].reason) == ("key", "after_active")
    assert found[32].fate == "none"


def test_the_group_before_an_active_one_is_decoded_in_doubt() -> None:
    gops = film(40, {30})
    gops[29] = gop(29, 1.3, last=3)
    score = next(v.score for v in verdicts(GopGate(ScanSettings()), gops) if v.number == 29)
    assert score is not None
    doubt = ScanSettings(active=score + 1, faint=score - 1)
    assert verdicts(GopGate(doubt), gops)[29].reason == "before_active"


def test_a_moment_of_motion_is_enough() -> None:
    gops = film(40, ())
    gops[25] = gop(25, 1.6, last=5)
    assert verdicts(GopGate(ScanSettings()), gops)[25].reason == "active"


def test_key_frames_that_differ_are_enough() -> None:
    gops = film(40, ())
    gops[25] = gop(25, changed=True)
    assert verdicts(GopGate(ScanSettings()), gops)[25].reason == "changed"


def test_activity_that_goes_on_never_becomes_the_measure() -> None:
    active = frozenset(range(30, 400))
    found = verdicts(GopGate(ScanSettings()), film(440, active), active)
    assert {verdict.fate for verdict in found[30:400]} == {"all"}
    assert found[410].fate == "none"


def test_more_noise_becomes_the_measure_and_less_at_once() -> None:
    def night(first: float, second: float) -> list[Verdict]:
        gops = [gop(n, first if n < 40 else second, last=FRAMES) for n in range(160)]
        return verdicts(GopGate(ScanSettings()), gops)

    louder, calmer = night(1.0, 1.5), night(1.5, 1.0)
    assert louder[41].reason == "active"
    assert {verdict.fate for verdict in louder[120:]} == {"none", "key"}
    assert {verdict.fate for verdict in calmer[90:]} == {"none", "key"}
    gops = [gop(n, 1.5 if n < 40 else 1.0) for n in range(60)] + [gop(60, 1.4)]
    assert verdicts(GopGate(ScanSettings()), gops)[60].reason == "active"


def test_heartbeats_come_in_time() -> None:
    found = verdicts(GopGate(ScanSettings(heartbeat_s=10)), film(100, ()))
    looked = [verdict.number for verdict in found if verdict.fate != "none"]
    assert max(b - a for a, b in pairwise(looked)) == 10
    assert {verdict.fate for verdict in found if verdict.reason == "heartbeat"} == {"key"}


def test_without_stillness_everything_is_decoded_and_that_is_told() -> None:
    found = verdicts(GopGate(ScanSettings()), film(60, range(60)), frozenset(range(60)))
    assert {verdict.fate for verdict in found} == {"all"}
    assert found[0].reason == "calibrating"
    assert found[-1].reason == "always_active"


def test_sizes_that_do_not_follow_content_are_not_trusted() -> None:
    moving = frozenset(range(20, 50))
    gate = GopGate(ScanSettings())
    # It walks on and on, and no size tells; a look at the end of each decoded group does.
    gops = [gop(n, 1.6 if n == 20 else 1.0) for n in range(60)]
    found = verdicts(gate, gops, moving)
    assert told(found, "unlike_content")[0] < 45
    assert found[-1].reason == "unlike_content"


@pytest.mark.parametrize("odd", ["constant_bit_rate", "too_long", "damaged"])
def test_odd_groups_are_decoded(odd: str) -> None:
    gops = film(40, ())
    gops[25] = gop(25, odd=odd)
    assert (lambda v: (v.fate, v.reason))(verdicts(GopGate(ScanSettings()), gops)[25]) == (
        "all",
        odd,
    )


def test_pictures_that_need_no_other_are_decoded() -> None:
    alone = [Gop(Span(Fraction(n), Fraction(n + 1)), 1, 9000) for n in range(9)]
    assert {v.reason for v in verdicts(GopGate(ScanSettings()), alone)} == {"intra_only"}


def test_groups_in_which_something_was_heard_are_decoded() -> None:
    long, short = Span(Fraction(20), Fraction(30)), Span(Fraction(21), Fraction(22))
    touching = Span(Fraction(35), Fraction(35))
    last = Span(Fraction(37), Fraction(77, 2))
    gate = GopGate(ScanSettings(wake=(long, short, touching, last)))
    assert told(verdicts(gate, film(40, ())), "sound_event") == [*range(20, 30), 37, 38]


def test_the_audit_is_a_share_and_the_same_each_time() -> None:
    gops = film(300, ())
    one, two, other = (
        told(verdicts(GopGate(ScanSettings(audit=0.1, seed=seed)), gops), "audit")
        for seed in (1, 1, 2)
    )
    assert one == two != other
    assert 15 < len(one) < 50


def test_key_frames_alone() -> None:
    found = verdicts(GopGate(ScanSettings(kind="keyframes")), film(9, {4}))
    assert {(verdict.fate, verdict.reason) for verdict in found} == {("key", "keyframes")}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([1.0, 1.0, 1.0, 1.4]), min_size=1, max_size=60), st.integers(0, 9))
def test_every_group_gets_one_verdict_in_order_and_soon(busy: list[float], seed: int) -> None:
    gate = GopGate(ScanSettings(audit=0.1))
    numbers: list[int] = []
    for number, one in enumerate(busy):
        numbers += [v.number for v in gate.judge(gop(number, one, seed=seed))]
        assert number - len(numbers) < 1
    numbers += [v.number for v in gate.flush()]
    assert numbers == list(range(len(busy)))


def test_a_level_knows_the_usual_course_of_a_group() -> None:
    level = Level(6)
    for number in range(20):
        level.learn(gop(number).ahead)
    still, busy = level.score(gop(50).ahead), level.score(gop(50, 1.2).ahead)
    assert still is not None
    assert busy is not None
    assert still < 4 < 8 < busy
    # Shorter and longer groups have scores, too.
    shorter, longer = gop(51).ahead[:9], [*gop(51).ahead, *gop(52).ahead]
    assert level.score(shorter) is not None
    assert level.score(longer) is not None
    assert level.score([]) is None


def test_a_rate_that_is_paid_back_is_constant() -> None:
    draw = np.random.default_rng(0)
    free, held, debt = Rate(), Rate(), 0.0
    for _ in range(RATE_GROUPS):
        assert not held.constant
        excess = draw.normal(0, 50)
        free.add(1000 + excess)
        held.add(1000 + excess - debt)
        debt = excess
    assert held.constant
    assert not free.constant

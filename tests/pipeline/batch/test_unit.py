from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch.inputs import Input
from pipeline.batch.unit import Outcome, Part, Unit, cut, key_of
from pipeline.records import Medium, Span

VIDEO = Input("yard__a.mp4", "/recordings/yard/a.mp4", "10-20", 10, "2026-11-22")
TIMES = st.fractions(min_value=0, max_value=10_000, max_denominator=1000)


@given(
    length=st.fractions(min_value=1, max_value=1000, max_denominator=90_000),
    each=st.fractions(min_value=Fraction(1, 2), max_value=400, max_denominator=1000),
    time=TIMES,
    media=st.sampled_from([{"video"}, {"video", "audio"}]),
)
def test_every_moment_of_a_medium_belongs_to_one_part(
    length: Fraction, each: Fraction, time: Fraction, media: set[Medium]
) -> None:
    parts = [unit.part for unit in cut(Unit(VIDEO), media, length, each)]
    assert [part.number for part in parts if part] == list(range(len(parts)))
    assert {part.of for part in parts if part} == {len(parts)}
    for medium in media:
        assert sum(part.holds(time) for part in parts if part and part.medium == medium) == 1


def test_a_short_video_is_one_stretch_and_sound_is_never_cut() -> None:
    units = cut(Unit(VIDEO), {"video", "audio"}, Fraction(5), Fraction(300))
    assert [unit.part for unit in units] == [
        Part(0, 2, "video", Fraction(0), None),
        Part(1, 2, "audio", Fraction(0), None),
    ]
    assert [unit.name for unit in units] == ["yard__a.mp4 [1/2]", "yard__a.mp4 [2/2]"]


def test_a_part_knows_its_span_when_it_has_an_end() -> None:
    assert Part(0, 2, "video", Fraction(0), Fraction(3)).span == Span(Fraction(0), Fraction(3))
    assert Part(1, 2, "video", Fraction(3), None).span is None


@given(
    part=st.none()
    | st.builds(
        Part,
        number=st.integers(0, 99),
        of=st.integers(1, 99),
        medium=st.sampled_from(["video", "audio"]),
        begin=TIMES,
        end=st.none() | TIMES,
    ),
    replaces=st.lists(st.text(min_size=1), max_size=3),
    source=st.text(min_size=1),
)
def test_a_unit_comes_back_from_text(part: Part | None, replaces: list[str], source: str) -> None:
    unit = Unit(Input(source, "s3://b/x", "v", 1, "unknown", "why"), part, tuple(replaces))
    assert Unit.from_json(unit.to_json()) == unit


def test_an_outcome_comes_back_from_text() -> None:
    outcome = Outcome("k", "a", "a [1/2]", None, 1.5, 10, 3, 0.25, "no")
    assert Outcome.from_json(outcome.to_json()) == outcome


def test_a_key_names_source_version_and_config_and_not_where_it_lies() -> None:
    key = key_of(VIDEO, "0123456789ab")
    moved = Input(VIDEO.source, "/elsewhere/a.mp4", VIDEO.version, 11, "unknown")
    assert len(key) == 32
    assert key_of(moved, "0123456789ab") == key
    changed = Input(VIDEO.source, VIDEO.address, "10-21", 10, VIDEO.day)
    other = Input("yard__b.mp4", VIDEO.address, VIDEO.version, 10, VIDEO.day)
    keys = {key, key_of(changed, "0123456789ab"), key_of(other, "0123456789ab")}
    assert len(keys | {key_of(VIDEO, "123456789abc")}) == 4
    assert key_of(changed, "0123456789ab")[:20] == key[:20]

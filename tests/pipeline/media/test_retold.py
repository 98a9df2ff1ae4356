"""Key frames by which a connection is recognised as going on."""

from __future__ import annotations

from fractions import Fraction

from pipeline.media.retold import MOST, Retold, content_of


def picture(number: int) -> bytes:
    return number.to_bytes(4, "big") * 50


def test_content_that_came_before_tells_its_time() -> None:
    retold = Retold(15)
    content = content_of(picture(1))
    assert content is not None
    retold.note(content, Fraction(7))
    assert Retold(15, retold.known).time_of(content, Fraction(20)) == 7
    assert retold.time_of(content, Fraction(23)) is None


def test_content_that_came_twice_tells_nothing() -> None:
    retold, content = Retold(15), content_of(picture(1))
    assert content is not None
    for media in (1, 2, 3):
        retold.note(content, Fraction(media))
    assert retold.time_of(content, Fraction(3)) is None


def test_unknown_and_tiny_content_tells_nothing() -> None:
    content = content_of(picture(2))
    assert content is not None
    assert Retold(15).time_of(content, Fraction(0)) is None
    assert content_of(b"black") is None


def test_only_so_much_is_remembered() -> None:
    retold = Retold(15)
    contents = [content_of(picture(number)) for number in range(MOST + 10)]
    for number, content in enumerate(contents):
        assert content is not None
        retold.note(content, Fraction(number, 100))
    assert len(retold.known) == MOST
    assert contents[0] not in retold.known
    assert contents[-1] in retold.known

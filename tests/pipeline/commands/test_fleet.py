"""Following the file of streams: aside, and for as long as the streams run."""

from __future__ import annotations

from threading import Event

from pipeline.commands.fleet import looking

WITHIN_S = 20.0


def test_it_is_looked_again_whatever_came_of_the_look_before() -> None:
    told, looks, third = list[str](), list[int](), Event()

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise OSError("stale file handle")
        if len(looks) == 3:
            third.set()

    with looking(look, 0.01, told.append):
        assert third.wait(WITHIN_S)
    assert told == ["the file of streams cannot be followed: OSError('stale file handle')"]


def test_a_look_that_hangs_holds_nobody_up() -> None:
    begun, ends = Event(), Event()

    def look() -> None:
        begun.set()
        ends.wait(WITHIN_S)

    with looking(look, 0.0, lambda _: None):
        assert begun.wait(WITHIN_S)
    assert not ends.is_set()
    ends.set()

"""A medium that falls silent is found, once it had something to say."""

from __future__ import annotations

from pipeline.media.silence import Silence


def test_a_medium_that_stops_is_found_after_a_while() -> None:
    silence = Silence(patience_s=4.0)
    told = [
        silence.fallen({"video": 10 * second, "audio": min(300, 100 * second)}, second)
        for second in range(1, 10)
    ]
    assert told == [None] * 7 + ["audio", None]


def test_one_that_never_said_anything_is_waited_for() -> None:
    silence = Silence(patience_s=4.0)
    assert not any(silence.fallen({"video": s, "audio": 0}, s) for s in range(1, 60))


def test_patience_doubles_for_what_is_often_silent() -> None:
    silence = Silence(patience_s=4.0)
    silence.fallen({"audio": 1}, 0.0)
    assert silence.fallen({"audio": 1}, 5.0) == "audio"
    silence.begin()
    silence.fallen({"audio": 1}, 10.0)
    assert silence.fallen({"audio": 1}, 15.0) is None
    assert silence.fallen({"audio": 1}, 18.5) == "audio"


def test_what_is_left_out_on_purpose_is_not_silent() -> None:
    silence = Silence(patience_s=4.0)
    silence.fallen({"video": 1}, 0.0)
    silence.begin()
    assert silence.fallen({"video": 1}, 5.0) is None

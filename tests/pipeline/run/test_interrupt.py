"""One Ctrl-C is one, however often it arrives at once."""

from __future__ import annotations

import signal

import pytest

from pipeline.run import interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_comes_twice_at_once_is_one(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interrupt.ctrl_c_noted() as noted:
        assert not noted.is_set()
        for _ in range(3):
            signal.raise_signal(number)
        assert noted.is_set()
    assert signal.getsignal(number) is before


def test_a_later_one_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "SAME_S", 0.0)
    with interrupt.ctrl_c_noted() as noted:
        signal.raise_signal(signal.SIGTERM)
        assert noted.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

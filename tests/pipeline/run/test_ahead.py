import threading
from collections.abc import Iterator

import pytest

from pipeline.run.ahead import Ahead


class Counting:
    """Gives 0, 1, 2, ... for ever, or up to an error; says what it has given and from where."""

    def __init__(self, until: int | None = None, error: Exception | None = None) -> None:
        self.given = 0
        self.threads: set[int] = set()
        self._until = until
        self._error = error

    def __iter__(self) -> Iterator[int]:
        while self._until is None or self.given < self._until:
            self.threads.add(threading.get_ident())
            self.given += 1
            yield self.given - 1
        if self._error is not None:
            raise self._error


def test_everything_comes_once_in_order_from_another_thread() -> None:
    source = Counting(until=1000)
    with Ahead(iter(source), 3) as ahead:
        assert list(ahead) == list(range(1000))
    assert source.threads.isdisjoint({threading.get_ident()})


@pytest.mark.parametrize("most", [1, 4])
def test_no_more_is_made_in_advance_than_was_allowed(most: int) -> None:
    source = Counting()
    with Ahead(iter(source), most) as ahead:
        for taken in ahead:
            assert source.given <= taken + 1 + most + 1  # those that wait, and one at the door
            if taken == 100:
                break
    assert not any(thread.name == "ahead" for thread in threading.enumerate())
    given = source.given
    assert next(iter(source)) == given


def test_an_error_comes_after_what_was_given_before_it() -> None:
    taken = []
    with (
        Ahead(iter(Counting(5, ValueError("broke off"))), 2) as ahead,
        pytest.raises(ValueError, match="broke off"),
    ):
        for item in ahead:
            taken.append(item)
    assert taken == [0, 1, 2, 3, 4]


def test_a_block_that_raises_ends_the_thread() -> None:
    source = Counting()
    with pytest.raises(KeyboardInterrupt), Ahead(iter(source), 2):
        raise KeyboardInterrupt
    assert not any(thread.name == "ahead" for thread in threading.enumerate())
    assert source.given <= 3

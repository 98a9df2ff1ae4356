import subprocess
import sys

from pipeline.batch.watchdog import GIVEN_UP, Watchdog
from tests.programs import ROOT, environment

STUCK = """
from threading import Event
from pipeline.batch.watchdog import Watchdog
with Watchdog(0.2).over(lambda: {hung}{moved}):
    {body}
print("went on")
"""


TELLS = 'print("hung", flush=True)'


def stuck(body: str, moved: str = "", hung: str = TELLS, program: str = STUCK) -> tuple[int, str]:
    """Exit code, and what was said."""
    words = [sys.executable, "-c", program.format(body=body, moved=moved, hung=hung)]
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment(), cwd=ROOT, timeout=60, check=False
    )
    return done.returncode, done.stdout.strip()


def test_a_block_that_hangs_ends_the_process_and_tells_first() -> None:
    assert stuck("Event().wait()") == (GIVEN_UP, "hung")


def test_the_process_ends_even_when_telling_fails() -> None:
    assert stuck("Event().wait()", hung="1 / 0") == (GIVEN_UP, "")


def test_a_block_that_moves_goes_on() -> None:
    moved = ", moved=iter(range(10**9)).__next__"
    assert stuck("Event().wait(0.6)", moved) == (0, "went on")


def test_what_is_done_with_an_item_is_no_waiting() -> None:
    body = "[Event().wait(0.5) for _ in dog.waited_for(iter([1, 2]))]"
    program = STUCK.replace("with Watchdog(0.2).over", "dog = Watchdog(0.2)\nwith dog.over")
    assert stuck(body, program=program) == (0, "went on")


def test_all_items_come_through() -> None:
    dog = Watchdog(60.0)
    with dog.over(lambda: None):
        assert list(dog.waited_for(iter("abc"))) == ["a", "b", "c"]

"""What runs the tutorials does what the marks say, and fails when a page does not hold."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.docs.tutorial import run, steps

PAGE = """
# A page

<!-- file: notes/a.txt -->

```text
one
```

```sh
exit 1   # not marked
```

<!-- change: notes/a.txt -->

```diff
--- a/notes/a.txt
+++ b/notes/a.txt
@@ -1 +1,2 @@
 one
+two
```

<!-- run -->

```sh
cat notes/a.txt
name=three; echo "$name, 3.2 s"
```

<!-- prints -->

```text
two
three, ... s
```

<!-- run -->

```sh
echo "still $name"
```
"""


def test_marked_blocks_are_run_in_order_in_one_shell(tmp_path: Path) -> None:
    said = run(PAGE, tmp_path, os.environ)
    assert said[-1] == "still three\n"
    assert (tmp_path / "notes" / "a.txt").read_text() == "one\ntwo\n"
    assert [step.mark for step in steps(PAGE)] == ["file", "change", "run", "prints", "run"]


@pytest.mark.parametrize(("right", "wrong"), [("\ntwo\n", "\ntow\n"), ("cat notes", "cat not")])
def test_a_page_that_does_not_hold_fails(tmp_path: Path, right: str, wrong: str) -> None:
    before, after = PAGE.rsplit(right, 1)
    with pytest.raises(AssertionError):
        run(before + wrong + after, tmp_path, os.environ)


def test_what_a_failed_page_left_in_the_background_ends(tmp_path: Path) -> None:
    page = "<!-- run -->\n\n```sh\n(sleep 600; touch late) > log 2>&1 & echo $! > pid\nfalse\n```\n"
    with pytest.raises(AssertionError):
        run(page, tmp_path, os.environ)
    left = int((tmp_path / "pid").read_text())
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(left)
        assert process.status() == psutil.STATUS_ZOMBIE or process.wait(5) is None

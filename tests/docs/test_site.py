"""The documents as a site: built without a warning, readable without a network, all of it there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(https?:)?//", re.IGNORECASE)
# What Markdown leaves as it stands when a page is not written as the site wants it.
LEFT_OVER = re.compile(r"^(?:<p>)?(?:- |\d+\. |\||```).*$", re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew; every warning is an error."""
    out = tmp_path_factory.mktemp("site")
    # With --quiet, --strict would not see the warnings either.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return out


def test_every_page_of_docs_is_there_and_in_the_navigation(site: Path) -> None:
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    home = (site / "index.html").read_text(encoding="utf-8")
    navigation = "".join(re.findall(r"<nav.*?</nav>", home, re.DOTALL))
    for page in pages:
        name = page.with_suffix("").as_posix()
        folder = re.sub(r"(^|/)(README|index)$", r"\1", name)
        assert (site / folder / "index.html").exists(), page
        assert f'href="{folder.rstrip("/") or "."}' in navigation, page
    assert not list(site.rglob("generate*.py"))


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not FETCHED.search(page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?https?:", sheet.read_text("utf-8")), sheet


def test_no_page_shows_raw_markdown(site: Path) -> None:
    for page in site.rglob("index.html"):
        article = re.search(r"<article.*?</article>", page.read_text("utf-8"), re.DOTALL)
        assert article is not None, page
        text = re.sub(r"<(pre|table)\b.*?</\1>", "", article[0], flags=re.DOTALL)
        assert LEFT_OVER.findall(unescape(text)) == [], page


def test_what_lies_outside_docs_is_shown_too(site: Path) -> None:
    page = (site / "config" / "index.html").read_text(encoding="utf-8")
    assert 'href="../source/examples/streams.yaml/"' in page
    shown = (site / "source" / "examples" / "streams.yaml" / "index.html").read_text("utf-8")
    assert "Streams that witness watches until it is told to stop" in shown
    contributing = (site / "source" / "CONTRIBUTING" / "index.html").read_text(encoding="utf-8")
    assert 'href="../../glossary/"' in contributing


def test_search_knows_the_pages_but_not_the_sources(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    assert '"location":"explain/books/"' in index
    assert "source/examples/streams.yaml" not in index

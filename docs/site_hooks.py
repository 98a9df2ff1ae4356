"""What the site does besides Markdown: it brings along what pages point to outside docs/.

Where the repository is shown, a page may link to `../examples/streams.yaml`. The site has that file
too, below `source/`, shown as a page: so no link needs to know where the repository lies, and what
is shown is what the site was built from. MkDocs calls these functions by their names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SOURCE, DOCS = "source", "docs"
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
FENCED = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)
LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".py": "python", ".json": "json", ".service": "ini"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills in what the navigation leaves open: `folder/*`, and `*` for what is named nowhere."""
    named = set(re.findall(r"[\w/.-]+\.md", str(config.nav)))
    folders = [entry.removesuffix("/*") for entry in re.findall(r"[\w/-]+/\*", str(config.nav))]
    pages = {page.relative_to(ROOT / DOCS).as_posix() for page in (ROOT / DOCS).rglob("*.md")}
    left = {page for page in pages - named if not page.startswith(tuple(f"{f}/" for f in folders))}
    config.nav = _filled(config.nav, sorted(pages), sorted(left))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what pages point to outside docs/, and what that points to."""
    named = re.findall(rf"{SOURCE}/([\w.-]+)", str(config.nav))
    waiting = list(named)
    for file in files.documentation_pages():
        waiting += _brought(file.content_string, f"{DOCS}/{file.src_uri}")
    known: set[str] = set()
    while waiting:
        place = waiting.pop()
        if place in known:
            continue
        known.add(place)
        text = _as_page(place)
        given = {"abs_src_path": str(ROOT / place)} if text is None else {"content": text}
        level = InclusionLevel.INCLUDED if place in named else InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, _site_uri(place), inclusion=level, **given))
        if text is not None:
            waiting += _brought(text, f"{place}/index.md" if (ROOT / place).is_dir() else place)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with its links as the site has them."""
    here = _repository_path(page.file.src_uri)
    start = PurePosixPath(page.file.src_uri).parent

    def led(match: re.Match[str]) -> str:
        place = _resolved(match[2], here)
        if place is None:
            return match[0]
        return f"{match[1]}{os.path.relpath(_site_uri(place), start)}{match[3]}"

    parts = FENCED.split(markdown)
    return "".join(part if FENCED.match(part) else LINK.sub(led, part) for part in parts)


def _filled(nav: list[Any], pages: list[str], left: list[str]) -> list[Any]:
    out: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, inner),) = entry.items()
            listed = [inner] if isinstance(inner, str) and inner.endswith("*") else inner
            out.append({title: listed if isinstance(listed, str) else _filled(listed, pages, left)})
        elif entry == "*":
            out += left
        elif entry.endswith("/*"):
            inside = [page for page in pages if page.startswith(entry[:-1])]
            out += sorted(inside, key=lambda page: (not page.endswith("README.md"), page))
        else:
            out.append(entry)
    return out


def _brought(markdown: str, here: str) -> list[str]:
    """The places that a page points to and that the site would not have by itself."""
    text = "".join(FENCED.split(markdown)[::2])
    places = [_resolved(link, here) for _, link, _ in LINK.findall(text)]
    return [place for place in places if place and not _has(place)]


def _has(place: str) -> bool:
    """True for what lies in docs/; a folder there needs a page of its own."""
    folder = (ROOT / place).is_dir()
    within = PurePosixPath(place).parts[0] == DOCS
    return within and (not folder or (ROOT / place / "README.md").exists())


def _resolved(link: str, here: str) -> str | None:
    """Where a relative link leads, from the root of the repository; None if to no file there."""
    if "://" in link:
        return None
    place = os.path.normpath(PurePosixPath(here).parent / link)
    return place if (ROOT / place).exists() and not place.startswith("..") else None


def _as_page(place: str) -> str | None:
    """What stands in a file or folder, as Markdown; None for pictures and films."""
    path = ROOT / place
    unsought = "---\nsearch: {exclude: true}\n---\n\n"
    if path.is_dir():
        inside = sorted(one for one in path.iterdir() if not one.name.startswith(("_", ".")))
        listed = [f"- [{_title(one)}]({one.name})" for one in inside]
        return f"{unsought}# {path.name}\n\n" + "\n".join(listed) + "\n"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    if path.suffix == ".md":
        return text
    language = LANGUAGES.get(path.suffix, "text")
    return f"{unsought}# {place}\n\n````{language}\n{text}\n````\n"


def _title(path: Path) -> str:
    """The heading of a page; of anything else its name."""
    if path.suffix != ".md":
        return path.name
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _site_uri(place: str) -> str:
    """The page or file of the site that shows this place of the repository."""
    path = PurePosixPath(place)
    if path.parts[0] == DOCS:
        inside = path.relative_to(DOCS)
        if not (ROOT / place).is_dir():
            return inside.as_posix()
        readme = inside / "README.md"
        return (readme if (ROOT / DOCS / readme).exists() else inside / "index.md").as_posix()
    if (ROOT / place).is_dir():
        return f"{SOURCE}/{place}/index.md"
    if path.suffix == ".md" or _as_page(place) is None:
        return f"{SOURCE}/{place}"
    return f"{SOURCE}/{place}.md"


def _repository_path(uri: str) -> str:
    """Which file of the repository a page of the site shows."""
    if not uri.startswith(f"{SOURCE}/"):
        return f"{DOCS}/{uri}"
    place = uri.removeprefix(f"{SOURCE}/")
    return place if (ROOT / place).exists() else place.removesuffix(".md")

import json
import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import OutputError
from pipeline.media.probe import probe
from pipeline.sinks.report import embedded, page_of, render_report
from tests.pipeline.sinks.scenes import labelled, seen, street

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>&\u2028$"


class Links(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.addresses: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.scripts += tag == "script"
        self.addresses += [str(given[name]) for name in ("src", "href") if name in given]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(given["content"])


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())
    assert found is not None
    return dict(json.loads(found[1]))


def rendered(source: Path, tmp_path: Path, **given: Any) -> dict[str, Any]:
    out = tmp_path / "report.html"
    arguments = {"events": street(), "summary": {}, **given}
    render_report(str(source), probe(str(source)), out=out, **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    return data_of(out)


def test_the_page_holds_every_event_with_its_evidence(film: Path, tmp_path: Path) -> None:
    told: list[Fraction] = []
    truth = {"sounds": [{"start_s": 0.5, "end_s": 1.2, "label": "alarm", "source": "x"}]}
    data = rendered(film, tmp_path, truth=truth, on_progress=told.append)
    assert [(row["label"], row["start"], row["end"]) for row in data["spans"]] == [
        ("standing", "0", "1"),
        ("alarm", "1/2", "6/5"),
        ("walking", "1", "2"),
    ]
    assert [(row["label"], row["id"], row["seen"]) for row in data["tracks"]] == [
        ("person", 0, 25),
        ("person", 1, 15),
    ]
    masks = {
        (p["time"], data["tracks"][m["track"]]["id"]) for p in data["pictures"] for m in p["masks"]
    }
    assert {(str(Fraction(n, 25)), 0) for n in range(0, 50, 2)} <= masks
    assert max(data["counts"]["person"]) == 2
    assert data["truth"] == [{"a": 0.5, "b": 1.2, "label": "alarm"}]
    assert data["sound"]["src"].startswith("data:image/jpeg;base64,")
    assert told and data["notes"] == []


def test_a_mask_between_analysed_frames_is_held(film: Path, tmp_path: Path) -> None:
    data = rendered(film, tmp_path, events=[seen(Fraction(0)), seen(Fraction(2, 5))])
    held = [p["t"] for p in data["pictures"] if p["masks"]]
    assert min(held) == 0 and max(held) <= 0.8


def test_sound_only(recording: Path, tmp_path: Path) -> None:
    data = rendered(recording, tmp_path, events=[labelled("sound", 0, 1, "alarm")])
    assert data["pictures"] == [] and data["video"] is None and data["sound"]


def test_pictures_only(silent_film: Path, tmp_path: Path) -> None:
    data = rendered(silent_film, tmp_path, events=[])
    assert data["pictures"] and data["sound"] is None


def test_pictures_that_cannot_be_decoded_become_a_note(
    film: Path, recording: Path, tmp_path: Path
) -> None:
    claims = replace(probe(str(recording)), video=probe(str(film)).video)
    render_report(str(recording), claims, [], {}, tmp_path / "report.html")
    data = data_of(tmp_path / "report.html")
    assert data["pictures"] == [] and data["sound"]
    assert any("No picture could be decoded" in note for note in data["notes"])


def test_the_page_may_load_nothing_and_run_only_itself() -> None:
    links = Links()
    links.feed(page_of({"name": HOSTILE}, title=HOSTILE))
    assert links.scripts == 2 and links.addresses == []
    assert links.policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in links.policy and "http" not in links.policy


def test_hostile_words_stay_words() -> None:
    text = embedded({"label": HOSTILE})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"label": HOSTILE}


@pytest.mark.parametrize(
    ("count", "per_frame"), [(200, 6), (4000, 40)], ids=["many tracks", "very many tracks"]
)
def test_the_page_stays_bounded_and_says_what_it_left_out(
    film: Path, tmp_path: Path, count: int, per_frame: int
) -> None:
    events = [
        seen(Fraction(n // per_frame * 10, 25), track_id=n // 2, at=(n % 90, n % 60))
        for n in range(2 * count)
    ]
    sounds = [labelled("sound", n, n + 1, "alarm", 0.5 + n / 9999) for n in range(2500)]
    data = rendered(film, tmp_path, events=[*events, *sounds])
    assert (tmp_path / "report.html").stat().st_size < 6_000_000
    assert len(data["pictures"]) <= 120 and len(data["spans"]) == 2000
    assert len(data["tracks"]) == min(count, 400)
    said = " ".join(data["notes"])
    assert "2500 labelled spans were found; the 2000" in said
    assert (f"{count} tracks were followed" in said) == (count > 400)


def test_a_report_that_cannot_be_written_is_told(film: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        render_report(str(film), probe(str(film)), [], {}, tmp_path / "out" / "report.html")


def test_untracked_things_share_a_row(film: Path, tmp_path: Path) -> None:
    event = seen(Fraction(0), track_id=None)
    assert event.instance is not None
    other = replace(event, instance=replace(event.instance, score=0.4))
    data = rendered(film, tmp_path, events=[event, other])
    assert [(row["id"], row["fill"]) for row in data["tracks"]] == [(None, None)]
    assert len(data["pictures"][0]["masks"]) == 2

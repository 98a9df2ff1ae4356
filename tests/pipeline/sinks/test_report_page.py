"""The report in a real browser: what a click shows, and that nothing leaves the page."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipeline import masks
from pipeline.media.probe import probe
from pipeline.records import Event
from pipeline.sinks.palette import rgb, track_colour
from pipeline.sinks.report import render_report
from tests.browser import Page, browser
from tests.pipeline.sinks.scenes import labelled, seen, street
from tests.pipeline.sinks.test_report import HOSTILE

pytestmark = pytest.mark.slow

LEDGER = {
    "closed": False,
    "decoded": {"video": 50},
    "gaps": [{"medium": "audio", "start_s": 0.1, "end_s": 0.2, "reason": "outage"}],
    "lanes": {
        "instances": {"medium": "video", "offered": 50, "analysed": 25, "not_sampled": 20},
        "sound": {"medium": "audio", "offered": 9, "analysed": 7, "dropped": {"full": 2}},
    },
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def show(page: Page, source: Path, out: Path, events: list[Event], **given: Any) -> None:
    arguments = {"summary": {"ledger": LEDGER}, **given}
    render_report(str(source), probe(str(source)), events, out=out / "report.html", **arguments)
    page.complaints.clear()
    page.open(out / "report.html")
    page.wait_for("document.querySelector('#events tbody')")


def text(page: Page, selector: str) -> str:
    return str(page.evaluate(f"document.querySelector({selector!r}).textContent"))


def chosen_picture(page: Page, time: str, track: str) -> None:
    shown = "document.querySelector('#picture').dataset"
    page.wait_for(f"{shown}.time === '{time}' && {shown}.chosen === '{track}'")


def test_a_click_on_a_track_shows_its_frame_with_the_mask_drawn(
    page: Page, film: Path, tmp_path: Path
) -> None:
    events = street()
    show(page, film, tmp_path, events)
    page.click('.ev[data-kind="track"][data-number="1"]', across=0.01)
    chosen_picture(page, "4/5", "1")
    here = next(
        event.instance
        for event in events
        if event.instance and event.instance.track_id == 1 and event.span.start == Fraction(4, 5)
    )
    told = text(page, "#facts")
    assert "person 1" in told and "4/5 s" in told and "0.9000" in told and "disc_finder" in told
    assert f"{masks.area(here.rle)} px" in told
    x, y = int(here.box[0] + here.box[2]) // 2, int(here.box[1])
    canvas = "document.querySelector('#picture').getContext('2d')"
    pixel = f"[...{canvas}.getImageData({x}, {y + 1}, 1, 1).data]"
    assert page.evaluate(pixel)[:3] == list(rgb(track_colour(1)))
    assert page.complaints == []


def test_a_click_on_a_sound_shows_its_moment_and_numbers(
    page: Page, film: Path, tmp_path: Path
) -> None:
    truth = [{"start_s": 0.5, "end_s": 1.1, "label": "alarm"}]
    show(page, film, tmp_path, street(), truth=truth)
    page.click('.ev[title^="alarm"]')
    page.wait_for("document.querySelector('#facts .title').textContent === 'alarm'")
    told = text(page, "#facts")
    assert "1/2 s" in told and "6/5 s" in told and "0.9700" in told and "sound_net" in told
    page.wait_for("['21/25', '17/20'].includes(document.querySelector('#picture').dataset.time)")
    assert page.evaluate("document.querySelectorAll('.planted').length") == 1
    assert text(page, "tr[aria-selected='true']").startswith(" alarm")
    assert page.complaints == []


def test_a_click_into_the_picture_chooses_what_is_there(
    page: Page, film: Path, tmp_path: Path
) -> None:
    show(page, film, tmp_path, [seen(Fraction(0), at=(30, 30)), labelled("sound", 1, 2, "x", 1)])
    page.click(".ev[data-kind='track']")
    chosen_picture(page, "0", "0")
    page.click("#picture", across=0.9, down=0.9)
    chosen_picture(page, "0", "")
    page.click("#picture", across=30 / 96, down=30 / 64)
    chosen_picture(page, "0", "0")


def test_the_keyboard_is_enough(page: Page, film: Path, tmp_path: Path) -> None:
    show(page, film, tmp_path, street())
    page.evaluate("document.querySelector('#events tbody tr').focus()")
    page.press("Enter")
    assert text(page, "#facts .title") == "standing"
    page.press("ArrowDown")
    assert text(page, "#facts .title") == "person 0"
    before = page.evaluate("document.querySelector('#picture').dataset.time")
    page.press("ArrowRight")
    page.wait_for(f"document.querySelector('#picture').dataset.time !== '{before}'")
    page.press("+")
    assert page.evaluate("+document.querySelector('#lanes').style.getPropertyValue('--zoom')") > 1
    page.press("Escape")
    page.wait_for("!document.querySelector('[aria-selected=true]')")


def test_the_table_filters_by_lane_and_label(page: Page, film: Path, tmp_path: Path) -> None:
    show(page, film, tmp_path, street())
    rows = "document.querySelectorAll('#events tbody tr').length"
    choose = "(([id, value]) => {{ const box = document.querySelector(id); box.value = value;"
    choose += " box.dispatchEvent(new Event('change', {{bubbles: true}})); }})(['{}', '={}'])"
    assert page.evaluate(rows) == 5
    page.evaluate(choose.format("#by-lane", "action"))
    assert (page.evaluate(rows), text(page, "#shown")) == (2, "2 of 5")
    page.evaluate(choose.format("#by-label", "walking"))
    assert page.evaluate(rows) == 1


def test_the_books_say_what_is_missing(page: Page, film: Path, tmp_path: Path) -> None:
    show(page, film, tmp_path, street())
    assert page.evaluate(
        "[...document.querySelectorAll('#books tbody tr')].map(row => row.lastChild.textContent)"
    ) == ["5", "0"]
    told = text(page, "#books")
    assert "sound dropped: full: 2" in told and "Gap in audio: 0:00.100 to 0:00.200" in told
    assert page.evaluate("document.querySelectorAll('.sound .gap').length") == 1
    assert "open" in text(page, "#figures")


def test_hostile_names_run_nothing_and_nothing_is_asked_of_the_network(
    page: Page, film: Path, tmp_path: Path
) -> None:
    source = tmp_path / "<script>document.title='owned'<img src=x onerror=alert(1)>.mp4"
    source.write_bytes(film.read_bytes())
    events = [
        labelled("<b>lane", 0, 1, HOSTILE, 0.9),
        labelled("sound", 0, 1, "__proto__"),
        seen(Fraction(0), label="constructor", track_id=None),
    ]
    show(page, source, tmp_path, [replace(one, model=HOSTILE) for one in events])
    page.click(".ev")
    assert page.evaluate("document.title").startswith("<script>")
    assert page.evaluate("document.querySelectorAll('img[onerror], script').length") == 2
    assert page.evaluate("document.querySelectorAll('#events tbody tr').length") == 3
    assert page.complaints == []


@pytest.mark.parametrize(("tracks", "tallest"), [(10, 240), (200, 372)])
def test_tracks_stay_readable(
    page: Page, film: Path, tmp_path: Path, tracks: int, tallest: int
) -> None:
    events = [
        seen(Fraction(n % 25 + moment, 25), track_id=n, at=(n % 90, n % 60))
        for n in range(tracks)
        for moment in range(20)
    ]
    show(page, film, tmp_path, events)
    assert page.evaluate("document.querySelectorAll('.well .ev').length") == tracks
    assert page.evaluate("document.querySelector('.well').offsetHeight") <= tallest
    overlaps = """[...document.querySelectorAll('.well .track')].filter(track => {
        const bars = [...track.children].map(bar => bar.getBoundingClientRect());
        bars.sort((a, b) => a.left - b.left);
        return bars.some((bar, n) => n && bar.left < bars[n - 1].right - 0.5);
    }).length"""
    assert page.evaluate(overlaps) == 0
    assert (
        page.evaluate(
            "Math.min(...[...document.querySelectorAll('.well .ev')].map(bar => bar.offsetHeight))"
        )
        >= 10
    )


def test_sound_alone_is_shown_too(page: Page, recording: Path, tmp_path: Path) -> None:
    show(page, recording, tmp_path, [labelled("sound", "1/4", "3/4", "alarm")])
    page.click(".ev")
    page.wait_for("document.querySelector('#picture').width > 20")
    assert text(page, "#facts .title") == "alarm"
    assert page.complaints == []


def test_nothing_found_is_said(page: Page, silent_film: Path, tmp_path: Path) -> None:
    show(page, silent_film, tmp_path, [], summary={})
    assert text(page, "#findings") == "Nothing was found."
    page.wait_for("document.querySelector('#picture').dataset.time === '0'")
    assert page.complaints == []


def test_a_zoom_keeps_the_time_under_the_pointer(page: Page, film: Path, tmp_path: Path) -> None:
    show(page, film, tmp_path, street())
    page.click(".sound .track", across=0.75)
    at = "document.querySelector('#cursor').getBoundingClientRect().left"
    time, before = text(page, "#cursor-time"), page.evaluate(at)
    page.call(
        "Input.dispatchMouseEvent",
        type="mouseWheel",
        x=before,
        y=700,
        deltaX=0,
        deltaY=-120,
        modifiers=2,
    )
    page.wait_for("+document.querySelector('#lanes').style.getPropertyValue('--zoom') > 1")
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=before + 1, y=701)
    minutes, seconds = text(page, "#cursor-time").split(":")
    assert abs(int(minutes) * 60 + float(seconds) - float(time.split(":")[1])) < 0.02

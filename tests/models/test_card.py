import json
from dataclasses import asdict
from pathlib import Path

import pytest

from models.card import Card, CheckpointError

CARD = Card("yard", "wavenet", ("bark", "Glöckchen"), {"hop": 160}, {"sample_rate": 16_000})


def test_a_card_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "yard.json"
    path.write_text(CARD.to_json(), encoding="utf-8")
    assert Card.read(path) == CARD
    assert CARD.to_json().endswith("}\n")
    assert "Glöckchen" in CARD.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"name": "yard"}',
        json.dumps({**asdict(CARD), "surprise": 1}),
    ],
)
def test_what_is_no_card_is_told_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "yard.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"yard\.json: .*card"):
        Card.read(path)


def test_a_missing_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no card beside the weights"):
        Card.read(tmp_path / "yard.json")

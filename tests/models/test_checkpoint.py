from pathlib import Path

import pytest
import torch
from torch import nn

from models.card import Card, CheckpointError
from models.checkpoint import SHIPPED, load, load_into, read_card, resolve, save, shipped

CARD = Card("yard", "wavenet", ("bark",), {}, {})


def saved(folder: Path) -> Path:
    path = folder / "deep" / "yard.safetensors"
    save(path, nn.Linear(3, 2).state_dict(), CARD)
    return path


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    network = nn.Linear(3, 2)
    path = tmp_path / "yard.safetensors"
    written = save(path, network.state_dict(), CARD)
    assert len(written.sha256) == 64
    card, state = load(path)
    assert card == written == read_card(str(path))
    again = nn.Linear(3, 2)
    load_into(again, state, "yard")
    assert torch.equal(again.weight, network.weight)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["yard.json", "yard.safetensors"]


def test_weights_that_were_altered_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    blob = bytearray(path.read_bytes())
    blob[-1] ^= 1
    path.write_bytes(blob)
    with pytest.raises(CheckpointError, match="is damaged or belongs to another card"):
        load(path)


def test_a_file_that_is_no_safetensors_is_told(tmp_path: Path) -> None:
    import hashlib
    from dataclasses import replace

    path = tmp_path / "yard.safetensors"
    path.write_bytes(b"nothing of the kind")
    card = replace(CARD, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load(path)


@pytest.mark.parametrize("ending", ["pt", "pth", "pkl", "bin"])
def test_pickled_weights_are_refused_unopened(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"yard.{ending}"
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="pickled weights can run code"):
        load(path)


def test_names_and_paths_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no shipped checkpoint has this name"):
        resolve("nobody")
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        resolve(tmp_path / "missing.safetensors")
    path = saved(tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match="no card beside the weights"):
        load(path)


def test_shipped_names_resolve_and_have_cards() -> None:
    for name in shipped():
        assert resolve(name).parent == SHIPPED
        assert read_card(name).sha256


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"weight": torch.zeros(2, 3)}, r"missing \['bias'\]"),
        ({**nn.Linear(3, 2).state_dict(), "more": torch.zeros(1)}, r"unexpected \['more'\]"),
        (nn.Linear(4, 2).state_dict(), r"weight is \(2, 4\), the network wants \(2, 3\)"),
    ],
)
def test_weights_of_another_network_are_named(state: dict[str, torch.Tensor], told: str) -> None:
    with pytest.raises(CheckpointError, match=f"^yard: the weights do not match.*{told}"):
        load_into(nn.Linear(3, 2), state, "yard")

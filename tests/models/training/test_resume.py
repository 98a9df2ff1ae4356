from pathlib import Path

import pytest
import torch

from models.training.errors import TrainingError
from models.training.resume import RunFile, packed, unpacked


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = RunFile(tmp_path / "deep" / "run.safetensors", "a")
    assert file.read() is None
    file.write({"x": torch.arange(3)}, {"losses": [0.1, 1e-17]})
    found = file.read()
    assert found is not None
    assert torch.equal(found[0]["x"], torch.arange(3))
    assert found[1] == {"losses": [0.1, 1e-17]}
    assert [path.name for path in file.path.parent.iterdir()] == ["run.safetensors"]


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    RunFile(path, "a").write({"x": torch.zeros(1)}, {})
    with pytest.raises(TrainingError, match="other data or settings"):
        RunFile(path, "b").read()


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    RunFile(path, "a").write({"x": torch.zeros(9)}, {})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(TrainingError, match="is damaged"):
        RunFile(path, "a").read()


def test_prefixes_part_what_was_packed() -> None:
    both = packed("a", {"x": torch.zeros(1)}) | packed("ab", {"x": torch.ones(1)})
    assert unpacked("a", both).keys() == {"x"}
    assert torch.equal(unpacked("ab", both)["x"], torch.ones(1))

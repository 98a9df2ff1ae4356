from pathlib import Path

import numpy as np
import pytest

from models.runtime import RuntimeUnavailable, get_runtime
from models.runtime.base import Precision
from models.runtime.choose import choose
from models.runtime.networks import load_any
from models.runtime.onnx_runtime import OnnxRuntime
from tests.networks import action_lane

PICTURES = [np.full((24, 32, 3), shade, np.uint8) for shade in (20, 90, 200)]


def test_the_fastest_of_those_that_answer_alike_is_chosen(tmp_path: Path) -> None:
    loaded = load_any(action_lane(tmp_path).weights)
    choice = choose(loaded, PICTURES, ("eager", "onnx"))
    assert choice.left_out == {}
    assert set(choice.call_ms) == {"eager", "onnx"}
    assert choice.call_ms[choice.runtime] == min(choice.call_ms.values())
    assert choice.told.startswith(f"{choice.runtime} (eager ")


def test_what_is_not_installed_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.runtime.onnx_runtime.find_spec", lambda name: None)
    loaded = load_any(action_lane(tmp_path).weights)
    choice = choose(loaded, PICTURES, ("eager", "onnx"))
    assert choice.runtime == "eager"
    assert "pip install 'witness-av[onnx]'" in choice.told


@pytest.mark.parametrize(
    ("precision", "device", "told"),
    [("bfloat16", "cpu", "no bfloat16"), ("float32", "cuda", "on the CPU only")],
)
def test_onnx_runtime_says_what_it_cannot_do(precision: Precision, device: str, told: str) -> None:
    assert told in (OnnxRuntime().unavailable(precision, device) or "")


def test_compiled_is_skipped_with_a_reason_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CXX", "g++")
    with pytest.raises(RuntimeUnavailable, match=r"needs a C\+\+ compiler and g\+\+ is not"):
        get_runtime("compiled")

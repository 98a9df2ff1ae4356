import numpy as np
import pytest
import torch

from models.action import ActionNetwork, build
from models.runtime import RuntimeName, get_runtime
from models.runtime.action import RunningAction, run_action
from tests.networks import ACTION

pytestmark = pytest.mark.slow

GRAPHS: tuple[RuntimeName, ...] = ("onnx", "openvino")
GRID = {"grid": [4, 3, 4], "hidden": 8}


def untrained(head: str) -> ActionNetwork:
    torch.manual_seed(0)
    options = {"name": head, "hidden": 8, **(GRID if head == "trace_gru" else {})}
    return build({**ACTION, "head": options}).eval().requires_grad_(False)


def frames(count: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 255, (count, 24, 32, 3), dtype=np.uint8)


def answers(network: ActionNetwork | RunningAction, streams: int) -> torch.Tensor:
    """(steps, streams, classes) logits of five pictures a stream."""
    state, rows = network.initial_state(streams), []
    for number in range(5):
        logits, state = network.step(network.features(frames(streams, number)), state)
        rows.append(logits)
    return torch.stack(rows)


@pytest.mark.parametrize("runtime", GRAPHS)
@pytest.mark.parametrize("head", ["gru", "trace_gru", "mlp", "vote"])
def test_equals_eager_over_steps_and_for_any_number_of_streams(
    runtime: RuntimeName, head: str
) -> None:
    network = untrained(head)
    running = run_action(network, get_runtime(runtime), "float32")
    for streams in (1, 2, 5):
        torch.testing.assert_close(
            answers(running, streams), answers(network, streams), atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("runtime", GRAPHS)
def test_refuses_pictures_of_another_size(runtime: RuntimeName) -> None:
    running = run_action(untrained("gru"), get_runtime(runtime), "float32")
    with pytest.raises(ValueError, match="uint8 is wanted"):
        running.features(np.zeros((1, 32, 24, 3), np.uint8))


def test_the_step_stays_in_float32_when_pictures_go_in_bfloat16() -> None:
    network = untrained("gru")
    running = run_action(network, get_runtime("eager"), "bfloat16")
    feature = running.features(frames(2))
    state = running.initial_state(2)
    exact, _ = network.step(feature, state)
    assert torch.equal(running.step(feature, state)[0], exact)
    assert not torch.equal(feature, network.features(frames(2)))
    torch.testing.assert_close(feature, network.features(frames(2)), atol=0.05, rtol=0.05)

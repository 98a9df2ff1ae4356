import pytest
import torch

from models.runtime import RuntimeName, get_runtime
from models.runtime.sound import RunningWaveNet, run_sound
from models.wavenet import WaveNet, build, load_sound
from tests.networks import WAVENET

ALL: tuple[RuntimeName, ...] = ("eager", "onnx", "openvino")


@pytest.fixture(scope="module")
def network() -> WaveNet:
    """One whose norms hold statistics of their own, as after training."""
    torch.manual_seed(0)
    made = build(WAVENET).requires_grad_(False)
    for norm in made.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                assert tensor is not None
                tensor.uniform_(0.5, 1.5)
    return made


@pytest.fixture(scope="module", params=ALL)
def running(request: pytest.FixtureRequest, network: WaveNet) -> RunningWaveNet:
    return run_sound(network, get_runtime(request.param), "float32")


@pytest.mark.parametrize(("hops", "streams"), [((3, 1, 1), 1), ((1, 3), 3)])
def test_equals_eager_for_any_division_and_any_number_of_streams(
    network: WaveNet, running: RunningWaveNet, hops: tuple[int, ...], streams: int
) -> None:
    sound = torch.randn(streams, 1, sum(hops) * network.hop, generator=torch.manual_seed(1)) / 10
    state, rows = running.initial_state(streams), []
    for chunk in sound.split([count * network.hop for count in hops], dim=-1):
        logits, state = running.stream(chunk, state)
        rows.append(logits)
    whole, last = network.stream(sound, network.initial_state(streams))
    torch.testing.assert_close(torch.cat(rows, 1), whole, atol=1e-4, rtol=1e-4)
    for name, tensor in last.items():
        torch.testing.assert_close(state[name], tensor, atol=1e-4, rtol=1e-4)


def test_leaves_the_given_state_as_it_was(network: WaveNet, running: RunningWaveNet) -> None:
    state = running.initial_state(1)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    sound = torch.ones(1, 1, network.hop) / 4
    first, after = running.stream(sound, state)
    copy = {name: tensor.clone() for name, tensor in after.items()}
    running.stream(-sound, after)
    again, _ = running.stream(sound, state)
    assert torch.equal(first, again)
    for name in state:
        assert torch.equal(state[name], kept[name])
        assert torch.equal(after[name], copy[name])


def test_refuses_what_is_no_whole_number_of_hops(running: RunningWaveNet) -> None:
    with pytest.raises(ValueError, match=r"n \* 400"):
        running.stream(torch.zeros(1, 1, 401), running.initial_state(1))


@torch.inference_mode()
def test_the_shipped_network_streams_hop_by_hop_as_it_hears_the_whole() -> None:
    _, shipped = load_sound("sound")
    running = run_sound(shipped, get_runtime("eager"), "float32")
    sound = torch.randn(1, 1, 40 * shipped.hop, generator=torch.Generator().manual_seed(3)) / 5
    sound *= torch.linspace(0, 1, sound.shape[-1])
    state, rows = running.initial_state(1), []
    for hop in sound.split(shipped.hop, dim=-1):
        logits, state = running.stream(hop, state)
        rows.append(logits)
    assert (torch.cat(rows, 1) - shipped(sound)).abs().max() < 1e-5


def test_a_kernel_of_three_is_folded_as_well() -> None:
    torch.manual_seed(0)
    wide = build({**WAVENET, "kernel": 3}).requires_grad_(False)
    running = run_sound(wide, get_runtime("eager"), "float32")
    sound = torch.randn(2, 1, 9 * wide.hop) / 10
    logits, _ = running.stream(sound, running.initial_state(2))
    torch.testing.assert_close(logits, wide(sound), atol=1e-5, rtol=1e-5)

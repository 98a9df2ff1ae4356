import pytest
import torch

from models.runtime import Part, get_runtime


class Cut(torch.nn.Module):
    """Small, and with two answers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.layer(x).relu().chunk(2, dim=-1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_equals_eager_for_several_shapes() -> None:
    torch.manual_seed(0)
    part = Part("cut", Cut(), ("x",), ("left", "right"), (torch.zeros(2, 4),))
    run = get_runtime("compiled").prepare(part, "float32")
    reference = get_runtime("eager").prepare(part, "float32")
    for rows in (2, 5):
        x = torch.randn(rows, 4)
        for found, wanted in zip(run(x), reference(x), strict=True):
            torch.testing.assert_close(found, wanted)

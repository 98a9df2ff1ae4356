import pytest
import torch
from torch.nn import functional as F

from models.training.label_loss import LabelLoss, Softened

LOGITS = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([[0, 1, 2, -1, 0]] * 4)
WEIGHTS = torch.tensor([0.5, 1.0, 1.5])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_a_teacher_it_is_cross_entropy(
    weights: torch.Tensor | None, smoothing: float
) -> None:
    expected = F.cross_entropy(
        LOGITS.flatten(0, 1),
        TARGETS.flatten(),
        weights,
        ignore_index=-1,
        label_smoothing=smoothing,
    )
    found = LabelLoss(3, weights, -1, smoothing)(LOGITS, TARGETS)
    torch.testing.assert_close(found, expected)


def test_parts_add_up_to_the_whole() -> None:
    loss = LabelLoss(3, WEIGHTS, -1, 0.1, Softened(0.4, 2.0))
    teacher = torch.randn_like(LOGITS)
    parts = [
        (loss(LOGITS[rows], TARGETS[rows], teacher[rows]), loss.weight(TARGETS[rows]))
        for rows in (slice(1), slice(1, 4))
    ]
    whole = sum(mean * weight for mean, weight in parts) / loss.weight(TARGETS)
    torch.testing.assert_close(whole, loss(LOGITS, TARGETS, teacher))


def test_nothing_labelled_is_no_loss() -> None:
    logits = LOGITS.clone().requires_grad_()
    value = LabelLoss(3, None, -1)(logits, torch.full((4, 5), -1))
    value.backward()
    assert value == 0
    assert logits.grad is not None and not logits.grad.any()


def test_a_teacher_counts_by_its_weight_and_is_softened() -> None:
    teacher = torch.randn_like(LOGITS)
    hard = LabelLoss(3, None, -1)(LOGITS, TARGETS)
    known = TARGETS != -1
    hot = 2.5
    p, q = (teacher / hot).softmax(-1), (LOGITS / hot).softmax(-1)
    apart = (p * (p / q).log()).sum(-1)[known].mean()
    found = LabelLoss(3, None, -1, softened=Softened(0.3, hot))(LOGITS, TARGETS, teacher)
    torch.testing.assert_close(found, 0.7 * hard + 0.3 * hot**2 * apart)
    agreed = LabelLoss(3, None, -1, softened=Softened(1.0, hot))(LOGITS, TARGETS, LOGITS)
    assert agreed == pytest.approx(0, abs=1e-6)
    deaf = LabelLoss(3, None, -1, softened=Softened(0.0, hot))
    assert torch.equal(deaf(LOGITS, TARGETS, teacher), hard)

"""Checkpoints on disk: safetensors weights, a card beside them, and a sha256 that joins the two.

Pickled weights are refused: `torch.load` can run code from the file (CVE-2025-32434).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from models.card import Card, CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

Built = TypeVar("Built", bound="nn.Module")
SHIPPED = Path(__file__).parent / "weights"


def shipped() -> tuple[str, ...]:
    """The names of the checkpoints that come with the package, sorted."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.safetensors")))


def resolve(weights: str | Path) -> Path:
    """The safetensors file of a shipped name or a path; CheckpointError says what to do."""
    if str(weights) in shipped():
        return SHIPPED / f"{weights}.safetensors"
    path = Path(weights)
    if path.suffix in {".pt", ".pth", ".pkl", ".bin"}:
        message = (
            f"{path}: pickled weights can run code when opened and are refused; "
            "save them as safetensors with models.checkpoint.save"
        )
        raise CheckpointError(message)
    if path.suffix != ".safetensors":
        message = (
            f"{weights}: no shipped checkpoint has this name ({', '.join(shipped()) or 'none'}), "
            "and a path must end in .safetensors"
        )
        raise CheckpointError(message)
    if not path.is_file():
        message = f"{path}: no such checkpoint; shipped are {', '.join(shipped()) or 'none'}"
        raise CheckpointError(message)
    return path


def read_card(weights: str | Path) -> Card:
    """The card of a shipped name or of the file at a path; reads no weights, imports no torch."""
    return Card.read(resolve(weights).with_suffix(".json"))


def load(weights: str | Path) -> tuple[Card, dict[str, Tensor]]:
    """Card and state dict (on the CPU, as stored), after the file's sha256 was checked."""
    from safetensors import SafetensorError
    from safetensors.torch import load as load_bytes

    path = resolve(weights)
    card = Card.read(path.with_suffix(".json"))
    blob = path.read_bytes()
    found = hashlib.sha256(blob).hexdigest()
    if found != card.sha256:
        message = (
            f"{path}: sha256 {found[:12]}... is not the card's {card.sha256[:12] or 'none'}...; "
            "the file is damaged or belongs to another card: get both again"
        )
        raise CheckpointError(message)
    try:
        return card, load_bytes(blob)
    except SafetensorError as error:
        message = f"{path}: not a readable safetensors file ({error})"
        raise CheckpointError(message) from error


def load_into(network: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Copies `state` into `network` in the network's own dtype; CheckpointError names misfits."""
    own = network.state_dict()
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    shapes = [
        f"{name} is {tuple(state[name].shape)}, the network wants {tuple(own[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if own[name].shape != state[name].shape
    ]
    if missing or unexpected or shapes:
        parts = [
            f"missing {missing[:3]}" if missing else "",
            f"unexpected {unexpected[:3]}" if unexpected else "",
            "; ".join(shapes[:3]),
        ]
        told = "; ".join(part for part in parts if part)
        message = f"{origin}: the weights do not match the network: {told}"
        raise CheckpointError(message)
    network.load_state_dict(state)


def load_network(
    weights: str | Path, kind: str, build: Callable[[dict[str, Any]], Built], device: str
) -> tuple[Card, Built]:
    """Card and network, in eval mode on `device`, of a shipped name or a path.

    `build` makes the network of an architecture. CheckpointError when the card names another
    kind of network, or when the weights do not match it.
    """
    card, state = load(weights)
    if card.network != kind:
        message = f"{weights}: a checkpoint of a {kind} is wanted, the card says {card.network!r}"
        raise CheckpointError(message)
    network = build(card.architecture)
    load_into(network, state, str(weights))
    return card, network.to(device).eval()


def save(path: Path, state: dict[str, Tensor], card: Card) -> Card:
    """The card as written, with the sha256 of the file; both files appear whole or not at all."""
    from safetensors.torch import save as to_bytes

    blob = to_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
    card = replace(card, sha256=hashlib.sha256(blob).hexdigest())
    path.parent.mkdir(parents=True, exist_ok=True)
    for target, content in ((path, blob), (path.with_suffix(".json"), card.to_json().encode())):
        part = target.with_name(target.name + ".part")
        part.write_bytes(content)
        part.replace(target)
    return card

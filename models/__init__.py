"""Networks, their training and their checkpoints: pure torch, knows nothing of streams.

Importing this package, `models.card` or `models.checkpoint` does not import torch.
"""

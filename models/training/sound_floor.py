"""The floor under the sound network: MFCC statistics and logistic regression on the same excerpts.

A network that does not beat this by a margin is not worth its cost; every result stands beside it.
MFCC after Davis and Mermelstein (1980): windowed power spectrum, mel bands, logarithm, cosine
transform; an excerpt becomes the mean, deviation and extremes of its coefficients and of their
differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.training.sound_data import Samples

COEFFICIENTS, BANDS = 20, 40
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)


def mel_bands(sample_rate: int, bins: int, bands: int = BANDS) -> NDArray[np.float64]:
    """(bands, bins): triangular filters, evenly spaced on the mel scale from 0 Hz to Nyquist."""
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    hz = np.linspace(0, sample_rate / 2, bins)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hz - low) / (centre - low), (high - hz) / (high - centre)
    bank: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return bank


def mfcc(samples: Samples, sample_rate: int) -> NDArray[np.float64]:
    """(frames, COEFFICIENTS) over windows of 32 ms every 10 ms; at least one frame, by padding."""
    size, step = sample_rate * 32 // 1000, sample_rate // 100
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    bands = np.log(power @ mel_bands(sample_rate, power.shape[1]).T + 1e-8)
    coefficients: NDArray[np.float64] = dct(bands, axis=1, norm="ortho")[:, :COEFFICIENTS]
    return coefficients


def statistics(samples: Samples, sample_rate: int) -> NDArray[np.float64]:
    """One row that describes an excerpt: six statistics of every coefficient."""
    rows = mfcc(samples, sample_rate)
    steps = np.diff(rows, axis=0) if len(rows) > 1 else np.zeros_like(rows)
    parts = (rows.mean(0), rows.std(0), rows.min(0), rows.max(0), steps.mean(0), steps.std(0))
    return np.concatenate(parts)


def fit_floor(
    train: Sequence[Samples],
    labels: Sequence[str],
    validation: Sequence[Samples],
    validation_labels: Sequence[str],
    sample_rate: int,
    seed: int,
) -> Pipeline:
    """The floor, fitted; its regularisation is chosen by balanced accuracy on the validation."""
    rows = np.stack([statistics(samples, sample_rate) for samples in train])
    held = np.stack([statistics(samples, sample_rate) for samples in validation])
    best, best_score = None, -1.0
    for strength in STRENGTHS:
        regression = LogisticRegression(
            C=strength, class_weight="balanced", max_iter=3000, random_state=seed
        )
        model = make_pipeline(StandardScaler(), regression).fit(rows, list(labels))
        score = balanced_accuracy(validation_labels, model.predict(held))
        if score > best_score:
            best, best_score = model, score
    assert best is not None
    return best


def predict_floor(model: Pipeline, excerpts: Sequence[Samples], sample_rate: int) -> list[str]:
    """The floor's label for every excerpt."""
    rows = np.stack([statistics(samples, sample_rate) for samples in excerpts])
    return [str(label) for label in model.predict(rows)]


def balanced_accuracy(truth: Sequence[str], said: Sequence[str]) -> float:
    """The mean over the labels of the share of their excerpts that were named right, 0 to 1."""
    shares = []
    for label in sorted(set(truth)):
        mine = [s == label for t, s in zip(truth, said, strict=True) if t == label]
        shares.append(sum(mine) / len(mine))
    return sum(shares) / len(shares)

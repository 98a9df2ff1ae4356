import cv2
import numpy as np

from models.training.class_scores import class_scores
from models.training.curves import LOSS, SCORE, confusion_matrix, learning_curves, png


def near(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the pixels of exactly this colour within the axes."""
    inside = image[52:428, 72:728]
    return np.argwhere((inside == colour).all(-1))


def test_a_falling_loss_falls_and_a_rising_score_rises() -> None:
    losses = np.linspace(2.0, 0.1, 200).tolist()
    image = learning_curves(losses, [(50, 0.2), (100, 0.6), (200, 0.9)])
    assert image.shape == (480, 800, 3)
    for colour, falls in ((LOSS, True), (SCORE, False)):
        found = near(image, colour)
        first = found[found[:, 1] < 250, 0].mean()
        last = found[found[:, 1] > 500, 0].mean()
        assert (last > first) == falls  # row numbers grow downwards


def test_a_run_of_one_step_and_no_score_can_be_drawn() -> None:
    assert learning_curves([0.5], []).shape == (480, 800, 3)


def test_the_diagonal_is_dark_where_labels_are_right() -> None:
    image = confusion_matrix(
        class_scores(["a", "dog é", "a very long name of a label"], "aa", "aa")
    )
    right, empty = image[170 + 4, 170 + 4], image[170 + 4, 170 + 56 + 4]
    assert right.sum() < empty.sum() == 3 * 255


def test_a_picture_survives_its_file() -> None:
    image = learning_curves([1.0, 0.5], [])
    again = cv2.imdecode(np.frombuffer(png(image), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(again, image)

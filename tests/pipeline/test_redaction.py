import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.redaction import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:hunter2@cam/main", "rtsp://***@cam/main"),
        ("rtsp://admin@cam/main", "rtsp://***@cam/main"),
        ("rtsp://admin:hun/ter2@cam/main", "rtsp://***@cam/main"),
        ("rtsp://admin:hun#ter?2@cam/main", "rtsp://***@cam/main"),
        ("http://cam/a?token=abc&size=2", "http://cam/a?token=***&size=2"),
        ("http://cam:8080/people/@home", "http://cam:8080/people/@home"),
        ("no address", "no address"),
    ],
)
def test_secrets_are_taken_out_and_the_rest_stays(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@given(
    password=st.text(
        st.characters(exclude_characters=" /?#@", exclude_categories=["Cc"], codec="ascii"),
        min_size=3,
    )
)
def test_no_password_is_left(password: str) -> None:
    secret = f"S{password}S"
    assert secret not in redact(f"cannot open rtsp://admin:{secret}@10.0.0.4:554/main?x=1 (error)")

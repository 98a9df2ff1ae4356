import pytest

from tests.needs import need_program


def test_a_program_that_is_there_is_named() -> None:
    assert need_program("sh").endswith("/sh")


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("CI", "1"), ("WITNESS_CI", "1")])
def test_a_missing_program_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        need_program("no-such-program")


def test_a_missing_program_is_skipped_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("WITNESS_CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="'no-such-program' is not installed"):
        need_program("no-such-program")

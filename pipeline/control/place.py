"""Where the control interface of a running witness is found: OUT/control.json.

Whoever runs in OUT holds the file locked. So two never write into one folder, and what was left by
one that was killed is known for stale by its missing lock: no token is shown to a stranger.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.config.streams import ControlConfig
from pipeline.errors import ConfigError
from pipeline.whole import output_error

FILE = "control.json"
SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Place:
    """The address of a control interface, and what lets one in."""

    url: str
    token: str = field(repr=False)


class HeldPlace:
    """A folder's control.json, which this process holds; readable by its user alone."""

    def __init__(self, file: int) -> None:
        self._file = file

    def tell(self, place: Place) -> None:
        """Writes down where the interface is."""
        os.ftruncate(self._file, 0)
        told = {**asdict(place), "pid": os.getpid()}
        os.pwrite(self._file, (json.dumps(told, indent=2) + "\n").encode(), 0)


@contextmanager
def held_place(out: Path) -> Iterator[HeldPlace]:
    """A folder's place, held and removed at the end.

    ConfigError when another witness runs there, OutputError when it cannot be written.
    """
    path = out / FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
    except BlockingIOError as error:
        message = f"--out {out}: another witness runs there; choose another folder"
        raise ConfigError(message) from error
    except OSError as error:
        raise output_error(path, error) from error
    try:
        yield HeldPlace(file)
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(file)


def find_place(out: Path) -> Place:
    """Where the witness that runs in a folder is controlled; ConfigError when none runs there."""
    path = out / FILE
    message = f"no witness runs with --out {out}; start one with `witness run streams.yaml`"
    try:
        with path.open(encoding="utf-8") as file:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                raise ConfigError(message)
            told = json.load(file)
        return Place(told["url"], told["token"])
    except ConfigError:
        raise
    except FileNotFoundError as error:
        raise ConfigError(message) from error
    except PermissionError as error:
        message = f"{path}: only the user who runs that witness may read it"
        raise ConfigError(message) from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        message = f"{path}: it does not say where a witness is controlled; is one just starting?"
        raise ConfigError(message) from error


def token_of(config: ControlConfig) -> str:
    """The token that the config names, or one that was made just now; ConfigError for a bad one."""
    if config.token_env is None and config.token_file is None:
        return secrets.token_urlsafe(32)
    where = f"control: the variable {config.token_env} in the environment"
    if config.token_env is not None:
        token = os.environ.get(config.token_env, "")
    else:
        where = f"control: the file {config.token_file}"
        try:
            token = Path(str(config.token_file)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = f"{where} holds no token that can be read"
            raise ConfigError(message) from error
    token = token.strip()
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable()):
        message = f"{where} holds no token of at least {SHORTEST_TOKEN} plain characters"
        raise ConfigError(message)
    return token


def _locked(path: Path) -> int:
    """The file, locked; BlockingIOError when somebody else holds it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(file, 0o600)
            with suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(file).st_ino:
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # whoever held it just removed it: it is no longer what others find

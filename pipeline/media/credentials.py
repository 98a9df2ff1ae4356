"""A user name and a password, found at the moment when they are needed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceUnreadable

MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where a user name and a password are found: in the environment, or in a file of one line.

    The file holds `user:password`, or the password alone where `user` or `user_env` says whose.
    """

    user: str | None = None
    user_env: str | None = None
    password_env: str | None = None
    file: str | None = None

    def resolve(self) -> tuple[str, str]:
        """The user name and the password of this moment; SourceUnreadable when they are missing.

        No message holds either of them.
        """
        user = _from_environment(self.user_env) if self.user_env else self.user
        if self.file is None:
            password = _from_environment(self.password_env) if self.password_env else ""
            return user or "", password
        line = self._line()
        if user is not None:
            return user, line
        user, colon, password = line.partition(":")
        if not colon:
            message = f"{self.file}: hold one line `user:password`, or name the `user` beside it"
            raise SourceUnreadable(message)
        return user, password

    def worry(self) -> str | None:
        """What is unsafe about where the password lies; None when nothing is."""
        if self.file is None:
            return None
        try:
            mode = Path(self.file).stat().st_mode
        except OSError:
            return None
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            return f"{self.file}: anybody on this machine may read it; chmod 600 it"
        return None

    def _line(self) -> str:
        path = Path(str(self.file))
        try:
            with path.open("rb") as source:
                raw = source.read(MAX_BYTES)
            lines = raw.decode().splitlines()
        except FileNotFoundError:
            message = f"{path}: no such credentials file"
            raise SourceUnreadable(message) from None
        except (OSError, UnicodeDecodeError):
            message = f"{path}: the credentials file cannot be read; is it text, and yours?"
            raise SourceUnreadable(message) from None
        if len(lines) != 1 or not lines[0]:
            message = f"{path}: a credentials file is one line, but this has {len(lines)}"
            raise SourceUnreadable(message)
        return lines[0]


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        message = f"the environment has no {name}, which credentials are to come from"
        raise SourceUnreadable(message)
    return value

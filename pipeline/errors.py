"""Every error witness raises on purpose.

    WitnessError
    ├── ConfigError            a config file or an option is wrong            exit code 2
    ├── SourceError            a source cannot be opened or read              exit code 3
    │   ├── SourceMissing      nothing there, or a directory (also FileNotFoundError)
    │   ├── SourceUnreadable   there, but not a medium PyAV can read
    │   │   ├── SourceRefused  it wants another user name or password
    │   │   └── SourceForbidden  witness is not allowed to go there
    │   └── SourceLost         it was being read and broke off
    ├── LaneError              a lane cannot be built or run
    ├── NoAnswer               a running witness does not answer its control  exit code 3
    ├── WorkerLost             a process that shares a training died          exit code 3
    └── OutputError            an output cannot be written                    exit code 3

A message says what, where, with which value, and what to do next. It never holds a password.
"""

from __future__ import annotations


class WitnessError(Exception):
    """The root of every error that witness raises on purpose."""


class ConfigError(WitnessError, ValueError):
    """A config file or an option is wrong; the message starts with `path:line` for files."""


class SourceError(WitnessError):
    """A source cannot be opened or read."""


class SourceMissing(SourceError, FileNotFoundError):  # noqa: N818 - named for what happened
    """Nothing is at the source's address, or a directory is."""


class SourceUnreadable(SourceError):  # noqa: N818
    """Something is there, but it holds no video or audio that PyAV can read."""


class SourceRefused(SourceUnreadable):
    """The source wants another user name or password; trying again soon does not help."""


class SourceForbidden(SourceUnreadable):
    """The source leads to where witness may not go: an address, a protocol, a local file."""


class SourceAbsent(SourceUnreadable):
    """Nobody answers at the source's address; it costs little to ask again."""


class SourceLost(SourceError):  # noqa: N818
    """The source was being read and broke off; what was read before is kept."""


class LaneError(WitnessError):
    """A lane cannot be built or run, for example because its weights do not fit."""


class WorkerLost(WitnessError):  # noqa: N818
    """A process that shares a training died; what the run had kept is there to go on from."""


class NoAnswer(WitnessError):  # noqa: N818
    """A witness runs, but its control interface does not answer."""


class OutputError(WitnessError, OSError):
    """An output cannot be written: read-only folder, full disk, ..."""

"""What proves who somebody is: to a source, of a sender, and to and of the page of metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.base import StrictModel
from pipeline.measure.access import LOCAL, PORT, Access, is_loopback
from pipeline.media.credentials import Credentials


class CredentialsConfig(StrictModel):
    """Where a user name and a password are found at each connect; never they themselves.

    `user`, or the environment's `user_env`, with a password from the environment's `password_env`;
    or a `file` of one line, `user:password`, or the password alone beside a `user`. Changed
    secrets are used at the next connect.
    """

    user: str | None = None
    user_env: str | None = None
    password_env: str | None = None
    file: str | None = None

    @field_validator("file")
    @classmethod
    def _beside_the_config(cls, path: str | None, info: ValidationInfo) -> str | None:
        return beside(path, info)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.password_env is None) == (self.file is None):
            message = "name one place of the password: `password_env` or `file`"
            raise ValueError(message)
        if self.user is not None and self.user_env is not None:
            message = "name the user as `user` or as `user_env`, not as both"
            raise ValueError(message)
        if self.file is None and self.user is None and self.user_env is None:
            message = "say whose password it is: `user` or `user_env`"
            raise ValueError(message)
        return self

    def build(self) -> Credentials:
        """The same as plain data that may travel."""
        return Credentials(self.user, self.user_env, self.password_env, self.file)


class TlsConfig(StrictModel):
    """How a sender proves who it is, for addresses that end in s: rtsps, rtmps, https.

    `ca_file` is a PEM file of the authorities to trust instead of this machine's own; a camera that
    signed for itself is trusted with its own certificate there.
    """

    verify: bool = True
    ca_file: str | None = None

    @field_validator("ca_file")
    @classmethod
    def _beside_the_config(cls, path: str | None, info: ValidationInfo) -> str | None:
        return beside(path, info)


class MetricsConfig(StrictModel):
    """The page of [metrics](monitoring.md): where it is served, and to whom.

    Another `host` than this machine's own, such as 0.0.0.0, needs `credentials`, which whoever
    reads the page shows (basic authentication), or `insecure: true` where the network itself keeps
    others out. With a `certificate`, and its `key` where that is a file of its own, both PEM, the
    page is served by TLS; a renewed one is used at the next connect. A `port` that is taken is an
    error, but the usual one, where no other is named, is replaced by a free one; 0 is a free one,
    and -1 serves nothing. `--metrics-port` goes before it. The file `targets` names the pages for
    Prometheus (`file_sd`); it is `OUT/prometheus_targets.json` unless it is named.
    """

    host: Annotated[str, Field(min_length=1, max_length=253)] = LOCAL
    port: Annotated[int, Field(ge=-1, le=65535)] = PORT
    credentials: CredentialsConfig | None = None
    certificate: str | None = None
    key: str | None = None
    insecure: bool = False
    targets: str | None = None

    @field_validator("certificate", "key", "targets")
    @classmethod
    def _beside_the_config(cls, path: str | None, info: ValidationInfo) -> str | None:
        return beside(path, info)

    @model_validator(mode="after")
    def _closed(self) -> Self:
        if self.key is not None and self.certificate is None:
            message = "a `key` is of no use without its `certificate`"
            raise ValueError(message)
        if not (is_loopback(self.host) or self.credentials or self.insecure):
            message = (
                f"at {self.host} the page is open to the network: name `credentials` that it asks"
                " for, or say `insecure: true` where the network itself keeps others out"
            )
            raise ValueError(message)
        return self

    def build(self) -> Access:
        """The same as plain data that may travel, without port and targets."""
        credentials = self.credentials.build() if self.credentials else None
        return Access(self.host, credentials, self.certificate, self.key)


def beside(path: str | None, info: ValidationInfo) -> str | None:
    """The path, from the folder of the file that names it."""
    folder = (info.context or {}).get("folder")
    return path if path is None or folder is None else str(Path(folder) / path)

"""What a fleet can be told: its streams, how each is reached, and what they share."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.config.access import CredentialsConfig, TlsConfig, beside
from pipeline.config.base import Name, Rate, Seconds, StrictModel
from pipeline.config.schema import RunConfig
from pipeline.errors import SourceError
from pipeline.lanes import LaneConfig
from pipeline.media.address import LiveAddress, Transport
from pipeline.media.kinds import LOCAL_KINDS, Kind, check_kind, kind_of
from pipeline.media.policy import AddressPolicy, Range

Overload = Literal["lower_rate", "drop_oldest", "block"]
Patience = Annotated[float, Field(gt=0, le=3600)]
LIVE_STALL_S, BURSTY_STALL_S = 4.0, 30.0
READ_SHARE, MAX_READ_S = 0.45, 5.0
"""FFmpeg gives up a read after twice its time-out: before the stream counts as stalled."""
BURSTY: frozenset[Kind] = frozenset({"hls", "folder"})
"""Kinds that bring a segment at a time, with nothing in between."""


class StreamSettings(StrictModel):
    """How a stream is reached and treated; under `defaults` for all, under a stream for itself.

    `open_timeout_s` bounds a connect. A stream that brings nothing for `stall_s` (4 s, or 30 s
    where it comes in segments) is opened anew; `read_timeout_s` bounds a read, which notices
    silence after twice its time, and is chosen to do so in time. `lanes` names those that watch it,
    `sampling` gives a lane another rate here. A stream with a higher `priority` comes first and
    keeps its rate; among equals a stream gets turns by its `weight`. Above `max_lag_s` it jumps to
    live. `allow` are the ranges that its host, and whatever its playlists and redirects name, may
    be in.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    transport: Transport = "auto"
    open_timeout_s: Patience = 5.0
    read_timeout_s: Patience | None = None
    stall_s: Patience | None = None
    tls: TlsConfig = TlsConfig()
    lanes: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    sampling: dict[Name, Rate] = Field(default_factory=dict)
    hwaccel: Annotated[str, Field(pattern=r"^[a-z0-9]{2,20}$")] | None = None
    priority: Annotated[int, Field(ge=0, le=9)] = 0
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    overload: Overload = "lower_rate"
    max_lag_s: Seconds = 5.0
    realtime: bool = False
    loop: bool = False
    interface: str | None = None
    allow: tuple[Range, ...] = ("loopback", "private", "multicast", "public")


class StreamConfig(StreamSettings):
    """One stream: its `url` or path, and what differs from `defaults`.

    `kind` is seen from the url where it is left out; say `hls` or `mjpeg` where the address does
    not end in .m3u8. A path starts at the folder of the file that names it.
    """

    url: Annotated[str, Field(min_length=1, max_length=4096)]
    kind: Kind | None = None
    credentials: CredentialsConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: Any) -> Any:
        return {"url": raw} if isinstance(raw, str) else raw

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str, info: ValidationInfo) -> str:
        if "://" not in url:
            return url if ":" in url else str(beside(url, info))
        try:
            parts = urlsplit(url)
            user = bool(parts.username or parts.password)
            _ = parts.port
        except ValueError:  # a password with a slash in it looks like a port that is no number
            user = True
        if user:
            message = (
                "a user name or a password does not belong in a url; write the url without them,"
                " and beside it `credentials: {user: NAME, password_env: VARIABLE}` or"
                " `credentials: {file: PATH}`"
            )
            raise ValueError(message)
        return url

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        try:
            check_kind(self.kind or kind_of(self.url), self.url)
        except SourceError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def settled_kind(self) -> Kind:
        """The kind that is written, or else the one that the url shows."""
        return self.kind or kind_of(self.url)

    def address(self) -> LiveAddress:
        """Where it is and how it is opened, as plain data."""
        kind = self.settled_kind
        usual = BURSTY_STALL_S if kind in BURSTY else LIVE_STALL_S
        stall_s = usual if self.stall_s is None else self.stall_s
        return LiveAddress(
            kind=kind,
            url=self.url,
            transport=self.transport,
            open_timeout_s=self.open_timeout_s,
            read_timeout_s=self.read_timeout_s or min(MAX_READ_S, stall_s * READ_SHARE),
            stall_s=stall_s,
            tls_verify=self.tls.verify,
            ca_file=self.tls.ca_file,
            interface=self.interface,
            hwaccel=self.hwaccel,
            realtime=self.realtime,
            loop=self.loop,
            credentials=self.credentials.build() if self.credentials else None,
            allow=policy_of(self.allow),
        )


class ControlConfig(StrictModel):
    """The HTTP interface that lists and changes streams while they run, on 127.0.0.1 alone.

    Whoever asks shows a token, which is in the environment's `token_env` or in `token_file`; with
    neither one is made at the start. Streams that come this way may lead to the ranges in `allow`,
    and to paths of this machine only where `local_paths` says so.
    """

    port: Annotated[int, Field(ge=0, le=65535)] = 9465
    token_env: str | None = None
    token_file: str | None = None
    allow: tuple[Range, ...] = ("private", "multicast", "public")
    local_paths: bool = False

    @field_validator("token_file")
    @classmethod
    def _beside_the_config(cls, path: str | None, info: ValidationInfo) -> str | None:
        return beside(path, info)

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token_env is not None and self.token_file is not None:
            message = "name one place of the token: `token_env` or `token_file`"
            raise ValueError(message)
        return self

    def admits(self, stream: StreamConfig) -> StreamConfig:
        """The stream under this interface's limits; ValueError when it may not come this way."""
        if stream.settled_kind in LOCAL_KINDS and not self.local_paths:
            message = "paths of this machine are added in the file of streams, or with local_paths"
            raise ValueError(message)
        within = tuple(found for found in stream.allow if found in self.allow)
        return stream.model_copy(update={"allow": within})


class FleetConfig(RunConfig):
    """Everything that decides which streams are watched, by what, and what is written of them.

    `streams` are by name. What `defaults` says holds for each of them that does not say it itself.
    """

    outputs: tuple[Literal["jsonl", "parquet"], ...] = ("jsonl",)
    streams: dict[Name, StreamConfig] = Field(default_factory=dict)
    defaults: StreamSettings = StreamSettings()
    control: ControlConfig = ControlConfig()

    @model_validator(mode="after")
    def _lanes_are_known(self) -> Self:
        for name, stream in {"": self.defaults, **self.streams}.items():
            self.check(name, stream)
        return self

    def check(self, name: str, stream: StreamSettings) -> None:
        """Returns when the lanes that a stream asks for are there; ValueError says what is not.

        No name stands for `defaults`.
        """
        known = {lane.name: lane for lane in self.lanes}
        where = f"stream {name!r}" if name else "defaults"
        for wanted in (*(stream.lanes or ()), *stream.sampling):
            if wanted not in known:
                message = f"{where}: no lane is called {wanted!r}; there are {', '.join(known)}"
                raise ValueError(message)
        for wanted in stream.sampling:
            if "rate_hz" not in type(known[wanted]).model_fields:
                message = f"{where}: lane {wanted!r} samples as its network was trained"
                raise ValueError(message)

    def completed(self, stream: StreamConfig) -> StreamConfig:
        """The stream, with `defaults` for what it does not say itself."""
        said = self.defaults.model_fields_set - stream.model_fields_set
        return stream.model_copy(update={name: getattr(self.defaults, name) for name in said})

    def complete_streams(self) -> dict[str, StreamConfig]:
        """Every stream, completed, by name."""
        return {name: self.completed(stream) for name, stream in self.streams.items()}

    def lanes_of(self, stream: StreamConfig) -> tuple[LaneConfig, ...]:
        """The lanes that watch a completed stream, each at its rate there."""
        chosen = [lane for lane in self.lanes if stream.lanes is None or lane.name in stream.lanes]
        return tuple(
            lane.model_copy(update={"rate_hz": stream.sampling[lane.name]})
            if lane.name in stream.sampling
            else lane
            for lane in chosen
        )


def policy_of(ranges: tuple[Range, ...]) -> AddressPolicy:
    """The policy that allows these ranges and no others."""
    names: tuple[Range, ...] = ("loopback", "link_local", "private", "multicast", "public")
    return AddressPolicy(**{name: name in ranges for name in names})

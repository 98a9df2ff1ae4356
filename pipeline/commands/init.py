"""`witness init`: a file of streams to begin with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape

from pipeline.config.load import load_fleet
from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.media.kinds import kind_of
from pipeline.redaction import redact

GOOD, USAGE = 0, 2
URL, LANES, OUT = "rtsp://192.168.1.20/main", "action,instances,sound", "out"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LANES_TOLD = {
    "action": "  - kind: action # what is going on, as spans\n",
    "instances": (
        "  - kind: instances # things, their outlines and tracks\n"
        "    rate_hz: 2 # so many pictures a second are looked at\n"
        "    # gate: { kind: motion } # leaves out pictures in which nothing moves\n"
    ),
    "sound": "  - kind: sound # what is heard, as spans\n",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What was said already; None is to be asked, or taken as usual. No password is ever here."""

    url: str | None = None
    name: str | None = None
    user: str | None = None
    password_env: str | None = None
    lanes: str | None = None
    out: str | None = None


def init_command(file: Path, said: Answers, *, ask: bool, force: bool) -> int:
    """0 when the file was written; 2 when it is there already, or when an answer cannot be."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        if file.exists() and not force:
            message = f"{file}: there is such a file; name another one, or say --force"
            raise ConfigError(message)
        answers = completed(said, _asked if ask else _usual)
        written(file, text_of(answers, file))
    except (ConfigError, SourceError) as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return USAGE
    console.print(f"{escape(str(file))}: written. Next:")
    for line in next_steps(file, answers):
        console.print(f"  {escape(line)}")
    return GOOD


def completed(said: Answers, settle: Callable[[str, str], str]) -> Answers:
    """Answers to everything; `settle` is given a question and the usual answer."""

    def settled(answer: str | None, question: str, usual: str) -> str:
        return (settle(question, usual) if answer is None else answer).strip()

    url = _url(settled(said.url, "Where is the first camera: its url, or a video file", URL))
    name = _fits(NAME, settled(said.name, "What is it called", name_of(url)), "a name such as yard")
    user = said.user
    if _asks_for_a_user(url):
        user = settled(said.user, "Who logs in there (empty: nobody)", "")
    password_env = said.password_env
    if user:
        usual = _variable(name)
        question = "Which environment variable will hold the password (its name alone)"
        password_env = settled(said.password_env, question, usual)
        _fits(VARIABLE, password_env, "the name of an environment variable")
    elif password_env:
        message = "--password-env: say whose password it is, with --user"
        raise ConfigError(message)
    lanes = settled(said.lanes, "What shall look at it", LANES)
    out = settled(said.out, "Where shall results go", OUT)
    return Answers(url, name, user or None, password_env, ",".join(_lanes(lanes)), out)


def text_of(answers: Answers, file: Path) -> str:
    """The file of streams, with comments, for these complete answers."""
    url, name = str(answers.url), str(answers.name)
    lines = [f"    url: {_quoted(_seen_from(url, file))}\n"]
    if answers.user:
        secret = f"user: {_quoted(answers.user)}, password_env: {answers.password_env}"
        lines.append(f"    credentials: {{ {secret} }} # looked up at each connect\n")
    elif _asks_for_a_user(url):
        lines.append(f"    # credentials: {{ user: viewer, password_env: {_variable(name)} }}\n")
    if _is_file(url):
        lines.append("    realtime: true # at its own pace, as a camera\n")
        lines.append("    loop: true # again and again\n")
    return (
        f"# Streams that witness watches until it is told to end: `{_run(file, answers)}`.\n"
        "# Written anew while it runs, what changed is followed. Every key: docs/config.md.\n\n"
        "lanes:\n"
        + "".join(LANES_TOLD[lane] for lane in _lanes(str(answers.lanes)))
        + "outputs: [jsonl] # add parquet for tables of finished hours\n"
        "# pool: { members: 2 } # so many processes run the networks\n\n"
        "# Holds for every stream that does not say it itself.\n"
        "defaults:\n"
        "  overload: lower_rate # fewer pictures when there is too much to do\n"
        "  max_lag_s: 5 # later than so it jumps to live\n\n"
        "streams:\n"
        f"  {name}:\n" + "".join(lines) + "  # another: rtsp://192.168.1.21/main\n"
    )


def written(file: Path, text: str) -> None:
    """Puts the file there, once it is certain that it can be read again; ConfigError if not."""
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        load_fleet(part)
        part.replace(file)
    except OSError as error:
        message = f"{file}: it cannot be written: {error.strerror}"
        raise ConfigError(message) from error
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(part), "this cannot be")) from error
    finally:
        part.unlink(missing_ok=True)


def next_steps(file: Path, answers: Answers) -> list[str]:
    """The commands that come next, as one would type them."""
    steps = [f"export {answers.password_env}=...   # the password"] if answers.password_env else []
    return [*steps, f"witness sources check {file}", _run(file, answers)]


def name_of(url: str) -> str:
    """A name for a stream: of a file its own, of a camera `yard`."""
    if not _is_file(url):
        return "yard"
    stem = re.sub(r"[^a-z0-9_-]+", "-", Path(url).stem.lower()).strip("-_0123456789")
    return stem[:40] if NAME.fullmatch(stem[:40]) else "yard"


def _asked(question: str, usual: str) -> str:
    return str(typer.prompt(question, default=usual, show_default=bool(usual)))


def _usual(_question: str, usual: str) -> str:
    return usual


def _url(url: str) -> str:
    """The url; ConfigError when there is a user or a password in it, or when it is none."""
    if not url:
        message = "a stream needs a url, or the path of a video file"
        raise ConfigError(message)
    try:
        secret = "://" in url and "@" in urlsplit(url).netloc
    except ValueError:
        secret = True
    if secret:
        message = (
            f"{redact(url)}: a user name or a password does not belong in a url; write the url"
            " without them, and name --user and --password-env"
        )
        raise ConfigError(message)
    return url


def _lanes(lanes: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in lanes.split(",") if part.strip()))
    known = [lane.name for lane in RunConfig().lanes]
    strange = [name for name in names if name not in known]
    if strange or not names:
        message = f"{', '.join(strange) or 'no lane'}: there are {', '.join(known)}"
        raise ConfigError(message)
    return names


def _fits(pattern: re.Pattern[str], answer: str, what: str) -> str:
    """The answer; what does not fit is not shown: it might be a password, typed too early."""
    if not pattern.fullmatch(answer):
        message = f"that is not {what}: it has to match {pattern.pattern}"
        raise ConfigError(message)
    return answer


def _is_file(url: str) -> bool:
    return kind_of(url) == "file"


def _asks_for_a_user(url: str) -> bool:
    return "://" in url and kind_of(url) in ("rtsp", "rtmp", "hls", "http", "mjpeg")


def _seen_from(url: str, file: Path) -> str:
    """A path as the file of streams has to say it: from its own folder."""
    if "://" in url or not _is_file(url) or Path(url).is_absolute():
        return url
    if file.absolute().parent == Path.cwd():
        return url
    return str(Path(url).absolute())


def _variable(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_PASSWORD"


def _run(file: Path, answers: Answers) -> str:
    return f"witness run {file}" + ("" if answers.out == OUT else f" --out {answers.out}")


def _quoted(text: str) -> str:
    """Text as YAML reads it, whatever is in it."""
    return text if re.fullmatch(r"[\w./-]+|[a-z]+://[\w./-]+", text) else _in_quotes(text)


def _in_quotes(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

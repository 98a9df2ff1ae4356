"""A YAML file as a RunConfig or a FleetConfig; every mistake is told as `path:line: what`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from pipeline.config.base import StrictModel
from pipeline.config.schema import RunConfig
from pipeline.config.streams import FleetConfig
from pipeline.errors import ConfigError
from pipeline.redaction import redact

Model = TypeVar("Model", bound=StrictModel)
_STREAMS = re.compile(r"""(?m)^["']?streams["']?\s*:""")


class _Loader(yaml.SafeLoader):
    """YAML with the truth values of YAML 1.2: `on` and `off` are words, and keys of ours."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_config(path: Path) -> RunConfig:
    """The checked config of a file; ConfigError lists every mistake with its line."""
    return _load(path, RunConfig)


def load_fleet(path: Path) -> FleetConfig:
    """The checked streams of a file; ConfigError lists every mistake with its line.

    Paths in it start at its folder.
    """
    return _load(path, FleetConfig)


def is_fleet(path: str | Path) -> bool:
    """True when this is a YAML file that names streams, well or badly."""
    file = Path(path)
    try:
        if file.suffix.lower() not in (".yaml", ".yml") or not file.is_file():
            return False
        return _STREAMS.search(file.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return False


def _load(path: Path, model: type[Model]) -> Model:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        message = f"{path}: no such config file"
        raise ConfigError(message) from error
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: the config file cannot be read: {error}"
        raise ConfigError(message) from error
    try:
        root = yaml.compose(text, Loader=_Loader)
        raw = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = f"{path}:{line}: not valid YAML: {error.problem}"
        raise ConfigError(message) from error
    except (yaml.YAMLError, ValueError) as error:  # a character or a date that cannot be
        message = f"{path}:1: not valid YAML: {error}".splitlines()[0]
        raise ConfigError(message) from error
    if raw is not None and not isinstance(raw, dict):
        shown = redact(repr(raw))
        message = f"{path}:1: a config is a mapping such as `lanes: [...]`, not {shown:.40}"
        raise ConfigError(message)
    if twice := _named_twice(root):
        message = f"{path}:{twice.start_mark.line + 1}: {twice.value!r} is there twice; keep one"
        raise ConfigError(message)
    try:
        return model.model_validate(raw or {}, context={"folder": path.parent})
    except ValidationError as error:
        schema = model.model_json_schema()
        lines = [
            f"{path}:{_line(root, problem['loc'])}: {_told(problem, schema)}"
            for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error


def _named_twice(node: Any) -> Any:
    """The first key that a mapping of the document has for the second time; None if all differ.

    YAML lets the last one win, and a stream would vanish.
    """
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    return key
                seen.add(key.value)
            if twice := _named_twice(value):
                return twice
    elif isinstance(node, yaml.SequenceNode):
        return next(filter(None, map(_named_twice, node.value)), None)
    return None


def _line(node: Any, path: Sequence[int | str]) -> int:
    """The line, from 1, of the deepest part of `path` that the document has."""
    line = int(node.start_mark.line) + 1 if node is not None else 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == step:
                    node, line = value, key.start_mark.line + 1
                    break
        elif isinstance(node, yaml.SequenceNode) and step in range(len(node.value)):
            node = node.value[int(step)]
            line = node.start_mark.line + 1
    return line


def _told(problem: Any, schema: dict[str, Any]) -> str:
    where = ".".join(str(step) for step in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _known_keys(schema, problem["loc"])
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(known)}"
        return f"unknown key `{where}`{hint}"
    given = problem.get("input")
    shown = "" if isinstance(given, dict | list) else f" (given: {redact(repr(given)):.60})"
    return f"{where or 'config'}: {problem['msg'].removeprefix('Value error, ')}{shown}"


def _known_keys(schema: dict[str, Any], path: Sequence[int | str]) -> list[str]:
    """The keys that the record around the end of `path` has, read off the schema itself."""
    node = schema
    for step in path[:-1]:
        node = _within(_record(node, schema), step)
    return sorted(_record(node, schema).get("properties", {}))


def _within(node: dict[str, Any], step: int | str) -> dict[str, Any]:
    """What the schema says of a part of a record, a list, a mapping or a union by `kind`."""
    kinds = node.get("discriminator", {}).get("mapping", {})
    found: dict[str, Any] = (
        {"$ref": kinds[step]}
        if step in kinds
        else node.get("properties", {}).get(step)
        or next(iter(node.get("patternProperties", {}).values()), None)
        or node.get("items")
        or node
    )
    return found


def _record(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The node itself, where it refers to another or may be left out."""
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        else:
            node = next(kind for kind in node["anyOf"] if kind.get("type") != "null")
    return node

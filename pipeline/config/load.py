"""A YAML file as a RunConfig; every mistake is told as `path:line: what, and what to do`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError


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
        message = f"{path}:1: a config is a mapping such as `lanes: [...]`, not {raw!r:.40}"
        raise ConfigError(message)
    try:
        return RunConfig.model_validate(raw or {})
    except ValidationError as error:
        lines = [
            f"{path}:{_line(root, problem['loc'])}: {_told(problem)}" for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error


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


def _told(problem: Any) -> str:
    where = ".".join(str(step) for step in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"])
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(known)}"
        return f"unknown key `{where}`{hint}"
    given = problem.get("input")
    shown = f" (given: {given!r:.60})" if not isinstance(given, dict | list) else ""
    return f"{where or 'config'}: {problem['msg']}{shown}"


def _known_keys(path: Sequence[int | str]) -> list[str]:
    """The keys that the record around the end of `path` has, read off the schema itself."""
    schema = RunConfig.model_json_schema()
    records = schema["$defs"]
    around = next((step for step in reversed(path[:-1]) if isinstance(step, str)), None)
    for record in (schema, *records.values()):
        if record["properties"].get("kind", {}).get("const") == around is not None:
            return sorted(record["properties"])
        reference = record["properties"].get(around, {}).get("$ref", "")
        if reference:
            return sorted(records[reference.rsplit("/", 1)[-1]]["properties"])
    return sorted(schema["properties"])

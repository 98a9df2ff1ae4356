"""Who may import what: read from the sources, so that it holds for imports inside functions too."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@cache
def read(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Every module that a file imports, by its full dotted name, and what it does at once."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
        found |= modules(node)
    return frozenset(found), frozenset().union(*map(modules, tree.body))


def modules(node: ast.AST) -> set[str]:
    """The modules that a statement imports; what it imports from them may be modules too."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, by its full dotted name."""
    return read(path)[0]


def at_the_top(path: Path) -> frozenset[str]:
    """The modules that are imported as soon as the file is, type checking aside."""
    return read(path)[1]


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def names(paths: Iterator[Path] | list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


PIPELINE = list(sources("pipeline"))


def test_there_is_something_to_look_at() -> None:
    assert len(PIPELINE) > 30
    assert "numpy" in packages(ROOT / "pipeline" / "records.py")


def test_models_know_nothing_of_the_pipeline() -> None:
    assert names([p for p in sources("models") if "pipeline" in packages(p)]) == []


def test_records_import_nothing_of_ours() -> None:
    assert not packages(ROOT / "pipeline" / "records.py") & {"pipeline", "models"}


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("av", "pipeline/media/"),
        ("ray", "pipeline/run/ray_"),
        ("prometheus_client", "pipeline/measure/"),
        ("yaml", "pipeline/config/load.py"),
        ("fastapi", "pipeline/control/"),
        ("uvicorn", "pipeline/control/"),
    ],
)
def test_a_library_is_imported_in_one_place(package: str, allowed: str) -> None:
    users = [*PIPELINE, *sources("models")]
    found = names([path for path in users if package in packages(path)])
    assert found
    assert [name for name in found if not name.startswith(allowed)] == []


def test_media_never_import_torch() -> None:
    media = list(sources("pipeline/media"))
    assert media
    assert names([p for p in media if packages(p) & {"torch", "torchvision", "models"}]) == []


def test_the_pipeline_imports_torch_inside_functions_alone() -> None:
    heavy = {"torch", "torchvision", "safetensors"}
    tops = {path: {name.split(".")[0] for name in at_the_top(path)} for path in PIPELINE}
    assert names([path for path, top in tops.items() if top & heavy]) == []


def test_the_fast_tests_do_without_ray() -> None:
    starts_ray = ("ray.", "pipeline.run.ray_", "tests.clusters.")
    users = [
        path
        for path in sources("tests")
        if any(f"{name}.".startswith(starts_ray) for name in imports(path))
    ]
    assert users
    for path in users:
        text = path.read_text(encoding="utf-8")
        marked = "pytestmark = [pytest.mark.ray" in text
        assert marked or path.name == "clusters.py", f"{path}: mark all of its tests"
        first = {name for name in at_the_top(path) if name.startswith(("ray", "pipeline.run.ray_"))}
        assert not first, f"{path}: import Ray inside functions, or collecting the file needs it"


def test_nothing_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "common", "helpers", "core", "types", "queue", "logging", "time"}
    everything = [*PIPELINE, *sources("models"), *sources("tests")]
    assert names([path for path in everything if path.stem in vague]) == []

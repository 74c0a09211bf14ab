"""Who may import whom, and what stays out of the domain: a law, not a habit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "billing_assets"

VOCABULARY = {"errors", "columns", "money", "periods", "identity", "numerals", "group_values", "line_order", "wording"}
LEVELS: list[set[str]] = [
    VOCABULARY,
    {"catalog"},
    {"schemas"},
    {"ingestion", "metering", "rating", "charges", "commitments", "invoicing", "bookkeeping"},
    {"reconcile"},
    {"pipeline"},
    {"storage"},
    {"runs"},
    {"defs"},
    {"definitions", "cli"},
    {"__main__"},
]
RANK = {name: level for level, names in enumerate(LEVELS) for name in names}
STAGES = ("ingestion", "metering", "rating", "charges", "commitments", "invoicing", "bookkeeping")
DOMAIN = (*STAGES, "pipeline", "reconcile", *sorted(VOCABULARY))
ONLY_IN = {"dagster": {"defs", "definitions"}, "deltalake": {"storage"}, "typer": {"cli"}, "rich": {"cli"}}
FORBIDDEN_CALLS = ("datetime.now", "datetime.utcnow", "time.time", "os.environ", "os.getenv", "random.", "uuid.")


def sources(parts: tuple[str, ...] | None = None) -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part != "__init__" and (parts is None or part in parts):
            yield part, path, ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_imports_go_upward_only() -> None:
    breaches = []
    for part, path, tree in sources():
        for line, name in imported(tree):
            if not name.startswith("billing_assets."):
                continue
            target = name.split(".")[1]
            if target == "__version__" or target == part:
                continue
            siblings = part in LEVELS[0] and target in LEVELS[0]
            # Within its level only the vocabulary may be shared; siblings of the domain meet through frames.
            if not siblings and RANK[target] >= RANK[part]:
                breaches.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert breaches == []


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_one_part_knows_each_library(library: str) -> None:
    breaches = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for part, path, tree in sources()
        for line, name in imported(tree)
        if name.split(".")[0] == library and part not in ONLY_IN[library]
    ]
    assert breaches == []


def test_the_domain_has_no_clock_no_chance_no_environment_and_no_float() -> None:
    breaches = []
    for _, path, tree in sources(DOMAIN):
        for node in ast.walk(tree):
            where = f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                breaches.append(f"{where} has the float {node.value}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
                breaches.append(f"{where} calls float()")
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith(FORBIDDEN_CALLS):
                breaches.append(f"{where} uses {ast.unparse(node)}")
            if isinstance(node, ast.Attribute) and node.attr in {"map_elements", "iter_rows", "Float64", "Float32"}:
                breaches.append(f"{where} uses {node.attr}")
    assert breaches == []


def test_the_domain_does_not_collect() -> None:
    breaches = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for _, path, tree in sources(DOMAIN)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"collect", "collect_all", "fetch"}
    ]
    assert breaches == []


def test_every_module_says_what_it_is() -> None:
    silent = [str(path.relative_to(PACKAGE)) for _, path, tree in sources() if not ast.get_docstring(tree)]
    assert silent == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "base", "types"])
def test_no_module_is_named_after_nothing(name: str) -> None:
    assert not list(PACKAGE.rglob(f"{name}.py"))

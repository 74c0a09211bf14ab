"""The files of a catalog: which there are, and what each holds as plain values with their lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from billing_assets.catalog.book import COLLECTIONS
from billing_assets.catalog.naming import suggestion
from billing_assets.errors import Problem

FieldPath = tuple[str | int, ...]

TABLE_SUFFIXES = (".jsonl", ".parquet")
YAML_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Batch:
    """The objects of one collection in one file, in order; `line_of(row, path)` is where a field of one is written."""

    file: str
    collection: str
    rows: list[object]
    line_of: Callable[[int, FieldPath], int]

    def problem(self, row: int, path: FieldPath, message: str) -> Problem:
        where = path_text((self.collection, row, *path) if self.collection != "settings" else ("settings", *path))
        return Problem(self.file, self.line_of(row, path), where, message)


@dataclass
class Reading:
    """What has been read so far: batches, problems, and whether every file could be read."""

    batches: list[Batch] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True

    def unreadable(self, file: str, line: int, message: str) -> None:
        self.problems.append(Problem(file, line, "", message))
        self.complete = False


def path_text(path: FieldPath) -> str:
    """`contracts[2].overrides[0].multiplier`"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def catalog_files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Files that belong to a catalog, in the order of their path relative to `directory` (by code point)."""
    found = (
        (path.relative_to(directory).as_posix(), path)
        for path in directory.rglob("*")
        if path.suffix in (*YAML_SUFFIXES, *TABLE_SUFFIXES) and path.is_file()
    )
    return iter(sorted((name, path) for name, path in found if not _hidden(name)))


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def collection_of(name: str, path: Path, reading: Reading) -> str | None:
    """The collection that a table file holds, by its name; unknown ones are a problem."""
    if path.stem in COLLECTIONS:
        return path.stem
    hint = suggestion(path.stem, COLLECTIONS)
    reading.unreadable(name, 0, f"found a file of {path.stem!r}, expected a collection: {', '.join(COLLECTIONS)}{hint}")
    return None

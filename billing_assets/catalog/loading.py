"""Loading: a directory of files to a catalog, or all of its problems at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from billing_assets.catalog.book import COLLECTIONS, TERMS, Catalog, assemble
from billing_assets.catalog.bulk import without_cycle_collection
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import ONE_OF
from billing_assets.catalog.rules.book import RULES, WARNINGS, Rule
from billing_assets.catalog.rules.double_rating import double_rated
from billing_assets.catalog.rules.uniqueness import given_twice
from billing_assets.catalog.settings import Settings
from billing_assets.catalog.shape import shaped
from billing_assets.catalog.sources import Batch, FieldPath, Reading, catalog_files, collection_of
from billing_assets.catalog.table_source import read_json_lines, read_parquet
from billing_assets.catalog.yaml_source import read_yaml
from billing_assets.errors import CatalogError, Problem

_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {"settings": TypeAdapter(tuple[Settings, ...]), **COLLECTIONS}
_TERMS: Mapping[str, Any] = {"settings": Settings, **TERMS}


@dataclass(frozen=True)
class Placed:
    """A term of the right shape, and where it is written."""

    term: Any
    batch: Batch
    row: int

    def problem(self, path: FieldPath, message: str) -> Problem:
        return self.batch.problem(self.row, path, message)


@without_cycle_collection
def load_catalog(directory: Path) -> Catalog:
    """The catalog of a directory. Raises CatalogError with every problem of every file."""
    reading = read(Path(directory))
    problems = list(reading.problems)
    placed, ids = _shape(reading, problems)
    names = _names(placed, ids)
    warnings: list[Problem] = []
    if reading.complete:
        # With a file missing, every reference into it would look broken.
        problems += _breaches(placed, names, RULES)
        problems += _twice(placed, names)
        doubles = _doubles(placed, names)
        (warnings if names.settings and names.settings.allow_double_rating else problems).extend(doubles)
        warnings += _breaches(placed, names, WARNINGS)
    if problems or names.settings is None:
        raise CatalogError(dict.fromkeys(problems))
    return assemble(names.settings, {name: _terms(placed, name) for name in COLLECTIONS}, sorted(warnings))


def read(directory: Path) -> Reading:
    """The plain values of every file, in the order of the files' paths."""
    reading = Reading()
    if not directory.is_dir():
        reading.unreadable(str(directory), 0, "found no such directory, expected the directory of the catalog")
        return reading
    files = list(catalog_files(directory))
    if not files:
        message = (
            "found no catalog files, expected *.yaml, or <collection>.jsonl or .parquet; `billing init` makes some"
        )
        reading.unreadable(str(directory), 0, message)
    for name, path in files:
        try:
            _read_file(name, path, reading)
        except OSError as error:
            reading.unreadable(name, 0, f"unreadable: {error.strerror}")
    return reading


def _read_file(name: str, path: Path, reading: Reading) -> None:
    if path.suffix == ".parquet":
        if (collection := collection_of(name, path, reading)) is not None:
            read_parquet(name, collection, path, reading)
        return
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reading.unreadable(name, line, f"found the byte 0x{data[error.start]:02x}, expected UTF-8 text")
        return
    if path.suffix == ".jsonl":
        if (collection := collection_of(name, path, reading)) is not None:
            read_json_lines(name, collection, text, reading)
        return
    read_yaml(name, text, reading)


def _shape(reading: Reading, problems: list[Problem]) -> tuple[dict[str, list[Placed]], dict[str, dict[str, Problem]]]:
    """Terms by collection in catalog order, and every id that was written with its place."""
    placed: dict[str, list[Placed]] = {name: [] for name in _ADAPTERS}
    ids: dict[str, dict[str, Problem]] = {name: {} for name in _ADAPTERS}
    for batch in reading.batches:
        terms, mistakes = shaped(_ADAPTERS[batch.collection], _TERMS[batch.collection], batch.rows)
        problems += [batch.problem(*mistake) for mistake in mistakes]
        doubles = _register(batch, ids[batch.collection], problems)
        placed[batch.collection] += [Placed(term, batch, row) for row, term in terms.items() if row not in doubles]
    if reading.complete and not any(batch.collection == "settings" for batch in reading.batches):
        problems.append(Problem(_first_file(reading), 0, "settings", "missing, expected settings with starting_at"))
    return placed, ids


def _first_file(reading: Reading) -> str:
    return next((batch.file for batch in reading.batches), "")


def _register(batch: Batch, ids: dict[str, Problem], problems: list[Problem]) -> set[int]:
    """Notes the ids of a batch; returns the rows that define one a second time."""
    doubles: set[int] = set()
    for row, raw in enumerate(batch.rows):
        found = "settings" if batch.collection == "settings" else raw.get("id") if isinstance(raw, dict) else None
        if not isinstance(found, str | int):
            continue
        field: FieldPath = () if batch.collection == "settings" else ("id",)
        if (first := ids.get(str(found))) is not None:
            what = "settings" if batch.collection == "settings" else f"{ONE_OF[batch.collection]} {found!r}"
            message = f"found {what} a second time, expected once; first at {first.file}:{first.line}"
            problems.append(batch.problem(row, field, message))
            doubles.add(row)
        else:
            ids[str(found)] = batch.problem(row, field, "")
    return doubles


def _names(placed: Mapping[str, Sequence[Placed]], ids: Mapping[str, Mapping[str, Problem]]) -> Names:
    settings = next((found.term for found in placed["settings"]), None)
    by_id = {name: {found.term.id: found.term for found in placed[name]} for name in COLLECTIONS}
    return Names(settings=settings, known=ids, **by_id)


def _terms(placed: Mapping[str, Sequence[Placed]], collection: str) -> list[Any]:
    return [found.term for found in placed[collection]]


def _breaches(
    placed: Mapping[str, Sequence[Placed]], names: Names, rules: Mapping[str, Sequence[Rule]]
) -> Iterator[Problem]:
    for collection, checks in rules.items():
        for found in placed[collection]:
            for check in checks:
                for path, message in check(found.term, names):
                    yield found.problem(path, message)


def _twice(placed: Mapping[str, Sequence[Placed]], names: Names) -> Iterator[Problem]:
    where = _places(placed)
    for (collection, term_id, path), message in given_twice(names):
        yield where[collection, term_id].problem(path, message)


def _doubles(placed: Mapping[str, Sequence[Placed]], names: Names) -> list[Problem]:
    found = list(double_rated(names))
    where = _places(placed) if found else {}
    return [where["contracts", contract].problem((), message) for contract, message in found]


def _places(placed: Mapping[str, Sequence[Placed]]) -> dict[tuple[str, str], Placed]:
    return {(name, found.term.id): found for name in ("customers", "contracts") for found in placed[name]}

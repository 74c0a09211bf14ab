"""The long run of the fuzzing; what it found is in docs/reliability.md.

    python -m billing_assets_tests.faults.fuzz [INPUTS] [SEED]

INPUTS (default 2000) event files and as many catalogs, valid before some of their bytes or members were changed. Files
are read one by one, and 40 at a time by `billing ingest`; catalogs are given to `billing validate`, and the valid
ones among the first hundredth to `billing draft` on a closed book. The first input that fails is shown, made small.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from billing_assets_tests.faults.books import CATALOG, LATER
from billing_assets_tests.faults.fuzzing import (
    emptied,
    wrong_with_catalog,
    wrong_with_files,
    wrong_with_ingest,
)
from billing_assets_tests.faults.killing import undisturbed
from billing_assets_tests.faults.mutations import catalog_texts, event_files

INPUTS, SEED = 2000, 1
BASE = Path(__file__).parents[1] / "catalog" / "bad" / "base.yaml"
AT_ONCE = 40


def main(arguments: Sequence[str]) -> int:
    inputs, chosen = (*map(int, arguments), *(INPUTS, SEED)[len(arguments) :])
    catalogs = st.sampled_from([CATALOG.read_text("utf-8"), BASE.read_text("utf-8")]).flatmap(catalog_texts)
    batches = st.lists(event_files(), min_size=AT_ONCE, max_size=AT_ONCE)
    with TemporaryDirectory(prefix="billing-fuzz-") as directory:
        book = Path(directory) / "book"
        undisturbed(book)
        lake = (book / "lake").rename(Path(directory) / "lake")

        def ingested(files: list[tuple[str, bytes]]) -> list[str]:
            named = {f"{number}-{name}": content for number, (name, content) in enumerate(files)}
            return wrong_with_ingest(emptied(book), named, "2026-10-11T00:00:00Z")

        runs: list[tuple[str, int, st.SearchStrategy[Any], Callable[[Any], list[str]]]] = [
            ("event files", inputs, event_files(), lambda file: wrong_with_files(dict([file]))),
            (f"ingests of {AT_ONCE} event files", inputs // AT_ONCE, batches, ingested),
            ("catalogs", inputs, catalogs, wrong_with_catalog),
            ("catalogs, drafted", inputs // 100, catalogs, lambda text: wrong_with_catalog(text, lake, LATER)),
        ]
        for name, number, inputs_of, wrong in runs:
            fuzz(inputs_of, wrong, number, chosen)
            print(f"{number} {name}: every row accounted for, every problem listed, no traceback", flush=True)
    return 0


def fuzz(inputs: st.SearchStrategy[Any], wrong: Callable[[Any], list[str]], number: int, chosen: int) -> None:
    """Draw that many inputs; AssertionError for one that is wrong."""

    @seed(chosen)
    @settings(
        max_examples=number, derandomize=False, database=None, deadline=None, suppress_health_check=[*HealthCheck]
    )
    @given(inputs)
    def holds(drawn: Any) -> None:
        assert wrong(drawn) == []

    holds()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""A lake beside the lake: it reads the same tables, but for some of its own, and leaves the lake as it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from deltalake import CommitProperties, Transaction, write_deltalake

from billing_assets.errors import UsageError
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake
from billing_assets.storage.numbering import batches_app

METERED = ("usage_states", "usage_values", "metered_slices")
"""Tables that are made from events."""
OF_EVENTS = ("events", "ingested_files", "rejected_events", "duplicate_events")
"""What ingestion has written; beside it, its rows of `batches`."""


@contextmanager
def beside(lake: Lake, own: Collection[str], *, filled: bool = False) -> Iterator[Lake]:
    """The lake with tables of its own in place of `own`, empty, or as they are (filled), which may be written and are
    gone afterwards. Nothing else may be.

    Raises UsageError for a lake in an object store.
    """
    refuse_remote(lake)
    with TemporaryDirectory(prefix="billing-") as root:
        for table in Path(lake.root).iterdir():
            if table.name in TABLES and table.name not in own:
                (Path(root) / table.name).symlink_to(table, target_is_directory=True)
            elif table.name in own and filled:
                # No file of a Delta table is ever written again: what is added is beside them.
                shutil.copytree(table, Path(root) / table.name, copy_function=os.symlink)
        yield Lake(root)


@contextmanager
def unbilled(lake: Lake) -> Iterator[Lake]:
    """The lake as if all its events had been ingested and nothing had ever been billed. All but the events may be
    written. Raises UsageError for a lake in an object store."""
    refuse_remote(lake)
    with beside(lake, [name for name in TABLES if name not in OF_EVENTS]) as scratch:
        ingested = lake.collect(lake.scan("batches").filter(pl.col("sequence") == "ingest"))
        last = lake.transaction("batches", batches_app("ingest"))
        if last is not None:
            properties = CommitProperties(app_transactions=[Transaction(batches_app("ingest"), last)])
            write_deltalake(str(Path(scratch.root) / "batches"), ingested, commit_properties=properties)
        yield scratch


def refuse_remote(lake: Lake) -> None:
    if not lake.is_local:
        raise UsageError(f"{lake.root}: this works on a lake on a disk; copy the lake to one first")

"""How the lake came to be what it is: batches, actions, catalog versions, failed checks."""

from __future__ import annotations

from billing_assets.schemas.fields import Table, Timestamp, optional, required


class Batches(Table):
    """Numbered batches. Grain: (sequence, batch_no, state, attempt). The INTENT with the highest attempt stands."""

    sequence: str = required("ingest or books", one_of=("ingest", "books"))
    batch_no: int = required("1, 2, 3, ... in each sequence")
    state: str = required("INTENT, then COMMITTED", one_of=("INTENT", "COMMITTED"))
    attempt: int = required("0; one more where an intent that reached no table was replaced")
    at: Timestamp = required("When the row was written, by the run's clock")
    by: str = optional("Who, or which job")
    intent: str = optional("JSON: all that the batch's result depends on; null on COMMITTED")
    result: str = optional("JSON: rows, content hash, Delta version per table; null on INTENT")
    engine_version: str = required("Version of billing_assets that wrote the row")


class Actions(Table):
    """What people decided: waive, hold, release, void, regenerate, adjust, carry. Grain: action_no."""

    action_no: int = required("1, 2, 3, ...")
    kind: str = required("What is to be done")
    target: str = required("Invoice, contract or usage that it is about")
    payload: str = optional("Details, JSON")
    reason: str = required("Why")
    by: str = required("Who")
    at: Timestamp = required("When")


class CatalogVersions(Table):
    """Every catalog that a run used, whole. Grain: catalog_version."""

    catalog_version: str = required("Hash of the content")
    content: str = required("The merged catalog, JSON")
    applied_at: Timestamp = required("First use")


class CheckFailures(Table):
    """Discrepancies that stopped a batch before its first table was touched. Grain: (check, at, batch_no)."""

    check: str = required("Name of the invariant")
    at: Timestamp = required("When")
    batch_no: int = optional("Books batch that was not written; null outside a batch")
    discrepancies: str = required("The rows, JSON")

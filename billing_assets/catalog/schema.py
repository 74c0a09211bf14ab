"""The JSON Schema of the catalog's files: with it, editors complete and check them."""

from __future__ import annotations

from typing import Any

from billing_assets.catalog.book import CatalogFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema of one YAML file; every field has a description."""
    schema = CatalogFile.model_json_schema()
    return {"$schema": DIALECT, "title": "billing_assets catalog", **schema}

"""WHAT was sold: frozen models, loading, rules, and the catalog as frames.

`load_catalog` reads a directory and raises all problems at once; `resolve` gives the frames that the engine joins;
`dimension_frames` gives the tables that analysts join; `json_schema` is for editors.
"""

from billing_assets.catalog.book import Catalog, catalog_from_content
from billing_assets.catalog.comparing import changed_contracts
from billing_assets.catalog.dimensions import dimension_frames
from billing_assets.catalog.frames import CatalogFrames, resolve
from billing_assets.catalog.loading import load_catalog
from billing_assets.catalog.schema import json_schema

__all__ = [
    "Catalog",
    "CatalogFrames",
    "catalog_from_content",
    "changed_contracts",
    "dimension_frames",
    "json_schema",
    "load_catalog",
    "resolve",
]

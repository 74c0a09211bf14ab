"""The code location that `dagster dev` and `billing ui` load."""

from billing_assets.defs.definitions import definitions

defs = definitions()

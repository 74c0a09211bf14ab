"""What each frame is: one model per table of the lake, its grain in the docstring, a comment per column."""

from billing_assets.schemas.registry import TABLES, Column, Numbering, TableSpec

__all__ = ["TABLES", "Column", "Numbering", "TableSpec"]

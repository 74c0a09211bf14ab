"""An independent oracle of the billing rules, and a generator of customer books to compare it with the engine."""

from .oracle import Batch, Invoice, Line, Result, bill

__all__ = ["Batch", "Invoice", "Line", "Result", "bill"]

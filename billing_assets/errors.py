"""Errors that reach a user: each says what was found, what was expected, and the next step.

A bad event is a rejected row and a bad catalog is a list of problems; neither is an exception of its
own kind. What is raised is raised to end the command, with the exit code that it carries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One mistake in an input, at a place that a person can open.

    `file` is relative to the catalog's root; `line` counts from 1 (the row number in a Parquet or JSON Lines
    file, 0 where there is none); `path` is the field, as `contracts[2].overrides[0].multiplier`.
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: {self.message}"


class BillingError(Exception):
    """Base of everything that the command line reports without a traceback."""

    exit_code = 3


class CatalogError(BillingError):
    """The catalog has problems; all of them, in the order of file and line."""

    exit_code = 1

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(f"{len(self.problems)} problem(s) in the catalog")

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class CatalogContradiction(BillingError):
    """The catalog lacks what the books need to tell what is billed already."""

    exit_code = 1


class UsageError(BillingError):
    """A command was called in a way that cannot work, whatever the data."""

    exit_code = 2


class LakeError(BillingError):
    """A table of the lake cannot be read or written; the message names it."""


class Overflow(BillingError):
    """A sum or a product does not fit a decimal of the books."""


class SchemaBreach(BillingError):
    """A frame about to be written breaks the contract of its table."""


class InvariantBreach(BillingError):
    """A gate before a commit failed; nothing was written. `check_failures` has the discrepancies."""


class BatchConflict(BillingError):
    """An unfinished batch was opened by another engine version and has already reached a table."""


class Overtaken(BillingError):
    """Another process changed, meanwhile, what a computation had been made from; nothing was written. Do it again."""

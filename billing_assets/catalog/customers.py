"""Customers: who pays, and the names under which their events arrive."""

from __future__ import annotations

from pydantic import Field

from billing_assets.catalog.commits import SharedCommit, SharedCredit
from billing_assets.catalog.terms import Term
from billing_assets.catalog.values import Id, Text


class Customer(Term):
    """A customer."""

    id: Id = Field(description="Identifies the customer; events may name it.")
    name: Text = Field(description="Name on invoices.")
    ingest_aliases: tuple[Id, ...] = Field(default=(), description="Other names under which events arrive.")
    email: Text | None = Field(default=None, description="Where invoices go.")
    address: dict[str, str] = Field(default_factory=dict, description="Postal address, by part; stored as issued.")
    tax_ids: tuple[Text | dict[str, str], ...] = Field(default=(), description="Tax ids, as text or by part.")
    commits: tuple[SharedCommit, ...] = Field(default=(), description="Commits shared by the customer's contracts.")
    credits: tuple[SharedCredit, ...] = Field(default=(), description="Credits shared by the customer's contracts.")

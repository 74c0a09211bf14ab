"""The commands: each joins the application when its module is imported."""

from billing_assets.cli import (
    adjust,
    balances,
    check,
    close,
    draft,
    export,
    ingest,
    init,
    invoices,
    schema,
    show,
    status,
    ui,
    unbilled,
    usage,
    validate,
)
from billing_assets.cli.command import app

__all__ = [
    "adjust",
    "app",
    "balances",
    "check",
    "close",
    "draft",
    "export",
    "ingest",
    "init",
    "invoices",
    "schema",
    "show",
    "status",
    "ui",
    "unbilled",
    "usage",
    "validate",
]

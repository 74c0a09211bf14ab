"""The commands: each joins the application when its module is imported."""

from billing_assets.cli import (
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
    "app",
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

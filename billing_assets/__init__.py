"""Usage-based billing as a batch over a lakehouse: raw usage events to exact, reproducible invoices."""

__version__ = "0.1.0"

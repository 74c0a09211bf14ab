"""The keys by which usage is counted, and the words for what becomes of it."""

from __future__ import annotations

GROUP = ("contract_id", "period_start", "product_id", "pricing_group_values", "presentation_group_values")
"""One quantity: of a product, in a billing period of a contract, for one combination of group values."""

SLICE = ("measure_id", "customer_ref", "group_values", "window_start", "batches_after")
"""Merged states of neighbouring hours that every term of the catalog treats alike; see `slices`."""

SLICE_OF_METRIC = (*SLICE, "billable_metric_id")
"""What has one disposition."""

BILLED, SETTLED, LATE, ELSEWHERE = "billed", "settled", "late_usage", "elsewhere"
UNRATED, WAIVED = "unrated", "waived"
NOT_ENTITLED, EXCLUDED = "not_entitled", "excluded_by_usage_filter"
NO_PRODUCT, NO_CONTRACT, UNATTRIBUTED = "no_product", "no_contract", "unattributed"
EXCEPTION, UNMATCHED = "metric_exception", "no_metric"

PRECEDENCE: tuple[str, ...] = (
    BILLED,
    SETTLED,
    LATE,
    ELSEWHERE,
    UNRATED,
    WAIVED,
    NOT_ENTITLED,
    EXCLUDED,
    NO_PRODUCT,
    NO_CONTRACT,
    UNATTRIBUTED,
    UNMATCHED,
)
"""Where an (event, metric) could be several things, the first holds: billed by any product is billed.

settled: in a period that is final, and part of it. late_usage: in a period that is final, but accepted after it.
elsewhere: in an open period that this computation is not about.
"""

CODE = {name: code for code, name in enumerate(PRECEDENCE)}
NOT_OURS = (SETTLED, ELSEWHERE)
"""Dispositions that another computation has listed or will list."""

SEPARATOR = "\x1f"
"""Between the names of keys in a `signature`."""

PRODUCTS = 2**20
CANDIDATES = 2**56
"""Bounds of `preference`: contract_position * PRODUCTS + product_position, which orders candidates of one code."""

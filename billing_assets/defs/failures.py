"""How a step of ours fails: with one message that says what to do, and again only where that can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from billing_assets.errors import BillingError, LakeError

MAX_RETRIES_TAG = "dagster/max_retries"
NEVER = "0"
"""Value of the tag with which nothing of a run is done again: whoever called repeats it."""

STEP_RETRIES = dg.RetryPolicy(max_retries=2, delay=20, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For what may pass: a table that cannot be read or written just now. Every step may run twice at no harm."""


@contextmanager
def told(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Iterator[None]:
    """Within: an error that a retry cannot mend fails the step at once, and the UI shows its message alone.

    What may pass by itself (`LakeError`, and what is no error of ours) is left to STEP_RETRIES, unless the run says
    NEVER. The error is the cause of the `dagster.Failure`.
    """
    try:
        yield
    except Exception as error:
        is_final = isinstance(error, BillingError) and not isinstance(error, LakeError)
        if is_final or context.run.tags.get(MAX_RETRIES_TAG) == NEVER:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        raise

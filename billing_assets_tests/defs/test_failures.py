"""A step is tried again where that can help, and fails at once, with its message, where it cannot."""

import dagster as dg
import pytest

from billing_assets.defs.failures import MAX_RETRIES_TAG, NEVER, told
from billing_assets.errors import BillingError, LakeError, UsageError


@pytest.mark.parametrize(
    ("error", "tags", "attempts"),
    [
        (LakeError("table invoices cannot be read"), {}, 3),
        (OSError("no route"), {}, 3),
        (UsageError("no such month"), {}, 1),
        (LakeError("table invoices cannot be read"), {MAX_RETRIES_TAG: NEVER}, 1),
    ],
)
def test_only_what_may_pass_is_tried_again(
    error: Exception, tags: dict[str, str], attempts: int, instance: dg.DagsterInstance
) -> None:
    tries: list[int] = []

    def fail(context: dg.AssetExecutionContext) -> None:
        with told(context):
            tries.append(context.retry_number)
            raise error

    asset = dg.asset(name="invoices", retry_policy=dg.RetryPolicy(max_retries=2))(fail)
    result = dg.materialize([asset], instance=instance, tags=tags, raise_on_error=False)
    assert not result.success
    assert tries == list(range(attempts))
    (failure,) = (event.step_failure_data for event in result.all_events if event.is_step_failure)
    if isinstance(error, BillingError) and attempts == 1:
        assert failure.user_failure_data.description == str(error)

"""Events become usage: metrics compile to measures, measures to hourly states, states to quantities of contracts.

compile_measures(metrics)                 what is kept of each event
hourly_states(events, measures, ...)      one scan of a day; one row per measure, reference, group, hour, ingest batch
distinct_values(events, measures, ...)    the same for metrics that count distinct values
history(states)                           what levels come to before the first day that is read
attribute(states, values, ...)            whose usage it is: references to customers, contracts, periods, products
cumulatives(attributed, segments, ...)    period-to-date quantities at the ends of segments
disposed(candidates, usage, segments)     what became of every (event, metric)
failed_slices, exceptions_by_period       events without a usable value, per invoice
listed, with_samples                      what is not billed, and why, with its first and last transaction
equation(outcome, states, ...)            accepted = billed + listed
daily_usage(attributed, ...)              the table that analysts read
"""

from billing_assets.metering.attribution import Attribution, Terms, attribute, usage_groups
from billing_assets.metering.cumulatives import cumulatives
from billing_assets.metering.daily import daily_usage
from billing_assets.metering.dispositions import disposed, equation, listed
from billing_assets.metering.exceptions import exceptions_by_period, failed_slices
from billing_assets.metering.levels import history, keeps_level
from billing_assets.metering.measures import NO_METRIC, Measure, compile_measures, measure_of, metric_frame, promotions
from billing_assets.metering.query_values import queried_places
from billing_assets.metering.samples import with_samples
from billing_assets.metering.states import distinct_values, hourly_states

__all__ = [
    "NO_METRIC",
    "Attribution",
    "Measure",
    "Terms",
    "attribute",
    "compile_measures",
    "cumulatives",
    "daily_usage",
    "disposed",
    "distinct_values",
    "equation",
    "exceptions_by_period",
    "failed_slices",
    "history",
    "hourly_states",
    "keeps_level",
    "listed",
    "measure_of",
    "metric_frame",
    "promotions",
    "queried_places",
    "usage_groups",
    "with_samples",
]

"""The two forms in which an event may come, and what its keys alone say about it.

A plain event has `transaction_id, customer_id, event_type, timestamp` and `properties`, which may be absent (no
properties). Any other field is refused (`unknown_field`): a misspelt `propertys` would otherwise be usage without its
quantities. A line with `specversion`, or with `id` but no `transaction_id`, is read as a CloudEvent 1.0: `id, subject,
type, time` and `data`; its other attributes are extensions of the sender and tolerated, as the standard asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from billing_assets.ingestion.reasons import Reason

Finding = tuple[Reason, str]
"""A reason and its detail."""

VERSION_KEY = "specversion"
VERSION = "1.0"
BINARY_KEY = "data_base64"


@dataclass(frozen=True, slots=True)
class Dialect:
    """Names of the fields, in the order in which their mistakes are reported."""

    transaction_id: str
    customer: str
    event_type: str
    timestamp: str
    properties: str
    open_ended: bool

    @property
    def required(self) -> tuple[str, str, str, str]:
        return (self.transaction_id, self.customer, self.event_type, self.timestamp)


PLAIN = Dialect("transaction_id", "customer_id", "event_type", "timestamp", "properties", open_ended=False)
CLOUD_EVENT = Dialect("id", "subject", "type", "time", "data", open_ended=True)


def dialect_of(keys: Sequence[str]) -> Dialect:
    is_cloud_event = VERSION_KEY in keys or (CLOUD_EVENT.transaction_id in keys and PLAIN.transaction_id not in keys)
    return CLOUD_EVENT if is_cloud_event else PLAIN


def finding_of_keys(dialect: Dialect, keys: Sequence[str], property_keys: Sequence[str]) -> Finding | None:
    """What is wrong with an event whatever its values: a key twice, or a field that no event has."""
    repeated = repeated_key(keys) or repeated_key(property_keys)
    if repeated is not None:
        return repeated
    known = (*dialect.required, dialect.properties)
    unknown = [] if dialect.open_ended else [key for key in keys if key not in known]
    if unknown:
        nearest = get_close_matches(unknown[0][:64], known, n=1)
        return Reason.UNKNOWN_FIELD, unknown[0] + (f": did you mean {nearest[0]}?" if nearest else "")
    return None


def missing(field: str) -> Finding:
    return Reason.MISSING_FIELD, field


def wrong_type(field: str, expected: str, found: str) -> Finding:
    return Reason.WRONG_TYPE, f"{field}: expected {expected}, found {found}"


def wrong_version(found: str) -> Finding:
    return Reason.UNSUPPORTED_VERSION, f"{VERSION_KEY}: expected {VERSION}, found {found}"


def repeated_key(keys: Sequence[str]) -> Finding | None:
    """A key that an object has twice, the first one."""
    if len(set(keys)) == len(keys):
        return None
    return Reason.DUPLICATE_KEY, next(key for key, times in Counter(keys).items() if times > 1)

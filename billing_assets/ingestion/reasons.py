"""Why a row is refused: the codes of `rejected_events.reason` and what they mean (docs/semantics.md, Usage events).

The order is the order of precedence: a row with several mistakes is rejected for the first of them.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Codes of a reject; `MEANING` says each in a sentence."""

    INVALID_UTF8 = "invalid_utf8"
    LINE_TOO_LONG = "line_too_long"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    INVALID_ROW = "invalid_row"
    DUPLICATE_KEY = "duplicate_key"
    UNKNOWN_FIELD = "unknown_field"
    UNSUPPORTED_VERSION = "unsupported_version"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NESTED_PROPERTY = "nested_property"
    INEXACT_NUMBER = "inexact_number"
    BAD_TRANSACTION_ID = "bad_transaction_id"
    EMPTY_EVENT_TYPE = "empty_event_type"
    INVALID_TIMESTAMP = "invalid_timestamp"
    FUTURE_TIMESTAMP = "future_timestamp"
    TOO_OLD = "too_old"


MEANING: dict[Reason, str] = {
    Reason.INVALID_UTF8: "The line is not UTF-8.",
    Reason.LINE_TOO_LONG: "The line is longer than 1 MiB.",
    Reason.INVALID_JSON: "The line, or the text of its properties, is not JSON.",
    Reason.NOT_AN_OBJECT: "The line is JSON, but not an object.",
    Reason.INVALID_ROW: "A CSV row has more cells than the header has columns.",
    Reason.DUPLICATE_KEY: "A key occurs twice in one object, so that readers would disagree about its value.",
    Reason.UNKNOWN_FIELD: "A field beside the known ones; a misspelt one would otherwise be usage that nobody bills.",
    Reason.UNSUPPORTED_VERSION: "A CloudEvent of another version than 1.0.",
    Reason.MISSING_FIELD: "A required field is absent or null.",
    Reason.WRONG_TYPE: "A field has another type than it must have.",
    Reason.NESTED_PROPERTY: "A property is an object or an array.",
    Reason.INEXACT_NUMBER: "A number that cannot be kept exactly: over 400 digits beside the point, NaN, infinity.",
    Reason.BAD_TRANSACTION_ID: "transaction_id must have 1 to 128 characters.",
    Reason.EMPTY_EVENT_TYPE: "event_type must not be empty.",
    Reason.INVALID_TIMESTAMP: "Not an RFC 3339 timestamp with an offset; 24:00 and leap seconds are none either.",
    Reason.FUTURE_TIMESTAMP: "More than 24 hours after the arrival of the file.",
    Reason.TOO_OLD: "Older than the backdating window at the arrival of the file, or before settings.starting_at.",
}

"""One JSON text at a time, exactly: the path of the lines that the vectorized one leaves over.

Those with an escape, a nested value, a number of unusual length, or a mistake. It decides alone what such a line is;
for all other lines it agrees with `shapes` (a test compares them on the same lines), only slower.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from billing_assets.ingestion.dialects import (
    BINARY_KEY,
    VERSION,
    VERSION_KEY,
    Dialect,
    Finding,
    dialect_of,
    finding_of_keys,
    missing,
    repeated_key,
    wrong_type,
    wrong_version,
)
from billing_assets.ingestion.properties import EMPTY
from billing_assets.ingestion.reasons import Reason
from billing_assets.numerals import MAX_DIGITS, plain_decimal

MAX_SHOWN = 40


class Number(str):
    """The text of a JSON number; no value is made of it."""

    __slots__ = ()


class Members(list[tuple[str, object]]):
    """The members of a JSON object in their order, repeated keys included."""


class Reading(NamedTuple):
    """What one row says: four texts as sent, canonical properties, and the first mistake where there is one."""

    transaction_id: str | None = None
    customer_ref: str | None = None
    event_type: str | None = None
    timestamp_text: str | None = None
    properties: str | None = None
    reason: str | None = None
    detail: str | None = None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=_refuse)


def read_line(line: str) -> Reading:
    """The event in one line of JSON; a mistake is a reading with its reason, never an exception."""
    value, finding = _decoded(line)
    if finding is not None:
        return _refused(finding)
    if not isinstance(value, Members):
        return _refused((Reason.NOT_AN_OBJECT, f"found {_kind(value)}"))
    return _event(value)


def read_properties(text: str) -> tuple[str | None, Finding | None]:
    """Canonical properties of a column `properties` that holds JSON text."""
    value, finding = _decoded(text)
    if finding is not None:
        return None, (finding[0], f"properties: {finding[1]}")
    if value is None:
        return EMPTY, None
    if not isinstance(value, Members):
        return None, wrong_type("properties", "an object", _kind(value))
    repeated = repeated_key([key for key, _ in value])
    return (None, repeated) if repeated else canonical(value)


def canonical(members: Members) -> tuple[str | None, Finding | None]:
    """Canonical text of the members of a properties object, or the first of them that is no flat exact value."""
    texts: dict[str, str] = {}
    for key, value in members:
        if isinstance(value, list):
            return None, (Reason.NESTED_PROPERTY, key[:MAX_SHOWN])
        text = _text(value)
        if text is not None:
            texts[key] = text
        elif value is not None:
            return None, (
                Reason.INEXACT_NUMBER,
                f"{key[:MAX_SHOWN]}: {value!s:.{MAX_SHOWN}} needs over {MAX_DIGITS} digits",
            )
    ordered = {key: texts[key] for key in sorted(texts)}
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")), None


def _text(value: object) -> str | None:
    match value:
        case Number():
            return plain_decimal(value)
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case _:
            return None


def _decoded(text: str) -> tuple[object, Finding | None]:
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:
            # An escaped half of a surrogate pair is no character, and no table could hold it.
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return None, (Reason.INVALID_JSON, f"{error.msg} at character {error.pos + 1}")
    except UnicodeEncodeError:
        return None, (Reason.INVALID_JSON, "an escaped surrogate without its other half")
    except (ValueError, RecursionError) as error:
        return None, (Reason.INVALID_JSON, "nested too deeply" if isinstance(error, RecursionError) else str(error))
    return value, None


def _event(members: Members) -> Reading:
    keys = [key for key, _ in members]
    fields = dict(members)
    dialect = dialect_of(keys)
    sent = [fields.get(name) for name in dialect.required]
    texts = [value if type(value) is str else None for value in sent]
    nested = fields.get(dialect.properties)
    finding = (
        finding_of_keys(dialect, keys, [key for key, _ in nested] if isinstance(nested, Members) else ())
        or _finding_of_version(fields)
        or _finding_of_fields(dialect.required, sent)
    )
    properties, finding = (None, finding) if finding else _properties(dialect, fields)
    reason, detail = (finding[0].value, finding[1]) if finding else (None, None)
    return Reading(texts[0], texts[1], texts[2], texts[3], properties, reason, detail)


def _finding_of_version(fields: dict[str, object]) -> Finding | None:
    if VERSION_KEY not in fields:
        return None
    version = fields[VERSION_KEY]
    is_number = isinstance(version, Number)
    return None if version == VERSION and not is_number else wrong_version(_shown(version))


def _shown(value: object) -> str:
    return str(value)[:MAX_SHOWN] if type(value) is str else _kind(value)


def _finding_of_fields(names: Sequence[str], values: Sequence[object]) -> Finding | None:
    for name, value in zip(names, values, strict=True):
        if value is None:
            return missing(name)
        if type(value) is not str:
            return wrong_type(name, "a string", _kind(value))
    return None


def _properties(dialect: Dialect, fields: dict[str, object]) -> tuple[str | None, Finding | None]:
    if dialect.open_ended and BINARY_KEY in fields:
        return None, wrong_type(dialect.properties, "an object", BINARY_KEY)
    value = fields.get(dialect.properties)
    if value is None:
        return EMPTY, None
    if not isinstance(value, Members):
        return None, wrong_type(dialect.properties, "an object", _kind(value))
    return canonical(value)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case Number():
            return "a number"
        case str():
            return "a string"
        case bool():
            return "a boolean"
        case Members():
            return "an object"
        case _:
            return "an array"


def _refused(finding: Finding) -> Reading:
    return Reading(reason=finding[0].value, detail=finding[1])

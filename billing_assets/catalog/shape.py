"""From plain values to models: everything that has the wrong shape, said as a person would say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from billing_assets.catalog.naming import listed, suggestion
from billing_assets.catalog.sources import FieldPath
from billing_assets.catalog.values import shown

Mistake = tuple[int, FieldPath, str]
"""Row, field, message."""

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
_BOUND = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def shaped(adapter: TypeAdapter[Any], annotation: Any, rows: list[object]) -> tuple[dict[int, Any], list[Mistake]]:
    """The rows that have the right shape, by number, as models; and what is wrong with the others.

    Validates all rows at once: a hundred thousand contracts are two calls at most.
    """
    try:
        return dict(enumerate(adapter.validate_python(rows))), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    mistakes = [_mistake(detail, annotation, rows) for detail in details]
    bad = {row for row, _, _ in mistakes}
    good = [row for row in range(len(rows)) if row not in bad]
    return dict(zip(good, adapter.validate_python([rows[row] for row in good]), strict=True)), mistakes


def _mistake(detail: ErrorDetails, annotation: Any, rows: list[object]) -> Mistake:
    row, *steps = detail["loc"]
    assert isinstance(row, int)
    path = _field_path(steps, rows[row], detail["type"] == "missing")
    context = detail.get("ctx", {})
    if "field" in context:
        path = (*path, str(context["field"]))
    elif detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, str(context["discriminator"]).strip("'"))
    return row, path, _message(detail, annotation, rows[row], path)


def _field_path(steps: Iterable[int | str], value: object, missing: bool) -> FieldPath:
    """The steps that are fields and positions; those that only name a union's case are left out."""
    path: list[int | str] = []
    last: int | str = ""
    for step in steps:
        last = step
        match value, step:
            case dict(), _ if step in value:
                value = value[step]
            case ((list() | tuple()), int()) if step < len(value):
                value = value[step]
            case _:
                continue
        path.append(step)
    return (*path, last) if missing else tuple(path)


def _message(detail: ErrorDetails, annotation: Any, row: object, path: FieldPath) -> str:
    context, kind = detail.get("ctx", {}), detail["type"]
    name = path[-1] if path else ""
    match kind:
        case "refused":
            return str(context["message"])
        case "missing":
            return f"missing, expected {name}: {_description(_owners(detail, annotation), str(name))}"
        case "extra_forbidden":
            written = _at(row, path[:-1])
            fields = dict.fromkeys(field for model in _owners(detail, annotation) for field in model.model_fields)
            hint = suggestion(name, _absent(fields, written))
            return f"unknown field {name!r}, expected one of {listed(fields, 40)}{hint}"
        case "union_tag_not_found":
            return f"missing, expected one of {listed(_tags(models_at(annotation, detail['loc'][1:]), str(name)))}"
        case "union_tag_invalid":
            tags = [tag.strip("'") for tag in str(context["expected_tags"]).split(", ")]
            return f"found {context['tag']!r}, expected one of {listed(tags, 20)}{suggestion(context['tag'], tags)}"
        case "unknown_kind":
            tags = str(context["expected"]).split(", ")
            found = _at(row, path)
            return f"found {shown(found)}, expected one of {listed(tags)}{suggestion(found, tags)}"
        case "literal_error":
            tags = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
            return f"found {shown(detail['input'])}, expected one of {listed(tags)}{suggestion(detail['input'], tags)}"
        case "string_too_short" | "string_pattern_mismatch" | "string_too_long":
            return f"found {shown(detail['input'])}, expected 1 to 128 characters without spaces around them"
        case "too_short":
            return "found an empty list, expected at least one element"
        case _ if kind in _BOUND:
            key, words = _BOUND[kind]
            return f"found {shown(detail['input'])}, expected {words} {context[key]}"
        case _ if kind in _EXPECTED:
            return f"found {shown(detail['input'])}, expected {_EXPECTED[kind]}"
        case _:
            return f"found {shown(detail['input'])}: {detail['msg']}"


def _owners(detail: ErrorDetails, annotation: Any) -> list[type[BaseModel]]:
    """The models that could own the field at which an error was found."""
    return models_at(annotation, detail["loc"][1:-1])


def _absent(fields: Iterable[str], written: object) -> list[str]:
    """Fields that an unknown one may have been meant for: those that are not there already."""
    return [name for name in fields if not (isinstance(written, dict) and name in written)]


def _tags(models: list[type[BaseModel]], field: str) -> list[str]:
    """The values by which the cases of a union are told apart."""
    return [tag for model in models for tag in get_args(model.model_fields[field].annotation)]


def _at(value: object, path: FieldPath) -> object:
    for step in path:
        value = value[step] if isinstance(value, dict | list) else None  # type: ignore[index]
    return value


def _description(models: list[type[BaseModel]], name: str) -> str:
    found = (model.model_fields[name].description for model in models if name in model.model_fields)
    return next((text[:1].lower() + text[1:].rstrip(".") for text in found if text), name)


def models_at(annotation: Any, steps: Iterable[int | str]) -> list[type[BaseModel]]:
    """The models that the value at `steps` may be, following fields and the cases of unions."""
    models = _models(annotation)
    for step in steps:
        if isinstance(step, int):
            continue
        fields = [model.model_fields[step].annotation for model in models if step in model.model_fields]
        if fields:
            models = [model for field in fields for model in _models(field)]
        else:
            models = [model for model in models if _has_tag(model, step)] or models
    return models


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return []
    return [model for argument in arguments for model in _models(argument)]


def _has_tag(model: type[BaseModel], tag: str) -> bool:
    fields: Mapping[str, Any] = model.model_fields
    return any(
        get_origin(field.annotation) is Literal and tag in get_args(field.annotation) for field in fields.values()
    )

"""docs/catalog.md and the JSON Schema say what the models say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from billing_assets.catalog import json_schema
from billing_assets.catalog.reference import reference
from billing_assets_tests.catalog.test_loading import WHOLE

DOCS = Path(__file__).parents[2] / "docs" / "catalog.md"
BASE = Path(__file__).parent / "bad" / "base.yaml"


def plain(path: Path) -> Any:
    """As an editor sees the file: dates are text."""
    return json.loads(
        json.dumps(YAML(typ="safe", pure=True).load(path.read_text()), default=lambda day: day.isoformat())
    )


def test_the_page_is_current() -> None:
    assert DOCS.read_text() == reference() + "\n", "python -m billing_assets.catalog.reference > docs/catalog.md"


def test_every_field_has_a_description() -> None:
    bare = [
        (name, field)
        for name, shape in json_schema()["$defs"].items()
        for field, found in shape.get("properties", {}).items()
        if not found.get("description")
    ]
    assert bare == []


@pytest.mark.parametrize("path", [*sorted(WHOLE.glob("*.yaml")), BASE], ids=lambda path: path.stem)
def test_the_schema_accepts_what_the_loader_accepts(path: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(plain(path))]
    assert errors == []


@pytest.mark.parametrize("mistake", ["unknown_field", "missing_field", "unknown_rate_type", "unknown_collection"])
def test_the_schema_refuses_wrong_shapes(mistake: str) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    assert not validator.is_valid(plain(BASE.parent / f"{mistake}.yaml"))

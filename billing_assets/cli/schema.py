"""`billing schema`: the catalog's format as JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.output import say, tell
from billing_assets.cli.settings import Settings

EXAMPLES = """
billing schema --output catalog.schema.json
billing schema | jq '."$defs" | keys'

In an editor with the YAML language server, as the first line of a catalog file:
# yaml-language-server: $schema=../catalog.schema.json
"""


@command("schema", examples=EXAMPLES)
def schema(
    settings: Settings,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write there instead of to stdout.")
    ] = None,
) -> int:
    """Print the JSON Schema of a catalog file, every field with its description.

    Editors complete and check catalog files with it. It knows the whole format; `billing validate` says what of it
    is not supported yet, and checks what a schema cannot say.
    """
    from billing_assets.catalog import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    if output is None:
        say(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        tell(f"wrote {output}")
    return 0

"""The application, and the one way in which a command joins it: with the options that all commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from billing_assets import __version__
from billing_assets.cli.manual import ManualCommand, ManualGroup
from billing_assets.cli.settings import Format, resolve

Run = TypeVar("Run", bound=Callable[..., int])

PLACES = "Places and output"
CATALOG = Annotated[
    str | None,
    typer.Option(
        "--catalog", metavar="DIR", envvar="BILLING_CATALOG", help="Directory of the catalog.", rich_help_panel=PLACES
    ),
]
EVENTS = Annotated[
    str | None,
    typer.Option(
        "--events",
        metavar="DIR|URL",
        envvar="BILLING_EVENTS",
        help="Event files: a directory or an object-store URL.",
        rich_help_panel=PLACES,
    ),
]
LAKE = Annotated[
    str | None,
    typer.Option(
        "--lake",
        metavar="DIR|URL",
        envvar="BILLING_LAKE",
        help="Delta tables: a directory or an object-store URL. Places not given here come from billing.toml in the "
        "working directory, else beside the catalog; else they are ./catalog, ./events, ./lake.",
        rich_help_panel=PLACES,
    ),
]
NOW = Annotated[
    str | None,
    typer.Option(
        "--now",
        metavar="TIMESTAMP",
        help="The time to work at, as 2026-10-01 or 2026-10-01T06:00:00Z; the clock if not given.",
        rich_help_panel=PLACES,
    ),
]
FORMAT = Annotated[
    Format,
    typer.Option(
        "--format",
        metavar="table|json",
        help="A table, or JSON on stdout alone with money as strings.",
        rich_help_panel=PLACES,
    ),
]
TRACEBACK = Annotated[
    bool, typer.Option("--traceback", help="Show where an unexpected error comes from.", rich_help_panel=PLACES)
]

app = typer.Typer(
    cls=ManualGroup,
    name="billing",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""
    billing init my-company && cd my-company      a small project to try
    billing validate                              all problems of the catalog
    billing close --month 2026-10                 event files to finalized invoices
    billing show INV-2026-000001                  one invoice, line by line
    billing COMMAND --help                        the manual page of a command
    """,
)


def command(name: str, *, examples: str) -> Callable[[Run], Run]:
    """Register a function as a command. Its first parameter is its `Settings`; it returns the exit code.

    The options that all commands share are added behind its own; `--format` only where it has none itself.
    """

    def register(function: Run) -> Run:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        parameters = [*own, *_shared(leave_out={parameter.name for parameter in own})]
        taken = {parameter.name for parameter in own}

        def run(**given: Any) -> None:
            options = {key: given[key] for key in taken}
            output = Format.TABLE if "format" in taken else given["format"]
            settings = resolve(given["catalog"], given["events"], given["lake"], given["now"], output)
            if code := function(settings, **options):
                raise typer.Exit(code)

        run.__doc__ = function.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, cls=ManualCommand, epilog=examples)(run)
        return function

    return register


def _shared(leave_out: set[str]) -> list[inspect.Parameter]:
    options: dict[str, tuple[Any, Any]] = {
        "catalog": (CATALOG, None),
        "events": (EVENTS, None),
        "lake": (LAKE, None),
        "now": (NOW, None),
        "format": (FORMAT, Format.TABLE),
        "traceback": (TRACEBACK, False),
    }
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in options.items()
        if name not in leave_out
    ]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"billing_assets {__version__}")
        raise typer.Exit


@app.callback()
def billing(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Usage-based billing as a batch over a lakehouse: raw usage events to exact, reproducible invoices.

    A month goes: validate the catalog, close the month (which ingests new event files, meters and rates them, and
    finalizes what is due), look at what is held, export.
    """

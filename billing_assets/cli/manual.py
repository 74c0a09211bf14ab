"""Help that reads like a manual page: options in sections, examples as they are typed."""

from __future__ import annotations

import inspect
from itertools import groupby
from typing import Any

from typer.core import TyperCommand, TyperGroup

GROUPS = {
    "Set up": ("init", "validate", "schema"),
    "Month end": ("ingest", "close", "draft", "export"),
    "Look": ("invoices", "show", "explain", "usage", "unbilled", "variances", "balances"),
    "Decide": ("hold", "release", "waive", "void", "regenerate", "carry", "adjust"),
    "Try out": ("diff", "simulate"),
    "Operate": ("status", "check", "verify", "ui"),
}
"""The commands as `billing --help` lists them: in the order in which a month goes."""
SECTIONS = ("Arguments", "Options", "Places and output")
EXIT_STATUS = """\
0    done; nothing is held, or nothing is due yet
1    the input has problems, a check found a difference, or an invoice is held
2    the command was called in a way that cannot work
3    a run failed"""


class ManualCommand(TyperCommand):
    """A command whose options stand in sections (their `rich_help_panel`), and whose epilog is its examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        shown = [(_section(param), record) for param in self.get_params(ctx) if (record := param.get_help_record(ctx))]
        shown.sort(key=lambda pair: SECTIONS.index(pair[0]))
        for section, records in groupby(shown, key=lambda pair: pair[0]):
            with formatter.section(section):
                formatter.write_dl([record for _, record in records])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_verbatim(formatter, "Examples", self.epilog or "")
        write_verbatim(formatter, "Exit status", EXIT_STATUS)


class ManualGroup(TyperGroup):
    """`billing` itself: its commands in groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for title, names in GROUPS.items():
            commands = [(name, command) for name in names if (command := self.get_command(ctx, name))]
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(200)) for name, command in commands])
        with formatter.section("Options"):
            formatter.write_dl([record for param in self.get_params(ctx) if (record := param.get_help_record(ctx))])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_verbatim(formatter, "Examples", self.epilog or "")
        write_verbatim(formatter, "Exit status", EXIT_STATUS)


def write_verbatim(formatter: Any, title: str, text: str) -> None:
    """A section whose lines are not wrapped."""
    with formatter.section(title):
        for line in inspect.cleandoc(text).splitlines():
            formatter.write(f"{'':>{formatter.current_indent}}{line}".rstrip() + "\n")


def _section(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return getattr(param, "rich_help_panel", None) or "Options"

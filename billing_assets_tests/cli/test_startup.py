"""How the command line starts, helps and fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from billing_assets.cli import commands
from billing_assets_tests.cli.process import environment, started

COMMANDS = tuple(sorted(set(commands.__all__) - {"app"}))


def test_help_lists_every_command_in_the_order_of_the_month(tmp_path: Path) -> None:
    shown = started(tmp_path, "--help")
    assert shown.returncode == 0
    listed = [line.split()[0] for line in shown.stdout.splitlines() if line.startswith("  ") and line[2] != " "]
    named = [name for name in listed if name in COMMANDS]
    assert sorted(named) == list(COMMANDS)
    assert [name for name in named if name in ("init", "close", "show", "void", "regenerate", "verify")] == [
        *("init", "close", "show", "void", "regenerate", "verify"),
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_manual_page_with_examples(name: str, tmp_path: Path) -> None:
    shown = started(tmp_path, name, "--help").stdout
    for part in ("Usage: billing " + name, "Examples:", "Exit status:", "--catalog", "--lake", "--now", "--format"):
        assert part in shown
    assert max(len(line) for line in shown.split("Examples:")[0].splitlines()) <= 80


def test_close_help_says_where_a_week_across_a_months_end_belongs(tmp_path: Path) -> None:
    shown = " ".join(started(tmp_path, "close", "--help").stdout.split())
    assert "belongs to the month in which it ends" in shown


def test_help_loads_neither_the_engine_nor_rich(tmp_path: Path) -> None:
    code = (
        "import sys; from billing_assets.cli import main; main(['--help']); "
        "print([name for name in ('polars', 'deltalake', 'dagster', 'pandera', 'rich') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clos"], "No such command 'clos'"),
        (["close", "--mont", "2026-10"], "No such option"),
        (["close", "--month", "2026-13"], "--month"),
        (["show"], "Missing argument"),
        (["usage", "--by", "week"], "week"),
        (["invoices", "--status", "open"], "open"),
        (["draft", "--now", "soon"], "--now"),
        (["export", "--to", "x"], "--month"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(arguments: list[str], message: str, tmp_path: Path) -> None:
    ran = started(tmp_path, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_broken_billing_toml_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "billing.toml").write_text("catalogue = 'x'\n")
    ran = started(tmp_path, "invoices")
    assert ran.returncode == 2
    assert "billing.toml" in ran.stderr
    assert "catalogue" in ran.stderr


def test_a_missing_catalog_is_a_problem_not_a_traceback(tmp_path: Path) -> None:
    ran = started(tmp_path, "close")
    assert ran.returncode == 1
    assert "no such directory" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "taken").write_text("")
    ran = started(tmp_path, "schema", "--output", "taken/schema.json")
    assert ran.returncode == 3
    assert ran.stderr == "billing: taken/schema.json: Not a directory\n"
    assert "Traceback" in started(tmp_path, "schema", "--output", "taken/schema.json", "--traceback").stderr


def test_the_version(tmp_path: Path) -> None:
    assert started(tmp_path, "--version").stdout.startswith("billing_assets ")


HINT = "billing: run the command again with --traceback to see where it comes from\n"


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        ("KeyboardInterrupt", 130, "billing: interrupted; the same command again finishes what was begun\n"),
        ("LakeError('table invoices: gone')", 3, "billing: table invoices: gone\n"),
        ("OSError(28, 'No space left on device', 'x.csv')", 3, "billing: x.csv: No space left on device\n"),
        ("RuntimeError('a bug')", 3, f"billing: unexpected RuntimeError: a bug\n{HINT}"),
        ("BrokenPipeError", 141, ""),
    ],
)
def test_what_ends_a_command_early_has_its_exit_code(error: str, code: int, told: str, tmp_path: Path) -> None:
    script = f"""
import sys
from billing_assets.cli import main
from billing_assets.cli.command import command
from billing_assets.errors import LakeError

@command("wait", examples="")
def wait(settings) -> int:
    raise {error}

sys.exit(main(["wait"]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (code, told, "")


def test_a_reader_that_stops_reading_ends_the_command_quietly(tmp_path: Path) -> None:
    pipeline = f"{sys.executable} -m billing_assets schema | head -1"
    ran = subprocess.run(["bash", "-c", pipeline], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("{\n", "")

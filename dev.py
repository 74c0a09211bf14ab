"""Everything a fresh clone needs, with Python 3.11 to 3.13 and nothing else installed.

    python3 dev.py close     install the engine into .venv and close November 2023 on the sample data
    python3 dev.py test      install the engine and its test tools into .venv, then lint, type-check and test
    python3 dev.py billing ARGS...    any command of the engine, e.g. `python3 dev.py billing show HI-2023-000001`

Each command makes what it needs; none assumes that another ran.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / "python"


def install(extra: str = "") -> None:
    """Install the project in place, once for each state of pyproject.toml and Python version."""
    wanted = hashlib.sha256(f"{sys.version}{extra}".encode() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    marker = VENV / f"installed{'-' + extra if extra else ''}"
    if marker.exists() and marker.read_text() == wanted:
        return
    if not PYTHON.exists():
        venv.create(VENV, with_pip=True)
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    print(f"installing billing_assets{f'[{extra}]' if extra else ''} into {VENV.name} (about a minute)", flush=True)
    # Compiled at install: without it every process pays three seconds more to import Dagster.
    run("-m", "pip", "install", "--quiet", "--compile", "--disable-pip-version-check", "--editable", target)
    marker.write_text(wanted)


def run(*arguments: str, accepted: tuple[int, ...] = (0,)) -> None:
    completed = subprocess.run([str(PYTHON), *arguments], cwd=ROOT, check=False)
    if completed.returncode not in accepted:
        raise SystemExit(completed.returncode)


def close() -> None:
    install()
    # `billing close` exits with 1 while an invoice is held, and the sample holds one to show how that looks.
    run("-m", "billing_assets", "close", "--month", "2023-11", "--now", "2023-12-02T00:00:00Z", accepted=(0, 1))


def test(*arguments: str) -> None:
    install("test")
    run("-m", "ruff", "check", ".")
    run("-m", "ruff", "format", "--check", ".")
    run("-m", "mypy")
    run("-m", "pytest", "-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadgroup", *arguments)


def main() -> None:
    match sys.argv[1:]:
        case ["close"]:
            close()
        case ["test", *arguments]:
            test(*arguments)
        case ["billing", *arguments]:
            install()
            run("-m", "billing_assets", *arguments)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise SystemExit(f"Python 3.11 to 3.13 is needed; this is {sys.version.split()[0]}")
    main()

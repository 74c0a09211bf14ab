"""The long run of the fault tests; what it found is in docs/reliability.md.

    python -m billing_assets_tests.faults.run [KILLS] [SEED]

Commands of a small book are killed with SIGKILL at KILLS (default 60) random instants, each is run again, and every
table is compared with that of a book that nothing disturbed. Then commands are run beside each other, and
their tables are compared with those of one after the other. Exits with 1 where anything differs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from billing_assets_tests import forking
from billing_assets_tests.cli.process import environment
from billing_assets_tests.faults.killing import Kill, killed_round, undisturbed
from billing_assets_tests.faults.racing import RACES, raced

KILLS, SEED = 60, 1


def main(arguments: Sequence[str]) -> int:
    wanted, seed = (*map(int, arguments), *(KILLS, SEED)[len(arguments) :])
    with TemporaryDirectory(prefix="billing-faults-") as directory:
        wrong = run_kills(Path(directory), wanted, Random(seed)) + run_races(Path(directory))
    say(f"{len(wrong)} differences" if wrong else "nothing lost, nothing doubled, nothing left")
    return 1 if wrong else 0


def run_kills(root: Path, wanted: int, random: Random) -> list[str]:
    """Rounds until that many commands were killed; what went wrong."""
    forking.run(("--version",), root, environment())  # the first start of all is slower than the others
    expected = undisturbed(root / "undisturbed")
    say(f"undisturbed: {', '.join(f'{name} {seconds:.1f} s' for name, seconds in expected.seconds.items())}")
    kills: list[Kill] = []
    wrong: list[str] = []
    for number in count(1):
        found = killed_round(root / str(number), expected, random)
        kills, wrong = kills + found.kills, wrong + found.wrong
        at = ", ".join(f"{kill.stage} at {kill.after:.2f} s" for kill in found.kills)
        say(f"round {number}: killed {at}: {'; '.join(found.wrong) or 'as undisturbed'}")
        if len(kills) >= wanted:
            break
    say_of(kills)
    return wrong


def run_races(root: Path) -> list[str]:
    """Every race; what went wrong."""
    wrong: list[str] = []
    for number, race in enumerate(RACES):
        found = raced(root / f"race-{number}", race)
        say(f"{race.name} at once: {'; '.join(found) or 'as one after the other'}")
        wrong += found
    return wrong


def say_of(kills: Sequence[Kill]) -> None:
    per_stage = Counter(kill.stage for kill in kills)
    say(f"{len(kills)} commands killed: {', '.join(f'{number} in the {name}' for name, number in per_stage.items())}")
    left = Counter(sequence for kill in kills for sequence in kill.open_batches)
    say(f"left an open batch of ingest: {left['ingest']}, of the books: {left['books']}")
    say(f"left a staging file: {sum(kill.staging > 0 for kill in kills)}")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

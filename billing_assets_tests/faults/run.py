"""The long run of the fault tests; what it found is in docs/reliability.md.

    python -m billing_assets_tests.faults.run [KILLS] [SEED]

Commands of a small book are killed with SIGKILL at KILLS (default 60) random instants, each is run again, and every
table is compared with that of a book that nothing disturbed; so are, at half as many instants, commands by which people
decide about invoices. Then commands are run beside each other, and
their tables are compared with those of one after the other; every table is damaged, and the message looked at; and the
book is run on disks that fill up in the middle of a command. Exits with 1 where anything differs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from billing_assets_tests import forking
from billing_assets_tests.cli.process import environment
from billing_assets_tests.faults.books import DECISIONS
from billing_assets_tests.faults.damage import wrong_with_damage
from billing_assets_tests.faults.disks import can_mount, filled_round, growth_of, wrong_read_only
from billing_assets_tests.faults.killing import Kill, Round, Undisturbed, killed_round, undisturbed
from billing_assets_tests.faults.racing import RACES, raced

KILLS, SEED = 60, 1
DISKS = 6
LONG_PATIENCE = 1200
"""Seconds for one command: the long run shares its machine, and what hangs says where (see `forking.ended`)."""


def main(arguments: Sequence[str]) -> int:
    wanted, seed = (*map(int, arguments), *(KILLS, SEED)[len(arguments) :])
    forking.PATIENCE = LONG_PATIENCE
    with TemporaryDirectory(prefix="billing-faults-") as directory:
        root, random = Path(directory), Random(seed)
        forking.run(("--version",), root, environment())  # the first start of all is slower than the others
        expected = undisturbed(root / "undisturbed")
        wrong = run_kills(root, expected, wanted, random) + run_decisions(root, wanted // 2, random) + run_races(root)
        wrong += run_damage(root) + run_disks(root, expected, random)
    say(f"{len(wrong)} differences" if wrong else "nothing lost, nothing doubled, nothing left")
    return 1 if wrong else 0


def run_kills(root: Path, expected: Undisturbed, wanted: int, random: Random) -> list[str]:
    """Rounds until that many commands were killed; what went wrong."""
    return rounds(wanted, expected, lambda number: killed_round(root / str(number), expected, random))


def run_decisions(root: Path, wanted: int, random: Random) -> list[str]:
    """The same of what people decide about the closed book: hold, release, waive, void, regenerate."""
    base = root / "undisturbed"
    expected = undisturbed(root / "decided", DECISIONS, base)
    return rounds(
        wanted, expected, lambda number: killed_round(root / f"decided-{number}", expected, random, DECISIONS, base)
    )


def rounds(wanted: int, expected: Undisturbed, killed: Callable[[int], Round]) -> list[str]:
    """Rounds until that many commands were killed; what went wrong."""
    say(f"undisturbed: {', '.join(f'{name} {seconds:.1f} s' for name, seconds in expected.seconds.items())}")
    kills: list[Kill] = []
    wrong: list[str] = []
    for number in count(1):
        found = killed(number)
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


def run_damage(root: Path) -> list[str]:
    """Every table damaged; what was not said."""
    done, wrong = wrong_with_damage(root / "undisturbed")
    say(f"{done} damaged files: {'; '.join(wrong) or 'each named, or not read'}")
    return wrong


def run_disks(root: Path, expected: Undisturbed, random: Random) -> list[str]:
    """Rounds on disks that fill up, and a disk that takes no write; what went wrong."""
    if not can_mount():
        say("disks that fill up, a disk that takes no write: NOT RUN, since only root can mount them")
        return []
    grown, full, wrong = growth_of(root / "growing"), 0, list[str]()
    for number in range(DISKS):
        times, found = filled_round(root / f"disk-{number}", expected, random, grown)
        full, wrong = full + times, wrong + found
    say(f"{full} of {DISKS * len(grown)} commands met a full disk: {'; '.join(wrong) or 'said so, and were finished'}")
    read_only = wrong_read_only(root / "undisturbed")
    say(f"a lake that takes no write: {'; '.join(read_only) or 'said so, left as it was, and could be read'}")
    return wrong + read_only


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

"""Where the generator's decisions come from: Hypothesis (shrinks) or a seed (fast, many books in one close)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """Decisions; the first element, the lower bound and False are the simplest."""

    def integer(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        ...

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        ...


class Seeded:
    """Decisions of a seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return self.random.randint(low, high)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.random.randrange(len(options))]


class Drawn:
    """Decisions of Hypothesis."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]):
        self.draw = draw

    def integer(self, low: int, high: int) -> int:
        """A whole number in [low, high], shrinking to low."""
        return int(self.draw(st.integers(low, high)))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, shrinking to the first."""
        return options[self.integer(0, len(options) - 1)]


def chance(choices: Choices, percent: int) -> bool:
    """True with about this probability; False is simpler."""
    return choices.integer(0, 99) >= 100 - percent


def several(choices: Choices, low: int, high: int, make: Callable[[], T], percent: int = 60) -> list[T]:
    """Between low and high elements, each beyond low with `percent` probability; an element can be deleted alone."""
    found = [make() for _ in range(low)]
    while len(found) < high and chance(choices, percent):
        found.append(make())
    return found


def subset(choices: Choices, options: Sequence[T], percent: int) -> list[T]:
    """Each option with `percent` probability, in order."""
    return [one for one in options if chance(choices, percent)]


def number(choices: Choices, largest: int, negative: int = 0, zero: bool = True) -> str:
    """Decimal text with up to 12 places: mostly small, sometimes long; `negative`: how often, in percent."""
    kind = choices.integer(0, 9)
    if kind < 5:
        whole, places = choices.integer(0, min(20, largest)), 0
    else:
        whole, places = choices.integer(0, min(largest, (100, 10**6, largest)[kind % 3])), (kind - 4) * 2
    digits = choices.integer(0, 10**places - 1) if places else 0
    if not zero and whole == digits == 0:
        whole = 1
    text = f"{whole}.{digits:0{places}}" if places else str(whole)
    return "-" + text if negative and chance(choices, negative) and text.strip("0.") else text

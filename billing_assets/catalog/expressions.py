"""The expression of a CUSTOM rate: a small grammar over `quantity`, read into a tree; nothing is ever executed as code.

    sum     := product (("+" | "-") product)*
    product := signed (("*" | "/") signed)*          a divisor is a number other than 0
    signed  := ("+" | "-") signed | number | "quantity" | "(" sum ")" | function "(" sum ("," sum)* ")"

Functions: min, max (of two or more), abs, floor, ceil, round (to a whole number, or to the places that a number says).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from pydantic_core import PydanticCustomError

from billing_assets.catalog.naming import suggestion
from billing_assets.catalog.values import number

LONGEST, DEEPEST = 1000, 40
"""Bounds of an expression, in characters and in nested parts."""

FUNCTIONS = {"min": (2, 32), "max": (2, 32), "abs": (1, 1), "floor": (1, 1), "ceil": (1, 1), "round": (1, 2)}
"""How many arguments each function takes, at least and at most."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+"
_TOKEN = re.compile(rf"\s*(?:({_NUMBER})|([A-Za-z_]\w*)|(.))", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, exact as it was written."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Quantity:
    """The quantity that is charged."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` is one of + - * / (a unary minus is 0 - x) or of FUNCTIONS."""

    name: str
    operands: tuple[Formula, ...]


Formula = Constant | Quantity | Operation


class ExpressionError(ValueError):
    """What was found in an expression, and what was expected."""


def parse_expression(text: str) -> Formula:
    """The tree of an expression; ExpressionError says what is wrong with it."""
    if len(text) > LONGEST:
        raise ExpressionError(f"found {len(text)} characters, expected at most {LONGEST}")
    reader = _Reader(text)
    found = reader.sum(0)
    if reader.token:
        reader.refuse("an operator or the end")
    return found


class _Reader:
    """Reads tokens from left to right; `token` is the next one, empty at the end."""

    def __init__(self, text: str) -> None:
        self._tokens = [part for match in _TOKEN.finditer(text.strip()) if (part := "".join(match.groups("")))]
        self._at = 0

    @property
    def token(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        token = self.token
        self._at += 1
        return token

    def refuse(self, expected: str) -> NoReturn:
        found = repr(self.token) if self.token else "the end"
        raise ExpressionError(f"found {found} at part {self._at + 1} of the expression, expected {expected}")

    def sum(self, depth: int) -> Formula:
        if depth > DEEPEST:
            raise ExpressionError(f"found parts nested deeper than {DEEPEST}, expected a simpler expression")
        found = self.product(depth)
        while self.token in ("+", "-"):
            found = Operation(self.take(), (found, self.product(depth)))
        return found

    def product(self, depth: int) -> Formula:
        found = self.signed(depth)
        while self.token in ("*", "/"):
            operator = self.take()
            operand = self.signed(depth)
            if operator == "/" and not (isinstance(operand, Constant) and operand.value):
                raise ExpressionError("found a division by what is not a number, expected a number other than 0")
            found = Operation(operator, (found, operand))
        return found

    def signed(self, depth: int) -> Formula:
        negative = False
        while self.token in ("+", "-"):
            negative ^= self.take() == "-"
        found = self.primary(depth)
        if not negative:
            return found
        return Constant(-found.value) if isinstance(found, Constant) else Operation("-", (Constant(Decimal(0)), found))

    def primary(self, depth: int) -> Formula:
        token = self.token
        if token == "(":
            self.take()
            found = self.sum(depth + 1)
            self.expect(")")
            return found
        if token[:1].isdigit() or (token.startswith(".") and len(token) > 1):
            return Constant(_number(self.take()))
        if token == "quantity":
            self.take()
            return Quantity()
        if not token.isidentifier():
            self.refuse("a number, quantity, a function or a parenthesis")
        return self.function(depth)

    def function(self, depth: int) -> Formula:
        name = self.token
        if name not in FUNCTIONS:
            known = ("quantity", *FUNCTIONS)
            raise ExpressionError(f"found {name!r}, expected {', '.join(known)}{suggestion(name, known)}")
        self.take()
        self.expect("(")
        operands = [self.sum(depth + 1)]
        while self.token == ",":
            self.take()
            operands.append(self.sum(depth + 1))
        self.expect(")")
        least, most = FUNCTIONS[name]
        if not least <= len(operands) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise ExpressionError(f"found {len(operands)} arguments of {name}, expected {wanted}")
        if name == "round" and len(operands) == 2:
            _check_places(operands[1])
        return Operation(name, tuple(operands))

    def expect(self, token: str) -> None:
        if self.token != token:
            self.refuse(repr(token))
        self.take()


def _number(text: str) -> Decimal:
    try:
        return number(text)
    except PydanticCustomError as error:
        raise ExpressionError(error.message()) from None


def _check_places(places: Formula) -> None:
    if not (isinstance(places, Constant) and places.value in range(13)):
        raise ExpressionError("found other places of round than a whole number from 0 to 12, expected one")

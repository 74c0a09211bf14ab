"""Late lines explained: a closed period with the events that its invoice had seen, and with those that came since; or
by the catalog by which somebody had its difference carried."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from billing_assets.catalog.citing import cited_rate
from billing_assets.cli.explain_line import Check, Explanation, in_force, line_key, of_line, span_frame
from billing_assets.cli.figures import counted, moment, money
from billing_assets.cli.output import Row, records

if TYPE_CHECKING:
    from billing_assets.runs.explained import Explained, Late

NO_USAGE = "a line beside usage (a fee, discount, cap or minimum):"


def with_late(made: Explanation, found: Explained) -> Explanation:
    """A late line: what the events that came since change of a line of a closed period."""
    import polars as pl

    line = made.line
    for one in records(found.carried.lines.filter(pl.col("line_item_id") == line["line_item_id"])):
        return _carried(made, one, found)
    for late in found.late:
        own = late.lines.filter(pl.col("line_item_id") == line["line_item_id"])
        if own.is_empty():
            continue
        carried = own["carried"][0]
        made.facts.append(
            ("corrects", f"{own['corrects_number'][0]} ({line['corrects_line_item_id']}), "
             f"which had seen ingest batches up to {late.seen_through}")
        )  # fmt: skip
        if not late.after or not _is_usage(line):
            made.facts.append(
                (
                    "late",
                    f"{NO_USAGE} the period, computed with all of its usage, has it higher or "
                    f"lower by this ({money(carried, line['amount_unit'])} were billed late before)",
                )
            )
            return made
        return _late_usage(made, late, carried)
    made.facts.append(("late", f"the closed period of {line['corrects_line_item_id']} is no longer on the books"))
    return made


def _carried(made: Explanation, one: Row, found: Explained) -> Explanation:
    """What an action has billed of a line: by its catalog, with the events and references of now."""
    line, unit = made.line, made.line["amount_unit"]
    made.facts.append(("corrects", f"{one['corrects_number']} ({line['corrects_line_item_id']})"))
    made.facts.append(("carried", f"by {one['by']} on {moment(one['at'])}: {one['reason']}"))
    then, to = found.carried.then[line["line_item_id"]].catalog, found.carried.to[line["line_item_id"]].catalog
    rate = cited_rate(then, line["rate_id"]) if line["rate_id"] else None
    if rate is not None:
        made.facts.append(("rate as invoiced", f"{rate.id}, {in_force(rate)}: {rate.text}"))
    made.facts.append(("catalogs", f"{then.version[:12]} as invoiced, carried to {to.version[:12]}"))
    if one["recomputed"] is None:
        made.facts.append(("late", "the closed period of the line is no longer on the books"))
        return made
    difference = one["recomputed"] - one["finalized"] - one["carried"]
    made.facts.append(
        ("late", f"{money(one['recomputed'], unit)} by that catalog - {money(one['finalized'], unit)} invoiced - "
         f"{money(one['carried'], unit)} billed since by other late lines = {money(difference, unit)} {unit}")
    )  # fmt: skip
    made.checks.append(Check("amount of the late usage", one["stated"], difference))
    return made


def _is_usage(line: Row) -> bool:
    return line["discount_id"] is None and line["presentation_group_values"] is not None and bool(line["rate_id"])


def _late_usage(made: Explanation, late: Late, carried: Decimal) -> Explanation:
    import polars as pl

    line = made.line
    before, after = (
        sum((one["amount"] for one in of_line(frames["whole"], line)), Decimal(0))
        for frames in (late.before, late.after)
    )
    unit = line["amount_unit"]
    stated = sum((one["list_amount"] for one in records(late.lines) if line_key(one) == line_key(line)), Decimal(0))
    made.facts.append(
        ("late", f"{money(after, unit)} recomputed - {money(before, unit)} invoiced - {money(carried, unit)} billed "
         f"since by other late lines = {money(after - before - carried, unit)} {unit}")
    )  # fmt: skip
    made.checks.append(Check("amount of the late usage", stated, after - before - carried))
    new = span_frame(late.after["events"], line).filter(pl.col("ingest_batch") > late.seen_through)
    made.facts.append(("events since", f"{counted(new.height, 'event')} that came after the period was closed"))
    old = {one["hour_start"]: one["quantity"] for one in of_line(late.before["hours"], line)}
    hours = [
        {**one, "quantity": one["quantity"] - old.get(one["hour_start"], Decimal(0))}
        for one in of_line(late.after["hours"], line)
    ]
    changed = [one for one in hours if one["quantity"]]
    return Explanation(line, made.facts, made.terms, changed, new, made.checks)

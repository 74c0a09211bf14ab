"""How the numbers of a batch are written into Delta transactions (docs/architecture.md, Commit protocol).

Table `batches` carries `Transaction("batches/<sequence>", number)` where the number grows with every row of a sequence:
the INTENT of batch 7 is 7000, an intent that replaces it 7001, its COMMITTED row 7999. So the last committed batch is
known from the table's log alone.
"""

from __future__ import annotations

_ROOM = 1000
_COMMITTED = _ROOM - 1
MAX_ATTEMPT = _COMMITTED - 1


def batches_app(sequence: str) -> str:
    """Transaction id under which the rows of `sequence` enter table `batches`."""
    return f"batches/{sequence}"


def table_app(sequence: str, shard: str) -> str:
    """Transaction id under which a table receives the batches of `sequence`."""
    return f"{sequence}/{shard}"


def intent_number(batch_no: int, attempt: int) -> int:
    return batch_no * _ROOM + attempt


def committed_number(batch_no: int) -> int:
    """The number with which a batch is committed; 0 for batch 0, before which nothing is."""
    return batch_no * _ROOM + _COMMITTED if batch_no else 0


def last_committed(number: int | None) -> int:
    """The last committed batch of a sequence whose table `batches` has reached `number`; 0 before the first."""
    batch_no, phase = divmod(number or 0, _ROOM)
    return batch_no if phase == _COMMITTED else max(batch_no - 1, 0)

"""SQL metrics: a SELECT over `events`, read into a typed tree of this package; what the tree cannot say is refused.

tree.py      what a query can be
reading.py   a SELECT and what it selects from
scalars.py   its expressions: every kind of node that is allowed, and no other
plans.py     a metric's query as the metering computes it: a declared metric, or a query over events
"""

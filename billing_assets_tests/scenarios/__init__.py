"""Scenarios: how terms of a contract combine, one YAML file each, with the arithmetic in its comments.

A file has, all but `about` and `expected` optional:

    about       what it shows, and the rule
    contract    terms of its one contract, over the defaults: id c, customer u, card of shared.yaml, from 2026-01-01
    contracts   several contracts instead, each over the same defaults (ids of their own)
    customer    fields of its one customer u; or `customers`, several
    products, rate_cards, ...   further collections; what they define belongs to the scenario alone
    rates       rates of a card of its own that replaces the shared one (then the default card)
    events      [at, event type, value, {properties}] each; the event type is that of a metric of shared.yaml;
                {arrived: at} as a fifth element for a late one
    closes      instants of `billing close`, default one: 2026-02-03
    edits       {instant: {contract: ..., ...}}: the same keys anew, in force from that close on
    expected
        invoices    every final invoice: [type, period start or date, total], sorted; drafts are not listed
        drafts      drafts likewise, where they are part of the story
        lines       {"USAGE 2026-01-01": [[line type, product or balance, quantity, unit price, amount], ...]}
        ledger      [[segment, entry type, amount], ...] in order of time, final entries
        balances    {segment: remaining}
        held        {"USAGE 2026-01-01": [reasons]}
        unbilled    {"metric disposition": events}, of its own and the shared metrics

Ids are rewritten so that scenarios do not meet: all of one timeline run in one close, a customer each.
"""

"""Rules that a catalog must keep beyond its shape: one flat list per collection, each rule a function of one term.

A rule yields (field, message) for every breach; messages say what was found and what was expected.
"""

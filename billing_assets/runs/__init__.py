"""What a run does: ingest, meter, rate, finalize, refresh drafts, check. Each takes the lake, the catalog and `now`.

Everything that has an effect goes through a numbered batch (`batches`) or replaces a slice of a working table. The
clock, the environment and Dagster stay outside; `workspace` is where the places of a run are found.
"""

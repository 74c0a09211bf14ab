"""The only place that knows deltalake: scan a table, replace a slice of it, append a batch to it exactly once."""

"""The only part that knows Dagster: partitions, thin assets, checks, jobs, schedules, sensors."""

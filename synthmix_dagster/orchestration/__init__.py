"""The only room that knows Dagster: definitions, steps, checks, history."""

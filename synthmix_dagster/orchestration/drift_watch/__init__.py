"""Drift in Dagster: what is observed, kept and judged."""

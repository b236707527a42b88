"""A Dagster project on real flights: the first thing a newcomer runs."""

"""A Dagster project on handwritten digits: the first thing a newcomer runs."""

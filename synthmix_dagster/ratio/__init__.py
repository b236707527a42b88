"""How much synthetic data to add. No Dagster here: frames in, results out."""

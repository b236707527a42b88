"""How far the synthetic rows are from the real ones. No Dagster here: frames in, results out."""

"""Drift: since when, and by how much. Scores of batches in, a judged history out."""

"""Thresholds, verdicts and the evidence of a release."""

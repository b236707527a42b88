"""Turning columns into numbers."""

"""Rows that outgrew one machine: the same verbs, done by the executors of a Spark cluster."""

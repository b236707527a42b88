"""The data plane: opening datasets, naming rows, choosing exactly k of them, writing releases."""

"""What a person sees: metadata, plots, tables. It reads results and decides nothing."""

"""Reading rows: datasets, formats, locations, identity, alignment, contracts."""

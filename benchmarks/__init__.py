"""What it costs and how well it decides, beside named peers in the same run."""

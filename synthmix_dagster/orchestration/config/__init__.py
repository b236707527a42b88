"""What a user may set, in YAML and in Python alike, validated in one place."""

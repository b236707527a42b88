"""What a person calls: measure, recommend, mix, and their variants."""

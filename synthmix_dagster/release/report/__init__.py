"""The page that accompanies every release."""

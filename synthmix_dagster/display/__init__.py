"""What is drawn and shown with: style, rendering, HTML."""

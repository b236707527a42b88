"""Writing: selection of rows, shuffle, publishing, verification, documents."""

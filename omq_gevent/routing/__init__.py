"""One strategy per messaging pattern: where a message goes, and whose turn it is."""

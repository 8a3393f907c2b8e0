"""The security mechanisms, sans-IO: what the two peers say to each other before any message."""

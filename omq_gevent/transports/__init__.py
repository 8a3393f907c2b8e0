"""Endpoints to byte streams, or to ready connections."""

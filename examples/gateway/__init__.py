"""A web gateway that hands its requests to worker processes; ``gateway_demo.py`` runs it."""

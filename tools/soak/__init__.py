"""Processes that talk while they are killed, stopped and cut off, and an account of every message.

``python -m tools.soak`` runs it. `topology` draws who talks to whom, `node` and `relay` are the
processes, `chaos` is what happens to them, `tap` and `journal` write down what becomes of each
message, `oracle` judges that afterwards. docs/reliability.md says what is counted.
"""

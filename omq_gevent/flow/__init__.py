"""Bounded queues between user greenlets and pumps, and the signals that tell when they are empty.

Everything here belongs to one hub. Putting never switches; only the methods named ``wait`` and
``get`` do, and each of them leaves the queue as it was when an exception arrives in the wait.
"""

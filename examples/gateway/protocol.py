"""What gateway and workers say to each other, and the work itself.

=============  =================  ===========================================================
direction      frames             meaning
=============  =================  ===========================================================
to gateway     READY size news    "give me up to *size* requests; my events are at *news*"
to worker      REQUEST key body   "answer this"
to gateway     ANSWER key answer  "here it is"
to worker      STOP               "finish what you have, then end"
to gateway     LEFT               from the ROUTER itself, when a worker's connection has ended
=============  =================  ===========================================================

Requests travel from the gateway's ROUTER to the workers' DEALERs. Events go the other way, from
the workers' PUBs to the gateway's SUB: a topic (the worker's name) and a line of text.
"""

from __future__ import annotations

import hashlib
import time

READY = b"READY"
REQUEST = b"REQUEST"
ANSWER = b"ANSWER"
STOP = b"STOP"
LEFT = b"LEFT"

SERVICE_TIME = 0.01
"""Seconds that a worker waits for its imaginary database."""


def worth_telling(answered: int) -> bool:
    """Whether a worker with so many answers publishes an event: at 16, 32, 64 and so on."""
    return answered >= 16 and answered & (answered - 1) == 0


def answer_to(body: bytes) -> bytes:
    """The only right answer to *body*, so that asking twice does no harm."""
    return hashlib.sha256(body).hexdigest().encode()


def work(body: bytes) -> bytes:
    """Answer as slow code does that asks a database first."""
    time.sleep(SERVICE_TIME)
    return answer_to(body)

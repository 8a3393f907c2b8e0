"""omq_gevent in a process of its own, to be stopped: ``python our_peer.py OPTIONS``.

A DEALER with the options of a JSON object. Prints where it is bound, and sends back what comes.
"""

from __future__ import annotations

import json
import sys

import omq_gevent as omq

with omq.DEALER.bind("tcp://127.0.0.1:*", linger=0, **json.loads(sys.argv[1])) as dealer:
    print(dealer.last_endpoint, flush=True)
    for message in dealer:
        dealer.send(message)

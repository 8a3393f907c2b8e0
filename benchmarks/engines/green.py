"""zmq.green, which is pyzmq for gevent."""

from __future__ import annotations

import zmq.green

from benchmarks.engines.greenlets import GreenletEngine
from benchmarks.engines.zmq_sockets import ZmqSockets


class Engine(GreenletEngine, ZmqSockets):
    version = f"{zmq.__version__}, libzmq {zmq.zmq_version()}"
    zmq = zmq.green

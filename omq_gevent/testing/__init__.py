"""Behaviour checks for the parts that others write: mechanisms, transports, monitors, engines.

zope.interface compares names and signatures; these functions use a part as the engine would and
raise AssertionError, saying what was promised, where it behaves otherwise. Call them from a test:

>>> from omq_gevent.testing import check_monitor
>>> from omq_gevent.monitors.queue import QueueMonitor
>>> check_monitor(QueueMonitor)
"""

from omq_gevent.testing.engine import check_engine
from omq_gevent.testing.mechanism import check_mechanism
from omq_gevent.testing.monitor import check_monitor
from omq_gevent.testing.transport import check_transport

__all__ = ["check_engine", "check_mechanism", "check_monitor", "check_transport"]

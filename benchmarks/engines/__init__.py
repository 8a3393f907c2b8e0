"""What is measured: one module per implementation, all with the same small interface.

A module defines ``Engine``, a subclass of `base.Engine`. It is imported in the measured processes
only, so that no implementation burdens another.
"""

MODULES = {
    "omq_gevent": "benchmarks.engines.omq",
    "zmq.green": "benchmarks.engines.green",
    "pyzmq": "benchmarks.engines.pyzmq",
    "pyomq": "benchmarks.engines.pyomq",
    "bare": "benchmarks.engines.bare",
}
"""Name of each engine, as the table shows it, and the module with its adapter."""

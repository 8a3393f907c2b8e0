"""What is done with each engine: one module per workload.

A module defines its points (the rows of the table), each with ``prepare`` and ``run`` for the
measuring process, and the steps that the measured processes take: functions of the engine, its
open sockets and JSON arguments.
"""

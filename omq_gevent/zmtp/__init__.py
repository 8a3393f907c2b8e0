"""The ZeroMQ wire protocol, ZMTP 3.1, sans-IO: bytes in, messages and commands out, and back.

Nothing here knows a socket, a greenlet or a clock, so every module can be driven from a test with
plain bytes, and the same code serves every transport that carries a byte stream.
"""

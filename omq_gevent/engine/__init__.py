"""The gevent engine: lifecycles, pumps and the barrier that takes them down together."""

"""omq_gevent beside other implementations of ZeroMQ, each in two processes of its own."""

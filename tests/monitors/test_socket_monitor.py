"""Socket.monitor: what may be handed over, and what it costs."""

from __future__ import annotations

import gc
import weakref

import gevent
import pytest
from zope.interface import implementer

from omq_gevent import PULL, PUSH, NotRegistered
from omq_gevent.interfaces import IMonitor
from omq_gevent.monitors.callable import CallableMonitor
from omq_gevent.monitors.logging import LoggingMonitor
from omq_gevent.monitors.queue import QueueMonitor


@pytest.fixture
def push():
    with PUSH() as push:
        yield push


def test_nothing_makes_a_queue(push):
    assert type(push.monitor()) is QueueMonitor


def test_a_name_makes_what_is_registered(push):
    assert type(push.monitor("logging")) is LoggingMonitor
    with pytest.raises(NotRegistered, match="callable, logging, queue"):
        push.monitor("loging")


def test_a_class_is_made(push):
    assert type(push.monitor(QueueMonitor)) is QueueMonitor


def test_a_callable_is_called(push):
    seen = []
    assert type(push.monitor(seen.append)) is CallableMonitor
    push.bind("tcp://127.0.0.1:0")
    gevent.sleep(0)
    assert [event.kind for event in seen] == ["listening"]


def test_a_provider_is_used_as_it_is_even_if_it_can_be_called(push):
    @implementer(IMonitor)
    class Mine:
        def notify(self, event):
            pass

        def __call__(self, event):
            raise AssertionError("not as a function")

    mine = Mine()
    assert push.monitor(mine) is mine
    push.bind("tcp://127.0.0.1:0")


def test_anything_else_is_refused(push):
    with pytest.raises(TypeError, match="IMonitor, not int"):
        push.monitor(1)


def test_a_monitor_sees_later_events_only(push):
    push.bind("tcp://127.0.0.1:0")
    monitor = push.monitor()
    push.close()
    assert [event.kind for event in monitor] == ["closed", "monitor_stopped"]


def test_unmonitor_ends_it(push):
    monitor = push.monitor()
    push.unmonitor(monitor)
    push.bind("tcp://127.0.0.1:0")
    assert [event.kind for event in monitor] == ["monitor_stopped"]
    push.unmonitor(monitor)


def test_a_monitor_of_a_closed_socket_ends_at_once(push):
    push.close()
    assert [event.kind for event in push.monitor()] == ["monitor_stopped"]


def test_a_socket_that_was_never_used_says_that_it_closes():
    push = PUSH()
    monitor = push.monitor()
    push.close()
    assert [event.kind for event in monitor] == ["closed", "monitor_stopped"]


def test_a_verbose_monitor_sees_messages_pass():
    with PULL() as pull, PUSH() as push:
        sent, received = push.monitor(verbose=True), pull.monitor(verbose=True)
        push.connect(pull.bind("tcp://127.0.0.1:0"))
        push.send([b"a", bytearray(b"b")])
        message = pull.receive(5)
        message.append(b"the user's own")
        push.unmonitor(sent)
        push.send(b"untold")
        pull.receive(5)
    assert [event.message for event in sent if event.kind == "message_sent"] == [(b"a", b"b")]
    assert [event.message for event in received if event.kind == "message_received"] == [
        (b"a", b"b"),
        (b"untold",),
    ]


def test_a_message_that_was_not_accepted_is_not_told():
    with PUSH(send_hwm=1, linger=0) as push:
        monitor = push.monitor(verbose=True)
        push.connect("tcp://127.0.0.1:1")
        push.send(b"1")
        with pytest.raises(TimeoutError):
            push.send(b"2", timeout=0)
    assert [event.message for event in monitor if event.message] == [(b"1",)]


def test_messages_cost_nothing_when_nobody_asks_for_them(push):
    push.connect("tcp://127.0.0.1:1")
    push.linger = 0
    engine = push._engine
    direct = engine.send
    monitor = push.monitor(verbose=True)
    assert engine.send != direct
    monitor.close()
    assert engine.send == direct
    push.monitor()
    assert engine.send == direct


def test_a_monitor_does_not_keep_its_closed_socket_in_memory():
    push = PUSH()
    monitor = push.monitor()
    engine = weakref.ref(push._engine)
    push.close()
    del push
    gc.collect()
    assert engine() is None
    assert len(monitor) == 2


def test_an_unread_monitor_never_stalls_the_socket():
    with PULL() as pull, PUSH() as push:
        monitor = QueueMonitor(size=64)
        pull.monitor(monitor, verbose=True)
        push.connect(pull.bind("tcp://127.0.0.1:0"))
        for number in range(500):
            push.send(b"%d" % number)
        assert [pull.receive(5) for _ in range(500)][-1] == [b"499"]
        assert len(monitor) == 64
        assert monitor.dropped > 400

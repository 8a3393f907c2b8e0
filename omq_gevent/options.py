"""Every socket option, in one declaration each: name, default, what is accepted, documentation.

Times are seconds, sizes are bytes, None is "off" or "no limit". A value is checked the moment it
is set. What is kept may be a tidier form of what was given (a list becomes a tuple, an infinite
linger becomes None).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from omq_gevent.errors import OptionError, OptionTypeError
from omq_gevent.option_checks import (
    INT_MAX,
    Check,
    back_off,
    byte_string,
    choice,
    count,
    device_name,
    flag,
    id_set,
    message,
    metadata_properties,
    optional,
    seconds,
    security_mechanism,
    subset,
)

__all__ = ["Option", "Options"]

T = TypeVar("T")

_SOCKET_TYPES = frozenset(
    ("REQ", "REP", "DEALER", "ROUTER", "PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "PAIR")
    + ("CLIENT", "SERVER", "RADIO", "DISH", "SCATTER", "GATHER", "PEER", "CHANNEL", "STREAM")
)
_FOREVER = float("inf")


class Option(Generic[T]):
    """The declaration of one option, and the attribute of `Options` that checks what is set.

    ``name`` and ``aliases`` are the names that it is known by, ``types`` the socket types that
    heed it (None: all of them).
    """

    # There is no __get__ on purpose: without one, reading an option is a plain look-up in the
    # instance, three times as fast as through a descriptor. Type checkers need to see one.
    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Option[T]: ...
        @overload
        def __get__(self, instance: object, owner: type) -> T: ...
        def __get__(self, instance: object, owner: type) -> Option[T] | T: ...

    def __init__(
        self,
        default: T,
        check: Check[T],
        doc: str,
        *,
        types: frozenset[str] | None = None,
    ) -> None:
        self.name = ""
        self.aliases: tuple[str, ...] = ()
        self.default = default
        self.check = check
        self.doc = doc
        self.types = types

    def __set_name__(self, owner: type, name: str) -> None:
        if self.name:
            self.aliases += (name,)
        else:
            self.name = name

    def __set__(self, instance: object, value: object) -> None:
        checked = self.checked(value)
        for name in (self.name, *self.aliases):
            instance.__dict__[name] = checked

    def __repr__(self) -> str:
        return f"<Option {self.name}, default {self.default!r}>"

    def checked(self, value: object) -> T:
        """Return the value as the option keeps it, or raise `OptionError`, `OptionTypeError`."""
        try:
            return self.check(value)
        except (OptionError, OptionTypeError) as refusal:
            kind = OptionTypeError if isinstance(refusal, OptionTypeError) else OptionError
            raise kind(self._refusal(value, str(refusal))) from None

    def applies_to(self, socket_type: str) -> bool:
        """Tell whether sockets of this type heed the option.

        Socket types from other packages are taken to heed every option.
        """
        return self.types is None or socket_type in self.types or socket_type not in _SOCKET_TYPES

    def _refusal(self, value: object, reason: str) -> str:
        try:
            shown = repr(value)
        except Exception:  # int refuses to print more than 4300 digits
            shown = f"<{type(value).__name__}>"
        if len(shown) > 80:
            shown = shown[:77] + "..."
        also = f" (the same option as {', '.join(self.aliases)})" if self.aliases else ""
        return f"{self.name}={shown}: {reason}; accepted: {self.check.accepts}{also}"


class Options:
    """The options of one socket: an attribute for each, checked when it is set.

    Raises `OptionError` (a ValueError) or `OptionTypeError` (a TypeError) for a value that is not
    accepted, TypeError for a keyword that is no option.
    """

    # -- queues --------------------------------------------------------------------------------

    send_hwm = Option(
        1000,
        optional(count(1, unit="messages"), "unbounded", or_else=0),
        "High water mark of outgoing messages: how many may wait to be sent.",
    )
    recv_hwm = Option(
        1000,
        optional(count(1, unit="messages"), "unbounded", or_else=0),
        "High water mark of incoming messages: how many may wait to be received.",
    )
    on_mute = Option(
        None,
        optional(choice("block", "drop_newest", "drop_oldest"), "what the socket type does"),
        "What happens to a message that finds the queue full: the sender waits, the message is"
        " dropped, or the oldest one in the queue is dropped for it.",
        types=_SOCKET_TYPES - {"REQ", "REP", "PULL"},
    )
    conflate = Option(
        False,
        flag(),
        "Keep only the newest message in each queue. For messages of one frame.",
        types=frozenset({"PUSH", "PULL", "PUB", "SUB", "DEALER"}),
    )
    immediate = Option(
        False,
        flag(),
        "Queue messages only for peers whose connection is complete.",
        types=frozenset({"PUSH", "DEALER", "PAIR", "REQ", "CLIENT", "SCATTER", "CHANNEL"}),
    )
    linger = Option(
        None,
        optional(seconds(), "forever", or_else=_FOREVER),
        "How long close() waits, at most, until what was sent is on its way. 0 drops it.",
    )

    # -- waiting -------------------------------------------------------------------------------

    read_timeout = Option(
        None,
        optional(seconds(), "forever", or_else=_FOREVER),
        "How long receive() waits for a message before it raises ReceiveTimeout.",
    )
    recv_timeout = read_timeout
    receive_timeout = read_timeout
    write_timeout = Option(
        None,
        optional(seconds(), "forever", or_else=_FOREVER),
        "How long send() waits for room in a queue before it raises SendTimeout.",
    )
    send_timeout = write_timeout

    # -- who we are ----------------------------------------------------------------------------

    identity = Option(
        b"",
        byte_string(0, 255, nul=False),
        "The name by which a ROUTER peer knows this socket. Empty: the peer makes one up.",
    )
    routing_id = identity
    metadata = Option(
        MappingProxyType({}),
        metadata_properties(),
        "Properties of the application's own that are sent to each peer in the handshake.",
    )
    mechanism = Option(
        None,
        optional(security_mechanism(), "NULL: neither authentication nor encryption"),
        "The security mechanism. Both ends must use the same one.",
    )

    # -- connections ---------------------------------------------------------------------------

    reconnect_interval = Option(
        0.1,
        optional(back_off(), "never reconnect"),
        "How long to wait before a connection is tried again. With (min, max) the wait starts at"
        " min and doubles with each failure until it is max.",
    )
    reconnect_jitter = Option(
        True,
        flag(),
        "Vary the wait at random, so that the clients of a restarted server do not all come back"
        " at the same moment.",
    )
    connect_timeout = Option(
        None,
        optional(seconds(zero=False), "as long as the operating system tries", or_else=_FOREVER),
        "How long one attempt to connect may take.",
    )
    handshake_timeout = Option(
        30.0,
        optional(seconds(zero=False), "no limit", or_else=_FOREVER),
        "How long a new peer may take for its handshake before the connection is closed.",
    )
    heartbeat_interval = Option(
        None,
        optional(seconds(zero=False), "no heartbeat"),
        "How often to send a PING to each peer.",
    )
    heartbeat_ttl = Option(
        None,
        optional(seconds(maximum=6553.5), "three times heartbeat_interval"),
        "How long the peer may hear nothing from us before it closes the connection. It is told"
        " so in each PING, in tenths of a second. 0 leaves the decision to the peer. Of no effect"
        " without heartbeat_interval.",
    )
    heartbeat_timeout = Option(
        None,
        optional(seconds(zero=False), "the same as heartbeat_interval"),
        "How long the peer may stay silent after a PING before the connection is closed. Of no"
        " effect without heartbeat_interval.",
    )
    max_message_size = Option(
        None,
        optional(count(unit="bytes"), "no limit"),
        "The largest message to receive, all frames together. A peer that sends a larger one is"
        " disconnected before it is read.",
    )
    max_connections = Option(
        None,
        optional(count(1), "no limit"),
        "How many accepted connections may be open at once.",
    )
    backlog = Option(
        1024,
        count(0, INT_MAX),
        "How many connections the operating system holds until they are accepted.",
    )
    use_fd = Option(
        None,
        optional(count(0, INT_MAX), "open a new one"),
        "The descriptor of a socket that already listens, for the next bind(): socket activation.",
    )

    # -- kernel sockets ------------------------------------------------------------------------

    sndbuf = Option(
        None,
        optional(count(0, INT_MAX, "bytes"), "what the operating system chooses"),
        "Size of the kernel's send buffer (SO_SNDBUF).",
    )
    rcvbuf = Option(
        None,
        optional(count(0, INT_MAX, "bytes"), "what the operating system chooses"),
        "Size of the kernel's receive buffer (SO_RCVBUF).",
    )
    ipv6 = Option(
        None,
        optional(flag(), "when the machine has it"),
        "Whether names are resolved to, and wildcards bound on, IPv6 addresses too.",
    )
    tcp_keepalive = Option(
        None,
        optional(flag(), "what the operating system does"),
        "Whether the kernel probes idle TCP connections (SO_KEEPALIVE).",
    )
    tcp_keepalive_idle = Option(
        None,
        optional(count(1, 32767, "seconds"), "what the operating system does"),
        "How long a connection is idle before the first probe (TCP_KEEPIDLE). Of no"
        " effect unless tcp_keepalive is True.",
    )
    tcp_keepalive_interval = Option(
        None,
        optional(count(1, 32767, "seconds"), "what the operating system does"),
        "The time between two probes (TCP_KEEPINTVL). Of no effect unless tcp_keepalive is True.",
    )
    tcp_keepalive_count = Option(
        None,
        optional(count(1, 127), "what the operating system does"),
        "How many probes go unanswered before the connection is closed (TCP_KEEPCNT). Of no"
        " effect unless tcp_keepalive is True.",
    )
    tcp_user_timeout = Option(
        None,
        # The kernel counts milliseconds in an int.
        optional(seconds(zero=False, maximum=INT_MAX // 1000), "what the operating system does"),
        "How long sent data may stay unacknowledged before the connection is closed"
        " (TCP_USER_TIMEOUT).",
    )
    tos = Option(
        None,
        optional(count(0, 255), "what the operating system does"),
        "The type of service octet of outgoing packets (IP_TOS).",
    )
    priority = Option(
        None,
        optional(count(0, INT_MAX), "what the operating system does"),
        "The queueing priority of outgoing packets (SO_PRIORITY); above 6 needs privileges.",
    )
    bind_to_device = Option(
        None,
        optional(device_name(), "any"),
        "The only network interface to use (SO_BINDTODEVICE); needs privileges.",
    )
    ipc_filter_pid = Option(
        frozenset(),
        id_set(),
        "The processes that may connect to a bound ipc endpoint. None listed here: all may.",
    )
    ipc_filter_uid = Option(
        frozenset(),
        id_set(),
        "The users whose processes may connect to a bound ipc endpoint. None listed: all may.",
    )
    ipc_filter_gid = Option(
        frozenset(),
        id_set(),
        "The groups whose processes may connect to a bound ipc endpoint. None listed: all may.",
    )

    # -- requests and routing ------------------------------------------------------------------

    req_relaxed = Option(
        False,
        flag(),
        "Let REQ send a new request before the last one was answered; its reply is dropped. Best"
        " with req_correlate.",
        types=frozenset({"REQ"}),
    )
    req_correlate = Option(
        False,
        flag(),
        "Number each request, so that REQ can tell the reply to it from a late one.",
        types=frozenset({"REQ"}),
    )
    router_mandatory = Option(
        False,
        flag(),
        "Raise Unroutable for a message to a peer that is not there, instead of dropping it.",
        types=frozenset({"ROUTER"}),
    )
    router_handover = Option(
        False,
        flag(),
        "Let a new peer take over the identity of a connected one, which is disconnected.",
        types=frozenset({"ROUTER"}),
    )
    router_notify = Option(
        frozenset(),
        subset("connect", "disconnect"),
        "Receive a message of the peer's identity and an empty frame when a peer comes or goes.",
        types=frozenset({"ROUTER"}),
    )
    probe_router = Option(
        False,
        flag(),
        "Send an empty message to each new peer, so that a ROUTER learns of it.",
        types=frozenset({"REQ", "DEALER", "ROUTER"}),
    )
    connect_routing_id = Option(
        None,
        optional(byte_string(1, 255, nul=False), "its own"),
        "The identity to know the peer of the next connect() by; used once.",
        types=frozenset({"ROUTER", "STREAM"}),
    )
    hello_message = Option(
        None,
        optional(message(), "none"),
        "A message that is sent to each new peer.",
        types=frozenset({"ROUTER", "DEALER", "CLIENT", "SERVER", "PEER"}),
    )
    disconnect_message = Option(
        None,
        optional(message(), "none"),
        "A message that is received, as if from the peer, when an accepted peer is gone.",
        types=frozenset({"ROUTER", "SERVER", "PEER"}),
    )
    hiccup_message = Option(
        None,
        optional(message(), "none"),
        "A message that is received, as if from the peer, when a connected peer is lost for now.",
        types=frozenset({"DEALER", "CLIENT", "PEER"}),
    )

    # -- publish and subscribe -----------------------------------------------------------------

    xpub_verbose = Option(
        False,
        flag(),
        "Receive every subscription, not only the first one to each prefix.",
        types=frozenset({"XPUB"}),
    )
    xpub_verboser = Option(
        False,
        flag(),
        "Receive every subscription and every cancellation.",
        types=frozenset({"XPUB"}),
    )
    xpub_manual = Option(
        False,
        flag(),
        "Subscribe peers by hand: what they ask for is received but not done.",
        types=frozenset({"XPUB"}),
    )
    xpub_manual_last_value = Option(
        False,
        flag(),
        "As xpub_manual, and the next message after subscribe() goes only to that subscriber.",
        types=frozenset({"XPUB"}),
    )
    xpub_welcome_message = Option(
        None,
        optional(byte_string(), "none"),
        "A message that is sent to each new subscriber, whose subscriptions have to match it.",
        types=frozenset({"XPUB"}),
    )
    xpub_nodrop = Option(
        False,
        flag(),
        "Wait when a subscriber's queue is full, instead of dropping the message.",
        types=frozenset({"PUB", "XPUB"}),
    )
    only_first_subscribe = Option(
        False,
        flag(),
        "Take only the first frame of a multipart message for a subscription.",
        types=frozenset({"XPUB", "XSUB"}),
    )
    invert_matching = Option(
        False,
        flag(),
        "Deliver the messages that match no subscription. Set it on both ends.",
        types=frozenset({"PUB", "XPUB", "SUB"}),
    )

    def __init__(self, **values: object) -> None:
        self.__dict__.update((name, option.default) for name, option in _DECLARED.items())
        self._set(values)

    @staticmethod
    def declared() -> Mapping[str, Option[Any]]:
        """Return every option by name, aliases included, in the order of declaration."""
        return _DECLARED

    def __iter__(self) -> Iterator[Option[Any]]:
        """Iterate over the declared options, each of them once."""
        return (option for name, option in _DECLARED.items() if name == option.name)

    def as_dict(self) -> dict[str, Any]:
        """Return the value of every option by its name, without the aliases."""
        return {option.name: self.__dict__[option.name] for option in self}

    def copy(self, **changes: object) -> Options:
        """Return options of the same values, but for these changes."""
        twin = Options()
        twin.__dict__.update(self.__dict__)
        twin._set(changes)
        return twin

    def check_for(self, socket_type: str) -> None:
        """Raise `OptionError` if an option is set that a socket of this type does not heed.

        An option that has its default value is always fine.
        """
        for option in self:
            value = self.__dict__[option.name]
            if value == option.default:
                continue
            if not option.applies_to(socket_type):
                heeding = ", ".join(sorted(option.types or ()))
                raise OptionError(
                    f"{option.name}={value!r}: a {socket_type} socket has no such option; accepted"
                    f" by: {heeding}"
                )

    def __setattr__(self, name: str, value: object) -> None:
        # A misspelt name would otherwise become an attribute that nobody reads.
        if name not in _DECLARED:
            raise AttributeError(_unknown(name))
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        values = self.as_dict().items()
        changed = (f"{name}={v!r}" for name, v in values if v != _DECLARED[name].default)
        return f"Options({', '.join(changed)})"

    def _set(self, values: Mapping[str, object]) -> None:
        names: dict[str, str] = {}
        for name, value in values.items():
            if name not in _DECLARED:
                raise TypeError(_unknown(name))
            other = names.setdefault(_DECLARED[name].name, name)
            if other != name:
                raise TypeError(f"{other} and {name} are the same option: give one of them")
            setattr(self, name, value)


_DECLARED: Mapping[str, Option[Any]] = MappingProxyType(
    {name: option for name, option in vars(Options).items() if isinstance(option, Option)}
)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, _DECLARED, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"there is no option {name!r}{hint}"

"""Options: what each accepts and refuses, aliases, defaults, checks per socket type."""

from __future__ import annotations

import copy
import math
from enum import IntEnum

import pytest

from omq_gevent.errors import OptionError, OptionTypeError
from omq_gevent.options import Option, Options

INF = math.inf
NAN = math.nan
TYPE, VALUE = OptionTypeError, OptionError


class Five(IntEnum):
    FIVE = 5


class Mechanism:
    """A mechanism as far as options are concerned."""

    def __init__(self, complaint=None):
        self.complaint = complaint

    def check(self):
        if self.complaint:
            raise OptionError(self.complaint)

    def session(self, as_server, metadata):
        raise AssertionError("setting an option starts no session")


MECHANISM = Mechanism()

# Kinds of option that several share: what is given -> what is kept, and what is refused.
NUMBER_TYPES = [(True, TYPE), (False, TYPE), ("1", TYPE), (b"1", TYPE), ([1], TYPE), (1j, TYPE)]
FLAG = ([(True, True), (False, False)], [(1, TYPE), (0, TYPE), ("yes", TYPE)])
SWITCH = (FLAG[0], [*FLAG[1], (None, TYPE)])
FLAG_OR_NONE = ([*FLAG[0], (None, None)], FLAG[1])
HUGE = 10**5000
BAD_SECONDS = [*NUMBER_TYPES, (-1, VALUE), (-0.001, VALUE), (NAN, VALUE), (-INF, VALUE)]
BAD_SECONDS += [(2e9, VALUE), (HUGE, VALUE)]
TIMEOUT = ([(0, 0), (0.25, 0.25), (3, 3), (None, None), (INF, None)], BAD_SECONDS)
LIMIT = (
    [(0.25, 0.25), (3, 3), (None, None), (INF, None)],
    [*BAD_SECONDS, (0, VALUE), (0.0, VALUE)],
)
PERIOD = ([(0.25, 0.25), (3, 3), (None, None)], [*BAD_SECONDS, (0, VALUE), (INF, VALUE)])
BAD_COUNT = [*NUMBER_TYPES, (1.0, TYPE), (INF, TYPE), (NAN, TYPE), (-1, VALUE)]
HWM = ([(1, 1), (10**6, 10**6), (Five.FIVE, 5), (0, None), (None, None)], [*BAD_COUNT, (0.0, TYPE)])
BUFFER = ([(0, 0), (65536, 65536), (None, None)], [*BAD_COUNT, (2**31, VALUE)])
PROBE_TIME = ([(1, 1), (32767, 32767), (None, None)], [*BAD_COUNT, (0, VALUE), (32768, VALUE)])
BYTES_TYPES = [("abc", TYPE), (1, TYPE), (True, TYPE)]
MESSAGE = (
    [
        (b"a", (b"a",)),
        (b"", (b"",)),
        (bytearray(b"a"), (b"a",)),
        ([b"a", b""], (b"a", b"")),
        ((b"a",), (b"a",)),
        (None, None),
    ],
    [*BYTES_TYPES, ([], VALUE), (["a"], TYPE), ([b"a", None], TYPE), ({b"a"}, TYPE)],
)
IDS = (
    [([1, 2, 2], frozenset({1, 2})), (set(), frozenset()), ((0,), frozenset({0}))],
    [
        (1, TYPE),
        (None, TYPE),
        ("1", TYPE),
        (b"1", TYPE),
        (["1"], TYPE),
        ([True], TYPE),
        ([-1], VALUE),
    ],
)

KINDS = {
    "send_hwm": HWM,
    "recv_hwm": HWM,
    "on_mute": (
        [("block", "block"), ("drop_newest", "drop_newest"), ("drop_oldest", "drop_oldest")]
        + [(None, None)],
        [
            ("drop", VALUE),
            ("", VALUE),
            ("BLOCK", VALUE),
            (b"block", TYPE),
            (True, TYPE),
            ([], TYPE),
        ],
    ),
    "conflate": SWITCH,
    "immediate": SWITCH,
    "linger": TIMEOUT,
    "read_timeout": TIMEOUT,
    "write_timeout": TIMEOUT,
    "identity": (
        [(b"", b""), (b"a", b"a"), (b"a\0", b"a\0"), (b"x" * 255, b"x" * 255)]
        + [(bytearray(b"a"), b"a"), (memoryview(b"a"), b"a")],
        [*BYTES_TYPES, (None, TYPE), (b"x" * 256, VALUE), (b"\0a", VALUE)],
    ),
    "metadata": (
        [
            ({}, {}),
            ({"X-a": b"1", "x-B.2_+": bytearray(b"")}, {"X-a": b"1", "x-B.2_+": b""}),
            ({"X-" + "a" * 253: b""}, {"X-" + "a" * 253: b""}),
            ({"X-a": b"v" * 63_000}, {"X-a": b"v" * 63_000}),
        ],
        [
            (None, TYPE),
            ([("X-a", b"")], TYPE),
            ({b"X-a": b""}, TYPE),
            ({"X-a": "1"}, TYPE),
            ({"X-a": None}, TYPE),
            ({"a": b""}, VALUE),
            ({"Identity": b"forged"}, VALUE),
            ({"": b""}, VALUE),
            ({"X-a b": b""}, VALUE),
            ({"X-\u00e9": b""}, VALUE),
            ({"X-" + "a" * 254: b""}, VALUE),
            ({"X-a": b"", "x-A": b""}, VALUE),
            ({"X-a": b"v" * 64_000}, VALUE),
        ],
    ),
    "mechanism": (
        [(MECHANISM, MECHANISM), (None, None)],
        [("NULL", TYPE), (Mechanism, TYPE), (object(), TYPE), (Mechanism("no key"), VALUE)],
    ),
    "reconnect_interval": (
        [(0.5, 0.5), (2, 2), (None, None), ((0.1, 5), (0.1, 5)), ([1, 1], (1, 1))],
        [*[bad for bad in BAD_SECONDS if bad[0] != [1]], (0, VALUE), (INF, VALUE), ((1,), VALUE)]
        + [((), VALUE), ((1, 2, 3), VALUE), ((2, 1), VALUE), ((0, 1), VALUE), ((1, INF), VALUE)]
        + [((1, None), TYPE), (("1", 2), TYPE), ({1, 2}, TYPE), ((NAN, 1), VALUE)],
    ),
    "reconnect_jitter": SWITCH,
    "connect_timeout": LIMIT,
    "handshake_timeout": LIMIT,
    "heartbeat_interval": PERIOD,
    "heartbeat_ttl": (
        [(0, 0), (6553.5, 6553.5), (None, None)],
        [*BAD_SECONDS, (6553.6, VALUE), (INF, VALUE)],
    ),
    "heartbeat_timeout": PERIOD,
    "max_message_size": ([(0, 0), (2**40, 2**40), (None, None)], BAD_COUNT),
    "max_connections": ([(1, 1), (None, None)], [*BAD_COUNT, (0, VALUE)]),
    "backlog": ([(0, 0), (4096, 4096)], [*BAD_COUNT, (None, TYPE), (2**31, VALUE)]),
    "use_fd": ([(0, 0), (3, 3), (None, None)], BAD_COUNT),
    "sndbuf": BUFFER,
    "rcvbuf": BUFFER,
    "ipv6": FLAG_OR_NONE,
    "tcp_keepalive": FLAG_OR_NONE,
    "tcp_keepalive_idle": PROBE_TIME,
    "tcp_keepalive_interval": PROBE_TIME,
    "tcp_keepalive_count": (
        [(1, 1), (127, 127), (None, None)],
        [*BAD_COUNT, (0, VALUE), (128, VALUE)],
    ),
    "tcp_user_timeout": (PERIOD[0], [*PERIOD[1], (2147484, VALUE)]),
    "tos": ([(0, 0), (255, 255), (None, None)], [*BAD_COUNT, (256, VALUE)]),
    "priority": ([(0, 0), (6, 6), (None, None)], BAD_COUNT),
    "bind_to_device": (
        [("eth0", "eth0"), ("a" * 15, "a" * 15), (None, None)],
        [(b"eth0", TYPE), (1, TYPE), ("", VALUE), ("a" * 16, VALUE), ("a/b", VALUE), ("a b", VALUE)]
        + [("a\0", VALUE), ("\ud800" * 16, VALUE)],
    ),
    "ipc_filter_pid": IDS,
    "ipc_filter_uid": IDS,
    "ipc_filter_gid": IDS,
    "req_relaxed": SWITCH,
    "req_correlate": SWITCH,
    "router_mandatory": SWITCH,
    "router_handover": SWITCH,
    "router_notify": (
        [(["connect", "disconnect"], frozenset({"connect", "disconnect"})), ((), frozenset())],
        [("connect", TYPE), (None, TYPE), (3, TYPE), ([b"connect"], TYPE), (["connected"], VALUE)],
    ),
    "probe_router": SWITCH,
    "connect_routing_id": (
        [(b"a", b"a"), (b"x" * 255, b"x" * 255), (None, None)],
        [*BYTES_TYPES, (b"", VALUE), (b"x" * 256, VALUE), (b"\0a", VALUE)],
    ),
    "hello_message": MESSAGE,
    "disconnect_message": MESSAGE,
    "hiccup_message": MESSAGE,
    "xpub_verbose": SWITCH,
    "xpub_verboser": SWITCH,
    "xpub_manual": SWITCH,
    "xpub_manual_last_value": SWITCH,
    "xpub_welcome_message": (
        [(b"", b""), (b"welcome", b"welcome"), (memoryview(b"\0"), b"\0"), (None, None)],
        [*BYTES_TYPES, ([b"a"], TYPE)],
    ),
    "xpub_nodrop": SWITCH,
    "only_first_subscribe": SWITCH,
    "invert_matching": SWITCH,
}

DEFAULTS = {
    **dict.fromkeys(KINDS),
    **{name: False for name, kind in KINDS.items() if kind is SWITCH},
    "send_hwm": 1000,
    "recv_hwm": 1000,
    "identity": b"",
    "metadata": {},
    "reconnect_interval": 0.1,
    "reconnect_jitter": True,
    "handshake_timeout": 30.0,
    "backlog": 1024,
    "ipc_filter_pid": frozenset(),
    "ipc_filter_uid": frozenset(),
    "ipc_filter_gid": frozenset(),
    "router_notify": frozenset(),
}

ALIASES = {
    "recv_timeout": "read_timeout",
    "receive_timeout": "read_timeout",
    "send_timeout": "write_timeout",
    "routing_id": "identity",
}

GOOD = [(name, given, kept) for name, kind in KINDS.items() for given, kept in kind[0]]
BAD = [(name, given, error) for name, kind in KINDS.items() for given, error in kind[1]]


def case_ids(cases):
    return [f"{name}={'huge' if given == HUGE else repr(given)[:20]}" for name, given, _ in cases]


@pytest.mark.parametrize(("name", "given", "kept"), GOOD, ids=case_ids(GOOD))
def test_good_value_is_kept(name, given, kept):
    options = Options(**{name: given})
    assert getattr(options, name) == kept
    setattr(options, name, DEFAULTS[name])
    setattr(options, name, given)
    assert options.as_dict() == {**DEFAULTS, name: kept}


@pytest.mark.parametrize(("name", "given", "error"), BAD, ids=case_ids(BAD))
def test_bad_value_is_refused_by_name(name, given, error):
    with pytest.raises(error) as caught:
        Options(**{name: given})
    reported = str(caught.value)
    # Newer versions of Python do not print an int of thousands of digits.
    if given != HUGE:
        assert reported.startswith(f"{name}={repr(given)[:70]}")
    assert reported.startswith(f"{name}=")
    assert f"accepted: {Options.declared()[name].check.accepts}" in reported
    assert isinstance(caught.value, (ValueError, TypeError))

    options = Options()
    with pytest.raises(error):
        setattr(options, name, given)
    assert options.as_dict() == DEFAULTS


def test_defaults():
    assert Options().as_dict() == DEFAULTS


def test_every_default_is_accepted_and_kept_as_it_is():
    for option in Options():
        assert option.checked(option.default) == option.default


def test_long_values_are_cut_in_the_message():
    with pytest.raises(OptionError) as caught:
        Options(identity=b"x" * 100_000)
    assert len(str(caught.value)) < 400


def test_what_a_value_should_have_been_is_said():
    with pytest.raises(OptionError) as caught:
        Options(linger=-1)
    assert str(caught.value) == (
        "linger=-1: it is negative; accepted: seconds, a number >= 0 and <= 1000000000, or None or"
        " inf (forever)"
    )


def test_mechanism_complains_in_its_own_words():
    with pytest.raises(OptionError, match="no secret key"):
        Options(mechanism=Mechanism("no secret key"))


def test_error_in_a_mechanism_is_not_taken_for_a_bad_value():
    class Broken(Mechanism):
        def check(self):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Options(mechanism=Broken())


def test_kept_value_does_not_follow_changes_of_what_was_given():
    properties, frames, identity = {"X-a": b"1"}, [b"a"], bytearray(b"me")
    options = Options(metadata=properties, hello_message=frames, identity=identity)
    properties["nonsense"] = None
    frames.append("nonsense")
    identity[:] = b"\0\0"
    assert options.metadata == {"X-a": b"1"}
    assert options.hello_message == (b"a",)
    assert options.identity == b"me"
    with pytest.raises(TypeError):
        options.metadata["nonsense"] = None


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_alias_is_the_same_option(alias, name):
    value = b"me" if name == "identity" else 2.5
    by_alias, by_name = Options(**{alias: value}), Options()
    setattr(by_name, name, value)
    for options in (by_alias, by_name, by_alias.copy()):
        assert getattr(options, alias) == getattr(options, name) == value
    assert alias not in by_alias.as_dict()
    assert by_alias.as_dict() == by_name.as_dict()


def test_refusal_mentions_the_aliases():
    with pytest.raises(OptionError, match="same option as recv_timeout, receive_timeout"):
        Options(recv_timeout=-1)


def test_option_given_under_two_names():
    with pytest.raises(TypeError, match="recv_timeout and read_timeout are the same option"):
        Options(recv_timeout=1, read_timeout=1)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("lingr", "did you mean 'linger'"), ("heartbeat_ivl", "heartbeat_"), ("zzzzz", "'zzzzz'$")],
)
def test_unknown_option_is_refused_with_a_close_match(name, hint):
    with pytest.raises(TypeError, match=hint) as caught:
        Options(**{name: 1})
    assert name in str(caught.value)
    with pytest.raises(AttributeError, match=hint):
        setattr(Options(), name, 1)


def test_option_cannot_be_deleted():
    options = Options(linger=1)
    with pytest.raises(AttributeError):
        del options.linger
    assert options.linger == 1


@pytest.mark.parametrize("copied", [Options.copy, copy.copy])
def test_copy_is_independent(copied):
    original = Options(linger=1, recv_timeout=2, metadata={"X-a": b""})
    twin = copied(original)
    assert twin.as_dict() == original.as_dict()
    twin.linger = 3
    original.recv_timeout = 4
    assert (original.linger, twin.recv_timeout) == (1, 2)


def test_copy_with_changes_checks_them():
    original = Options(linger=1)
    assert original.copy(linger=2, tos=1).as_dict() == {**DEFAULTS, "linger": 2, "tos": 1}
    assert original.linger == 1
    with pytest.raises(OptionError):
        original.copy(linger=-1)


def test_repr_tells_what_is_not_default():
    assert repr(Options()) == "Options()"
    assert repr(Options(recv_timeout=2, linger=0)) == "Options(linger=0, read_timeout=2)"


def test_declared_lists_every_name():
    declared = Options.declared()
    assert set(declared) == set(KINDS) | set(ALIASES)
    for alias, name in ALIASES.items():
        assert declared[alias] is declared[name] is getattr(Options, name)
        assert alias in declared[name].aliases
    with pytest.raises(TypeError):
        declared["mine"] = declared["linger"]


def test_iteration_gives_each_option_once():
    listed = list(Options())
    assert all(isinstance(option, Option) for option in listed)
    assert [option.name for option in listed] == list(KINDS)


def test_every_option_is_documented():
    for option in Options():
        assert option.doc[0].isupper(), option.name
        assert option.doc.endswith("."), option.name
        assert option.check.accepts, option.name


# -- per socket type ---------------------------------------------------------------------------

TYPES = {
    *("REQ", "REP", "DEALER", "ROUTER", "PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "PAIR"),
    *("CLIENT", "SERVER", "RADIO", "DISH", "SCATTER", "GATHER", "PEER", "CHANNEL", "STREAM"),
}
XPUB = {"xpub_verbose", "xpub_verboser", "xpub_manual", "xpub_manual_last_value"}
ONLY_FOR = {
    "conflate": (True, {"PUSH", "PULL", "PUB", "SUB", "DEALER"}),
    "on_mute": ("drop_oldest", TYPES - {"REQ", "REP", "PULL"}),
    "immediate": (True, {"PUSH", "DEALER", "PAIR", "REQ", "CLIENT", "SCATTER", "CHANNEL"}),
    "req_relaxed": (True, {"REQ"}),
    "req_correlate": (True, {"REQ"}),
    "router_mandatory": (True, {"ROUTER"}),
    "router_handover": (True, {"ROUTER"}),
    "router_notify": (["connect"], {"ROUTER"}),
    "probe_router": (True, {"REQ", "DEALER", "ROUTER"}),
    "connect_routing_id": (b"a", {"ROUTER", "STREAM"}),
    "hello_message": (b"a", {"ROUTER", "DEALER", "CLIENT", "SERVER", "PEER"}),
    "disconnect_message": (b"a", {"ROUTER", "SERVER", "PEER"}),
    "hiccup_message": (b"a", {"DEALER", "CLIENT", "PEER"}),
    **{name: (True, {"XPUB"}) for name in XPUB},
    "xpub_welcome_message": (b"a", {"XPUB"}),
    "xpub_nodrop": (True, {"PUB", "XPUB"}),
    "only_first_subscribe": (True, {"XPUB", "XSUB"}),
    "invert_matching": (True, {"PUB", "XPUB", "SUB"}),
}


@pytest.mark.parametrize("name", ONLY_FOR)
def test_option_is_refused_by_socket_types_that_do_not_heed_it(name):
    value, types = ONLY_FOR[name]
    options = Options(**{name: value})
    for socket_type in types:
        options.check_for(socket_type)
        assert getattr(Options, name).applies_to(socket_type)
    for socket_type in TYPES - types:
        with pytest.raises(OptionError, match=f"{name}=.* a {socket_type} socket") as caught:
            options.check_for(socket_type)
        assert all(heeding in str(caught.value) for heeding in types)
        assert not getattr(Options, name).applies_to(socket_type)
    setattr(options, name, DEFAULTS[name])
    for socket_type in TYPES:
        options.check_for(socket_type)


def test_the_other_options_suit_every_socket_type():
    values = {}
    for name, (good, _) in KINDS.items():
        if name not in ONLY_FOR:
            values[name] = next(kept for _, kept in good if kept != DEFAULTS[name])
    assert len(values) == len(KINDS) - len(ONLY_FOR)
    for socket_type in TYPES:
        Options(**values).check_for(socket_type)


def test_socket_type_of_another_package_takes_every_option():
    Options(conflate=True, router_mandatory=True).check_for("SURVEYOR")


def test_options_of_one_feature_can_be_set_in_any_order():
    options = Options()
    for name, value in [
        ("heartbeat_timeout", 3),
        ("heartbeat_interval", 1),
        ("tcp_keepalive", True),
    ]:
        setattr(options, name, value)
        options.check_for("PUSH")

"""The error tree: who is whose base class, errno, and what str() shows."""

from __future__ import annotations

import copy
import errno
import pickle
import re

import pytest

from omq_gevent import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]

WITH_ERRNO = [
    (errors.EndpointError, errno.EINVAL, (OSError, ValueError)),
    (errors.SocketClosed, errno.ENOTSOCK, (OSError,)),
    (errors.SocketForked, errno.ENOTSOCK, (errors.SocketClosed,)),
    (errors.SendTimeout, errno.ETIMEDOUT, (TimeoutError,)),
    (errors.ReceiveTimeout, errno.ETIMEDOUT, (TimeoutError,)),
    (errors.WaitTimeout, errno.ETIMEDOUT, (TimeoutError,)),
    (errors.Unroutable, errno.EHOSTUNREACH, (OSError,)),
    (errors.RequestLost, errno.ECONNRESET, (ConnectionError,)),
]

BUILTINS = [
    (errors.OptionError, ValueError),
    (errors.OptionTypeError, TypeError),
    (errors.MessageError, TypeError),
    (errors.WrongDirection, TypeError),
    (errors.StateError, RuntimeError),
    (errors.InvalidTransition, RuntimeError),
    (errors.ForeignThread, RuntimeError),
    (errors.NotRegistered, LookupError),
    (errors.SocketDead, RuntimeError),
]


def tree_in_docstring() -> dict[str, str]:
    """Return {class: parent class} as the docstring draws it."""
    parents: dict[str, str] = {}
    branch: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"^ {4}([│├└─ ]*)([A-Z]\w+)", line)
        if drawn is None:
            continue
        depth = len(drawn.group(1)) // 4
        branch[depth:] = [drawn.group(2)]
        parents[drawn.group(2)] = branch[depth - 1] if depth else "Exception"
    return parents


def test_docstring_draws_every_class_at_its_place() -> None:
    drawn = tree_in_docstring()
    assert set(drawn) == set(errors.__all__)
    for name, parent in drawn.items():
        ancestors = [c.__name__ for c in getattr(errors, name).__mro__[1:] if c in CLASSES]
        assert (ancestors or ["Exception"])[0] == parent, name


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_an_omq_error(error: type[Exception]) -> None:
    assert issubclass(error, errors.Error)


@pytest.mark.parametrize(("error", "builtin"), BUILTINS)
def test_usage_errors_are_caught_as_the_builtin_they_resemble(
    error: type[Exception], builtin: type[Exception]
) -> None:
    with pytest.raises(builtin):
        raise error("what to do instead")


@pytest.mark.parametrize("error", CLASSES)
def test_what_the_peer_does_is_never_a_usage_error(error: type[Exception]) -> None:
    assert not (
        issubclass(error, errors.ProtocolError) and issubclass(error, (errors.UsageError, OSError))
    )


@pytest.mark.parametrize(("error", "number", "builtins"), WITH_ERRNO)
def test_system_errors_have_their_errno_and_print_their_message(
    error: type[OSError], number: int, builtins: tuple[type[Exception], ...]
) -> None:
    caught = error("what happened")
    assert caught.errno == number
    assert str(caught) == caught.strerror == "what happened"
    for builtin in builtins:
        assert isinstance(caught, builtin)


@pytest.mark.parametrize(("error", "number", "builtins"), WITH_ERRNO)
def test_system_errors_take_another_errno(
    error: type[OSError], number: int, builtins: tuple[type[Exception], ...]
) -> None:
    caught = error(errno.ENAMETOOLONG, "too long")
    assert type(caught) is error
    assert caught.errno == errno.ENAMETOOLONG
    assert str(caught) == "too long"


@pytest.mark.parametrize("error", CLASSES)
def test_errors_survive_copy_and_pickle(error: type[Exception]) -> None:
    original = error("some text")
    for twin in (copy.copy(original), pickle.loads(pickle.dumps(original))):
        assert type(twin) is error
        assert str(twin) == str(original)
        assert getattr(twin, "errno", None) == getattr(original, "errno", None)


def test_peer_rejected_tells_the_reason() -> None:
    error = errors.PeerRejected("400")
    assert error.reason == "400"
    assert str(error).endswith(": 400")
    assert "no reason" in str(errors.PeerRejected(""))


def test_authentication_failed_tells_the_status() -> None:
    error = errors.AuthenticationFailed("300")
    assert error.status == "300"
    assert "300" in str(error)

"""Contexts: separate inproc name spaces, and defaults that sockets share."""

from __future__ import annotations

from typing import Any

from omq_gevent.options import Options
from omq_gevent.transports.inproc_names import Namespace


class Context:
    """A name space for inproc endpoints, with option defaults for the sockets made in it.

    Most programs need none: sockets without a context share the default one. *defaults* are
    options as for a socket; a socket's own keyword arguments win.
    """

    def __init__(self, **defaults: Any) -> None:
        self.defaults: dict[str, Any] = dict(defaults)
        self.inproc = Namespace()
        Options(**defaults)  # refuses what is wrong now rather than at the first socket

    def options_for(self, socket_type: str) -> Options:
        """Fresh options with those of the defaults that a socket of this type heeds."""
        declared = Options.declared()
        return Options(
            **{
                name: value
                for name, value in self.defaults.items()
                if declared[name].applies_to(socket_type)
            }
        )

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.defaults.items())
        return f"Context({settings})"


DEFAULT_CONTEXT = Context()

"""What a peer sent, shown on one line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from omq_gevent.zmtp.printable import printable


def test_plain_text_is_shown_as_it_is() -> None:
    assert printable(b"DEALER 1") == "DEALER 1"


def test_everything_else_is_escaped_and_tells_itself_from_text() -> None:
    assert printable(b"a\r\n\x1b\0\xe9") == r"a\r\n\x1b\x00\xe9"
    assert printable(b"a\\n") == r"a\\n"


@given(st.binary(max_size=10_000))
def test_the_result_is_short_and_on_one_line(text: bytes) -> None:
    shown = printable(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 4 * 40 + 3
    assert shown.endswith("...") or len(text) <= 40

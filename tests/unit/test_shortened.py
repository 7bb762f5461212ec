"""What a notebook shows of a model's cell that prints far too much."""

from __future__ import annotations

from rlm_kernel.host.records import Published
from rlm_kernel.kernel.shortened import CUT, LARGEST, Shortener


def published(kind: str, **content: object) -> Published:
    return Published(kind, dict(content), {}, [], "m")


def test_a_stream_is_cut_once_and_says_so() -> None:
    shortener = Shortener(10)
    told = [shortener.message(published("stream", name="stdout", text=text)) for text in ("12345", "67890", "a", "b")]
    assert [each and each.content["text"] for each in told] == ["12345", "67890", CUT, None]
    assert Shortener(3).text("12345") == f"123{CUT}"


def test_what_is_no_plain_text_stays() -> None:
    shortener = Shortener(3)
    content = {"data": {"text/plain": "12345", "image/png": "x" * 100}, "metadata": {}}
    for kind in ("display_data", "execute_result"):
        told = shortener.message(published(kind, **content))
        assert told is not None
        assert told.content["data"]["image/png"] == "x" * 100
        assert CUT.strip() in told.content["data"]["text/plain"]
    error = published("error", ename="E", evalue="", traceback=["x" * 100])
    assert shortener.message(error) is error


def test_progress_bars_move_on_and_a_cleared_cell_has_room_again() -> None:
    shortener = Shortener(20)
    for number in range(100):
        assert shortener.text(f"\r{number} %") == f"\r{number} %"
        shortener.message(published("update_display_data", data={"text/plain": "bar"}, metadata={}))
    assert CUT in shortener.text("x" * 30)
    for wait in (False, True):
        shortener.message(published("clear_output", wait=wait))
        assert shortener.text("again") == "again"
        assert CUT in shortener.text("x" * 30)


def test_kept_outputs_are_cut_in_the_same_way() -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": "x" * (LARGEST + 1)}
    result = {"output_type": "execute_result", "data": {"text/plain": "y"}, "metadata": {}, "execution_count": 1}
    first, second = Shortener().outputs([stream, result])  # type: ignore[list-item]
    assert first["text"] == "x" * LARGEST + CUT
    assert second["data"] == {"text/plain": CUT.strip()}

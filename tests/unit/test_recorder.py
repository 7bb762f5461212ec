"""Outputs as nbformat keeps them."""

from __future__ import annotations

from rlm_kernel.host.recorder import LARGEST_STREAM, OutputRecorder
from rlm_kernel.host.records import Published

ONE, TWO = "msg-1", "msg-2"


def message(kind, parent=ONE, **content):
    return Published(kind, content, {}, [], parent)


def stream(text, name="stdout", parent=ONE):
    return message("stream", parent, name=name, text=text)


def shown(text, parent=ONE, display=None, kind="display_data"):
    transient = {"display_id": display} if display else {}
    return message(kind, parent, data={"text/plain": text}, metadata={}, transient=transient)


def recorded(*messages):
    recorder = OutputRecorder()
    for item in messages:
        recorder.add(item)
    return recorder


def texts(recorder, parent=ONE):
    return [output.get("text") or output["data"]["text/plain"] for output in recorder.outputs(parent)]


def test_streams_are_joined_while_nothing_comes_between():
    recorder = recorded(stream("a"), stream("b"), stream("e", "stderr"), stream("c"), shown("d"), stream("f"))
    assert texts(recorder) == ["ab", "e", "c", "d", "f"]
    assert recorder.outputs(ONE)[1] == {"output_type": "stream", "name": "stderr", "text": "e"}


def test_reading_in_the_middle_changes_nothing():
    recorder = recorded(stream("a"))
    assert texts(recorder) == ["a"]
    recorder.add(stream("b"))
    assert texts(recorder) == ["ab"]


def test_each_kind_has_its_nbformat_form():
    recorder = recorded(
        message("execute_result", data={"text/plain": "2"}, metadata={"m": 1}, execution_count=3),
        message("error", ename="E", evalue="v", traceback=["t"]),
        shown("x", display="d"),
    )
    assert recorder.outputs(ONE) == [
        {"output_type": "execute_result", "data": {"text/plain": "2"}, "metadata": {"m": 1}, "execution_count": 3},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]},
        {"output_type": "display_data", "data": {"text/plain": "x"}, "metadata": {}},
    ]


def test_clear_output_clears_at_once_or_with_the_next_output():
    recorder = recorded(stream("a"), message("clear_output", wait=False))
    assert texts(recorder) == []
    recorder.add(stream("b"))
    recorder.add(message("clear_output", wait=True))
    assert texts(recorder) == ["b"]
    recorder.add(stream("c"))
    assert texts(recorder) == ["c"]


def test_an_update_changes_every_output_with_that_display_id():
    recorder = recorded(shown("old", ONE, "d"), shown("old", TWO, "d"), shown("other", TWO, "e"))
    recorder.add(shown("new", TWO, "d", kind="update_display_data"))
    assert texts(recorder, ONE) == ["new"]
    assert texts(recorder, TWO) == ["new", "other"]


def test_what_is_forgotten_is_gone_and_updates_of_it_do_no_harm():
    recorder = recorded(shown("old", ONE, "d"), shown("old", TWO, "d"))
    recorder.forget(ONE)
    recorder.forget("unknown")
    recorder.add(shown("new", TWO, "d", kind="update_display_data"))
    assert recorder.outputs(ONE) == []
    assert texts(recorder, TWO) == ["new"]


def test_outputs_without_a_parent_belong_to_no_cell():
    assert recorded(stream("a", parent=None)).outputs(ONE) == []


def test_what_an_output_widget_captures_is_not_the_cells():
    def state(msg_id):
        return message("comm_msg", comm_id="w", data={"method": "update", "state": {"msg_id": msg_id}})

    recorder = recorded(stream("a"), state(ONE), stream("captured"), shown("captured"), state(""), stream("b"))
    assert texts(recorder) == ["ab"]


def test_a_flood_is_cut():
    recorder = OutputRecorder()
    piece = stream("x" * (1 << 20))
    for _ in range(70):
        recorder.add(piece)
    (output,) = recorder.outputs(ONE)
    assert LARGEST_STREAM <= len(output["text"]) < LARGEST_STREAM + 100
    assert output["text"].endswith("is not kept\n")

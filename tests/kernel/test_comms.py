"""What the kernel keeps of the widgets' states, for a page that comes late."""

from __future__ import annotations

from rlm_kernel.kernel.comms import WidgetState, WidgetStates


def test_updates_are_applied_key_by_key() -> None:
    widget = WidgetState()
    widget.update({"state": {"value": 1, "min": 0, "_model_name": "M"}, "buffer_paths": []}, [])
    widget.update({"method": "update", "state": {"value": 5}}, [])
    assert widget.state == {"value": 5, "min": 0, "_model_name": "M"}


def test_binary_parts_replace_and_are_replaced() -> None:
    widget = WidgetState()
    widget.update({"state": {"a": {"x": None}}, "buffer_paths": [["image"], ["a", "x"]]}, [b"one", b"two"])
    assert widget.buffers == {("image",): b"one", ("a", "x"): b"two"}
    widget.update({"state": {}, "buffer_paths": [["image"]]}, [b"three"])
    assert widget.buffers == {("image",): b"three", ("a", "x"): b"two"}
    widget.update({"state": {"image": "none"}}, [])
    assert widget.state["image"] == "none"
    assert widget.buffers == {("a", "x"): b"two"}
    widget.update({"state": {}, "buffer_paths": [["image"]]}, [b"four"])
    assert "image" not in widget.state


def test_what_is_no_state_is_passed_over() -> None:
    widget = WidgetState()
    widget.update({"state": "text"}, [])
    widget.update({"state": {"v": 1}, "buffer_paths": "x"}, [])
    assert widget.state == {}


def test_states_of_many_widgets_make_one_message() -> None:
    states = WidgetStates({"old": {"state": {}}}, [["old", "image"]], [b"1"])
    names = {"_model_name": "M", "_model_module": "m", "_model_module_version": "2.0"}
    states.add("new", {**names, "value": 3}, {("data", 0): b"2"})
    data = states.data()
    assert data["method"] == "update_states"
    assert data["states"]["new"]["model_module"] == "m"
    assert data["states"]["new"]["state"]["value"] == 3
    assert data["buffer_paths"] == [["old", "image"], ["new", "data", 0]]
    assert states.buffers == [b"1", b"2"]

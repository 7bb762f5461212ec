"""What we rely on in ipykernel beyond its documented interface; a new release that changes it fails here first."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from types import SimpleNamespace

import comm
import ipykernel.kernelapp
import zmq
from ipykernel.comm.manager import CommManager
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
from jupyter_client.session import Session
from zmq.eventloop.zmqstream import ZMQStream


def names(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_the_version_is_one_we_know() -> None:
    assert version("ipykernel").startswith("7.")


def test_handlers_take_stream_ident_parent() -> None:
    for handler in (Kernel.execute_request, Kernel.comm_info_request, Kernel.kernel_info_request):
        assert names(handler) == ["self", "stream", "ident", "parent"]
        assert inspect.iscoroutinefunction(handler)


def test_base_handlers_call_the_methods_we_override() -> None:
    assert "self.do_complete(code, cursor_pos)" in inspect.getsource(Kernel.complete_request)
    assert "self.do_inspect(" in inspect.getsource(Kernel.inspect_request)
    assert "self.do_history(**content)" in inspect.getsource(Kernel.history_request)
    assert "self.do_is_complete(code)" in inspect.getsource(Kernel.is_complete_request)
    assert "self.do_shutdown(" in inspect.getsource(Kernel.shutdown_request)
    assert "self._send_interrupt_children()" in inspect.getsource(Kernel.interrupt_request)


def test_control_messages_pass_through_process_control() -> None:
    assert names(Kernel.process_control) == ["self", "msg"]
    assert "self.process_control(msg)" in inspect.getsource(Kernel.dispatch_control)


def test_parents_are_set_in_the_context_of_the_task() -> None:
    assert names(Kernel.set_parent) == ["self", "ident", "parent", "channel"]
    source = inspect.getsource(Kernel.set_parent)
    assert "self._shell_parent.set(parent)" in source
    assert "self._shell_parent_ident.set(ident)" in source


def test_a_kernel_without_the_shell_channel_thread_reads_the_stream_itself() -> None:
    assert "self.shell_stream.on_recv(" in inspect.getsource(Kernel.start)
    assert Kernel._supports_kernel_subshells.fget(SimpleNamespace(shell_channel_thread=None)) is False
    assert "shell_stream = ZMQStream(self.shell_socket)" in inspect.getsource(IPKernelApp.init_kernel)


def test_the_app_has_the_steps_we_replace() -> None:
    assert names(IPKernelApp.init_control) == ["self", "context"]
    for step in ("init_pdb", "init_path", "init_kernel", "init_io"):
        assert names(getattr(IPKernelApp, step)) == ["self"]
        assert f"self.{step}()" in inspect.getsource(IPKernelApp.initialize)
    assert "if self.outstream_class:" in inspect.getsource(IPKernelApp.init_io)
    for name in ("debugpy_stream", "user_ns"):
        assert f"{name}=" in inspect.getsource(IPKernelApp.init_kernel)


def test_ipykernel_provides_the_comm_manager() -> None:
    assert ipykernel.kernelapp.IPythonKernel
    manager = comm.get_comm_manager()
    assert isinstance(manager, CommManager)
    assert isinstance(manager.comms, dict)
    assert names(manager.comm_msg) == ["stream", "ident", "msg"]


def test_topic_and_session() -> None:
    assert names(Kernel._topic) == ["self", "topic"]
    assert "ident" in names(Session.send)
    session = Session(key=b"k")
    frames = session.serialize(session.msg("x", {"a": 1}), ident=b"who")
    idents, parts = session.feed_identities(frames)
    assert idents == [b"who"]
    assert session.deserialize(parts)["content"] == {"a": 1}


def test_flush_hands_over_what_has_arrived() -> None:
    assert "_handle_recv" in inspect.getsource(ZMQStream.flush)
    assert zmq.POLLIN


def test_widgets_keep_a_registry_of_instances() -> None:
    from ipywidgets.widgets import widget

    assert isinstance(widget._instances, dict)
    state, paths, buffers = widget._remove_buffers({"a": 1, "b": memoryview(b"x")})
    assert (state, paths) == ({"a": 1}, [["b"]])
    assert [bytes(part) for part in buffers] == [b"x"]

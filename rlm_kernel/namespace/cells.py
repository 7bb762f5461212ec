"""Runs cells, and answers the other requests about them."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, cast

from rlm_kernel.namespace import comms, names
from rlm_kernel.namespace.streams import flush_real

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import ExecutionResult

    from rlm_kernel.namespace.main import Namespace
    from rlm_kernel.namespace.queries import Queries
    from rlm_kernel.wire import Json

log = logging.getLogger(__name__)


class Cells:
    """Serves the requests of the host, one at a time."""

    def __init__(self, namespace: Namespace, queries: Queries, names: dict[str, Any]) -> None:
        self._namespace = namespace
        self._shell: Any = namespace.shell
        self._queries = queries
        self._names = names
        self._kinds: dict[str, Callable[[Json], Json]] = {
            "exec": self.execute,
            "complete": self._complete,
            "inspect": self._inspect,
            "is_complete": self._is_complete,
            "history": self._history,
            "describe": self._describe,
            **self._looking(),
            "begin_run": self._begin_run,
            "end_run": self._end_run,
            "read_context": namespace.children.read,
            "set_count": self._set_count,
            "set_variable": self._set_variable,
            "stat": self._stat,
        }

    def serve(self, kind: str, message: Json) -> Json:
        """Answer a request."""
        return self._kinds[kind](message)

    # ---- running

    def execute(self, message: Json) -> Json:
        """Run a cell to its end, and say what became of its variables."""
        reply = self._execute(message)
        if message.get("digest"):
            from rlm_kernel.namespace.digest import digests

            reply["digest"] = digests(self._shell.user_ns, message["code"], self._queries.origins.bound)
        return reply

    def _execute(self, message: Json) -> Json:
        """Run a cell to its end.

        As in ipykernel the loop runs around every cell, so that ``asyncio.create_task`` works in any of them.
        """
        shell, namespace = self._shell, self._namespace
        comms.install()
        for name, value in self._names.items():
            shell.user_ns.setdefault(name, value)  # %reset takes them away
        namespace.reader.allowed = message["allow_stdin"]
        shell.set_parent({"header": message["header"], "content": {"code": message["code"]}, "metadata": {}})
        shell._last_traceback = None
        self._queries.origins.cell_starts(shell.user_ns)
        namespace.ready_for_interrupt()
        namespace.cell = namespace.loop.create_task(self._run(message))
        try:
            namespace.calls.send({"t": "begins", "rid": message["rid"]})
            result = self._until_done(namespace.cell)
            return self._reply(result, message)
        except Exception as error:
            # IPython shows what a cell raises; this is one that it raised itself.
            log.exception("a cell could not be run")
            return self._ended("error", ename=type(error).__name__, evalue=_message(error), traceback=[_message(error)])
        except KeyboardInterrupt:
            # It came outside the cell's code: before its first line, or in IPython's own work around it.
            namespace.cell = None
            shell._showtraceback(KeyboardInterrupt, KeyboardInterrupt(), ["KeyboardInterrupt"])
            return self._ended("error", ename="KeyboardInterrupt", evalue="", traceback=["KeyboardInterrupt"])
        finally:
            namespace.cell = None
            self._queries.origins.cell_ended(shell.user_ns, message["cell_id"])
            flush_real()

    def _until_done(self, cell: asyncio.Task[ExecutionResult]) -> ExecutionResult:
        while not cell.done():
            try:
                return self._namespace.loop.run_until_complete(cell)
            except (KeyboardInterrupt, SystemExit):
                if cell.done():
                    break
                # It came out of a background task that ran while the cell awaits.
                cell.cancel()
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None  # cancelled before its first line
        return cell.result()

    async def _run(self, message: Json) -> ExecutionResult:
        shell, code = self._shell, message["code"]
        options = {key: message[key] for key in ("store_history", "silent", "cell_id")}
        problem = None
        try:
            transformed = shell.transform_cell(code)
        except Exception:  # noqa: BLE001 - input transformers are the person's; run_cell shows what they raised
            transformed, problem = code, sys.exc_info()
        if not shell.should_run_async(code, transformed_cell=transformed, preprocessing_exc_tuple=problem):
            return cast("ExecutionResult", shell.run_cell(code, **options))
        result: ExecutionResult | None = None
        try:
            result = await shell.run_cell_async(
                code, transformed_cell=transformed, preprocessing_exc_tuple=problem, **options
            )
        finally:
            shell.events.trigger("post_execute")
            if not message["silent"]:
                shell.events.trigger("post_run_cell", result)
        return cast("ExecutionResult", result)

    def _reply(self, result: ExecutionResult, message: Json) -> Json:
        shell = self._shell
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        if result.success and not getattr(shell, "_last_traceback_during_displayhook", False):
            return self._ended("ok", user_expressions=shell.user_expressions(message["user_expressions"]))
        error = error if error is not None else shell.shown_error
        traceback = shell._last_traceback or []
        return self._ended("error", ename=type(error).__name__, evalue=_message(error), traceback=traceback)

    def _ended(self, status: str, **fields: object) -> Json:
        payloads = self._shell.payload_manager
        reply = {
            "status": status,
            "user_expressions": {},
            "payload": payloads.read_payload(),
            "answer": self._queries.answer_state(),
            "count": self._shell.execution_count,
            **fields,
        }
        payloads.clear_payload()
        return reply

    # ---- asking about code

    def _complete(self, message: Json) -> Json:
        from IPython.core.completer import provisionalcompleter, rectify_completions

        code, position = message["code"], message["cursor_pos"]
        with provisionalcompleter():
            found = list(rectify_completions(code, self._shell.Completer.completions(code, position)))
        keys = ("start", "end", "text", "type", "signature")
        return {
            "status": "ok",
            "matches": [completion.text for completion in found],
            "cursor_start": found[0].start if found else position,
            "cursor_end": found[0].end if found else position,
            "metadata": {
                "_jupyter_types_experimental": [{key: getattr(completion, key) for key in keys} for completion in found]
            },
        }

    def _inspect(self, message: Json) -> Json:
        from IPython.utils.tokenutil import token_at_cursor

        name = token_at_cursor(message["code"], message["cursor_pos"])
        try:
            bundle = self._shell.object_inspect_mime(
                name, detail_level=message["detail_level"], omit_sections=message.get("omit_sections") or ()
            )
        except KeyError:
            return {"status": "ok", "found": False, "data": {}, "metadata": {}}
        if not self._shell.enable_html_pager:
            bundle.pop("text/html", None)
        return {"status": "ok", "found": True, "data": bundle, "metadata": {}}

    def _is_complete(self, message: Json) -> Json:
        status, indent = self._shell.input_transformer_manager.check_complete(message["code"])
        return {"status": status, "indent": " " * (indent or 0)} if status == "incomplete" else {"status": status}

    def _history(self, message: Json) -> Json:
        manager, kind = self._shell.history_manager, message["hist_access_type"]
        raw, output = message.get("raw", True), message.get("output", False)
        if kind == "tail":
            found = manager.get_tail(message.get("n") or 10, raw=raw, output=output, include_latest=True)
        elif kind == "range":
            session, start = message.get("session") or 0, message.get("start") or 0
            found = manager.get_range(session, start, message.get("stop"), raw=raw, output=output)
        elif kind == "search":
            pattern, unique = message.get("pattern") or "*", message.get("unique") or False
            found = manager.search(pattern, raw=raw, output=output, n=message.get("n"), unique=unique)
        else:
            found = []
        return {"status": "ok", "history": [list(entry) for entry in found]}

    # ---- runs

    def _describe(self, message: Json) -> Json:
        return names.describe(self._shell.user_ns, self._queries.origins)

    def _looking(self) -> dict[str, Callable[[Json], Json]]:
        from rlm_kernel.namespace.looking import Looking

        looking = Looking(lambda: self._shell.user_ns.get("context"))
        return {"cite": looking.cite, "cover": looking.cover, "passage": looking.passage}

    def _begin_run(self, message: Json) -> Json:
        if not message.get("goes_on"):
            self._queries.begin_run()
            self._queries.origins.begin_run(self._shell.user_ns, message.get("told"))
        return {}

    def _end_run(self, message: Json) -> Json:
        self._queries.origins.end_run()
        return {}

    def _set_variable(self, message: Json) -> Json:
        self._shell.user_ns[message["name"]] = message["value"]
        return {}

    def _set_count(self, message: Json) -> Json:
        """Let the next cell have a number; the cells that ran elsewhere get their place in ``In``."""
        shell, count = self._shell, message["count"]
        while shell.execution_count < count:
            code = message.get("code", "") if shell.execution_count == count - 1 else ""
            shell.history_manager.store_inputs(shell.execution_count, code or "", code or "")
            shell.execution_count += 1
        shell.execution_count = count
        return {"count": count}

    def _stat(self, message: Json) -> Json:
        figures = {}
        if os.path.exists("/proc/self/smaps_rollup"):
            with open("/proc/self/smaps_rollup") as file:
                for line in file:
                    key, _, value = line.partition(":")
                    if key in ("Rss", "Pss"):
                        figures[key.lower()] = int(value.split()[0]) * 1024
        threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
        return {"pid": os.getpid(), "threads": threads, **figures}


def _message(error: BaseException | None) -> str:
    try:
        return str(error)
    except Exception as again:  # noqa: BLE001 - any object may fail to print
        return f"<{type(again).__name__} in str()>"

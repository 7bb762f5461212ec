"""The public suite for Jupyter kernels: ours passes and fails exactly what plain ipykernel does."""

from __future__ import annotations

import unittest
import warnings
from typing import ClassVar

import jupyter_kernel_test as jkt
import pytest


class Samples:
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples: ClassVar = [
        {"text": "zi", "matches": {"zip"}},
        {"text": "import o_no_such", "matches": set()},
    ]
    complete_code_samples: ClassVar = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n"]
    incomplete_code_samples: ClassVar = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples: ClassVar = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result: ClassVar = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
        {"code": "0x3f", "result": "63"},
    ]
    code_display_data: ClassVar = [
        {"code": "from IPython.display import HTML, display; display(HTML('<b>x</b>'))", "mime": "text/html"},
        {"code": "from IPython.display import Math, display; display(Math('\\\\frac{1}{2}'))", "mime": "text/latex"},
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


def outcome(kernel_name: str) -> tuple[int, dict[str, str]]:
    """Run the suite on one kernel: number of tests, and what failed."""
    case = type("Suite", (Samples, jkt.KernelTests), {"kernel_name": kernel_name})
    result = unittest.TestResult()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the suite leaves sockets to the collector
        unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    failed = {test.id().rsplit(".", 1)[-1]: trace for test, trace in [*result.failures, *result.errors]}
    assert not result.skipped, result.skipped
    return result.testsRun, failed


@pytest.mark.usefixtures("kernelspecs")
def test_same_as_plain_ipykernel() -> None:
    run_plain, failed_plain = outcome("plain")
    run_ours, failed_ours = outcome("rlm")
    assert run_ours == run_plain >= 12
    assert set(failed_ours) == set(failed_plain), failed_ours
    assert len(failed_ours) <= 1

"""Questions to an endpoint over HTTP: a key that is wrong, mended in the notebook."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.kernel.page import cell, final
from tests.server import FakeEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import LiveKernel


def test_a_wrong_key_is_one_clear_error_and_asking_again_works(start_kernel: Callable[..., LiveKernel]) -> None:
    with FakeEndpoint() as endpoint:
        endpoint.root([cell("print(llm_query('x'))"), final("Right.")])
        endpoint.fault("401")
        k = start_kernel("rlm", env={**os.environ, **endpoint.environ, "OPENAI_API_KEY": "sk-wrong"})
        k.run("context = 'x'")
        ran = k.run("%%rlm\nWho?", timeout=60)
        assert ran.status == "error"
        assert ran.error["ename"] == "RunFailed"
        assert "refused the key" in ran.error["evalue"]
        assert "sk-wrong" not in str(ran.messages)
        assert k.run("%rlm key", answers=[endpoint.key]).status == "ok"
        ran = k.run("%%rlm\nWho?", timeout=60)
        assert ran.status == "ok"
        assert endpoint.requests[0].authorization == "Bearer sk-wrong"
        assert {request.authorization for request in endpoint.requests[1:]} == {f"Bearer {endpoint.key}"}
        usage = endpoint.usage
        foot = ran.of("update_display_data")[-1]["data"]["text/plain"].splitlines()[-1]
        assert foot.startswith(f"2 turns · {usage['calls']} calls · {usage['input_tokens']:,} in · ")
        assert "root-model + sub-model" in foot
        assert k.run("import os\n'OPENAI_API_KEY' in os.environ").result == "False"
        assert "cannot be asked" in k.run("%rlm key").stream("stderr")

"""An OpenAI-compatible server that costs little, to measure clients against: each answer takes ``--latency`` seconds.

python benchmarks/endpoint.py --latency 0.1      prints its port, then serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

TEXT = "Yes. " * 8
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 0}


def whole(model: str, messages: list[dict[str, Any]]) -> bytes:
    sent = sum(-(-len(message["content"]) // 4) for message in messages)
    received = -(-len(TEXT) // 4)
    usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    reply = {"id": "c", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
    return json.dumps(reply).encode()


def stream(model: str, body: bytes) -> bytes:
    usage = json.loads(body)["usage"]
    pieces: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": TEXT}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": usage},
    ]
    events = [b"data: " + json.dumps(CHUNK | {"model": model} | piece).encode() + b"\n\n" for piece in pieces]
    return b"".join(events) + b"data: [DONE]\n\n"


class Protocol(asyncio.Protocol):
    """One connection. Knows just enough of HTTP/1.1: requests have a Content-Length."""

    latency = 0.1
    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.data = bytearray()
        self.timer: asyncio.TimerHandle | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.data[:end]).lower()
        mark = head.find(b"content-length:")
        length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
        if len(self.data) < end + 4 + length:
            return
        body = json.loads(self.data[end + 4 : end + 4 + length] or b"{}")
        del self.data[: end + 4 + length]
        self.timer = asyncio.get_running_loop().call_later(self.latency, self.answer, body)

    def answer(self, body: dict[str, Any]) -> None:
        self.timer = None
        Protocol.answered += 1
        content, kind = whole(body.get("model", ""), body.get("messages", [])), b"application/json"
        if body.get("stream"):
            content, kind = stream(body.get("model", ""), content), b"text/event-stream"
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (kind, len(content))
        self.transport.write(head + content)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Protocol, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.1)
    options = parser.parse_args()
    Protocol.latency = options.latency
    asyncio.run(serve(options.port))


if __name__ == "__main__":
    main()

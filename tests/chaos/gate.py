"""Stands between a hub and its engine, knows each call, and does to it what a fault says.

Everything else is relayed byte by byte, so that the hub talks to the real engine. A fault is a function that is given
the call, before it is passed on and after the engine has answered, and returns what the gate shall do:

  None      go on                              "500"    answer 500, the engine never hears of it
  "drop"    close the connection, not passed   "hang"   never answer, not passed on
  "lost"    passed on, the answer is lost      "late"   passed on, the answer comes after the deadline
  "slow"    passed on when the hub has given up and looked elsewhere: what it asked for happens all the same
"""

import asyncio
import contextlib
import os
import re
import threading
from dataclasses import dataclass

CALLS = [
    ("create", "POST", r"/containers/create"),
    ("start", "POST", r"/containers/([^/]+)/start"),
    ("stop", "POST", r"/containers/([^/]+)/stop"),
    ("remove", "DELETE", r"/containers/([^/]+)"),
    ("list", "GET", r"/containers/json"),
    ("logs", "GET", r"/containers/([^/]+)/logs"),
    ("inspect", "GET", r"/containers/([^/]+)/json"),
    ("events", "GET", r"/events"),
    ("image", "GET", r"/images/.*"),
]
REFUSAL = b'{"message":"the engine has lost its mind"}\n'
LONGEST = 60.0  # seconds that a call may be withheld
ENDED = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass
class Call:
    name: str
    container: str = ""
    phase: str = "before"


def call_of(head: bytes) -> Call:
    method, target, *_ = head.split(b"\r\n", 1)[0].decode().split(" ")
    path = re.sub(r"^/v[\d.]+", "", target.split("?", 1)[0])
    for name, verb, pattern in CALLS:
        if method == verb and (match := re.fullmatch(pattern, path)):
            return Call(name, match.group(1) if match.groups() else "")
    return Call("other")


def header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


async def read_message(reader, is_answer: bool) -> bytes:
    """One message with its body, as it came."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if is_answer else 0
    if status in (204, 304):
        return head
    if header(head, b"transfer-encoding").lower() == b"chunked":
        got = head
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            got += line + await reader.readexactly(size + 2)
            if size == 0:
                return got
    length = int(header(head, b"content-length") or 0)
    return head + await reader.readexactly(length)


class Gate:
    def __init__(self, path: str, engine_path: str):
        self.path, self.engine_path = path, engine_path
        self.fault = None              # called with each Call, twice
        self.deaf_to_events = False    # events come from the engine and go nowhere
        self.events_open: set = set()  # transports that carry events
        self.tasks: set = set()
        self.counts: dict[str, int] = {}
        self.loop = asyncio.new_event_loop()
        self.pool = None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def start(self) -> "Gate":
        self.thread.start()
        self.ready.wait(10)
        return self

    def stop(self) -> None:
        def end():
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.call_later(0.1, self.loop.stop)
        self.loop.call_soon_threadsafe(end)
        self.thread.join(10)

    def work(self) -> None:
        asyncio.set_event_loop(self.loop)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.loop.run_until_complete(asyncio.start_unix_server(self.take, self.path, limit=1 << 20))
        self.ready.set()
        self.loop.run_forever()

    def cut_events(self) -> None:
        def cut():
            for one in list(self.events_open):
                one.abort()
        self.loop.call_soon_threadsafe(cut)

    async def judged(self, call: Call, phase: str):
        fault = self.fault
        if fault is None:
            return None
        # A fault may kill and wait: never on the loop that serves the other calls.
        return await self.loop.run_in_executor(None, fault, Call(call.name, call.container, phase))

    def take(self, reader, writer) -> None:
        task = self.loop.create_task(self.serve(reader, writer))
        self.tasks.add(task)  # the loop itself holds on to nothing
        task.add_done_callback(self.tasks.discard)

    async def serve(self, reader, writer) -> None:
        with contextlib.suppress(*ENDED):
            while await self.exchange(reader, writer):
                pass
        writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def exchange(self, reader, writer) -> bool:
        request = await read_message(reader, is_answer=False)
        call = call_of(request)
        self.counts[call.name] = self.counts.get(call.name, 0) + 1
        act = await self.judged(call, "before")
        if act == "drop":
            return False
        if act == "hang":
            await self.until_left(reader)
            return False
        if act == "500":
            writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: "
                         + str(len(REFUSAL)).encode() + b"\r\n\r\n" + REFUSAL)
            await writer.drain()
            return True
        if act == "slow":
            await self.until_left(reader)
            await asyncio.sleep(1.5)
        from_engine, to_engine = await asyncio.open_unix_connection(self.engine_path, limit=1 << 20)
        try:
            to_engine.write(request)
            await to_engine.drain()
            if call.name == "events":
                return await self.relay_events(call, from_engine, writer)
            answer = await read_message(from_engine, is_answer=True)
        finally:
            to_engine.close()
        after = act or await self.judged(call, "after")
        if after == "late":
            await self.until_left(reader)
        if after in ("late", "lost", "slow", "drop"):
            return False
        writer.write(answer)
        await writer.drain()
        return True

    async def relay_events(self, call: Call, from_engine, writer) -> bool:
        head = await from_engine.readuntil(b"\r\n\r\n")
        if await self.judged(call, "after") in ("lost", "drop"):
            return False
        self.events_open.add(writer.transport)
        try:
            writer.write(head)
            while piece := await from_engine.read(65536):
                if not self.deaf_to_events:
                    writer.write(piece)
                    await writer.drain()
        finally:
            self.events_open.discard(writer.transport)
        return False

    @staticmethod
    async def until_left(reader) -> None:
        """Until the hub gives up and closes."""
        with contextlib.suppress(*ENDED, TimeoutError):
            await asyncio.wait_for(reader.read(1), LONGEST)

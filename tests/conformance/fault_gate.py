"""A TCP gate that does to a connection what networks do: stalls, slices, resets, half-closes, corrupts.

Each connection draws its faults when it is accepted. Both directions are relayed byte by byte; a fault sits at an offset
of one of them. Where bytes were changed or an end was put before its time, what the gate gave to the proxy is kept, so
that the judge (fault_ends.py) can tell what the proxy received from what was sent.
"""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass, field

PIECE = 65536
SHORT_STALLS = (0.002, 0.02, 0.2)
FAULTS = ("stall", "slice", "reset", "half-close", "corrupt head", "corrupt body", "hang")
# How often a connection has the fault. Both gates draw, so two of three exchanges or so meet none that breaks them.
WEIGHTS = {"stall": 8, "slice": 8, "reset": 3, "half-close": 2, "corrupt head": 2, "corrupt body": 3, "hang": 0.2}
ENDED = (OSError, asyncio.IncompleteReadError)


@dataclass
class Fault:
    kind: str
    toward_proxy: bool
    at: int


@dataclass(eq=False, repr=False)
class Passage:
    """One connection through the gate."""
    fault: Fault | None = None
    given: bytearray | None = None  # to the proxy, kept where it is not what was sent
    happened: bool = False          # the fault's offset was reached
    ended_by_reset: bool = False
    writers: list = field(default_factory=list)


def fault_of(rng: random.Random, share: float) -> Fault | None:
    if rng.random() > share:
        return None
    kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    # An end that the gate makes up is no judge of the proxy where it goes to a client: that is what it would see of one.
    toward_proxy = kind.startswith("corrupt") or kind == "half-close" or rng.random() < 0.5
    at = rng.randrange(0, 400) if kind == "corrupt head" or rng.random() < 0.4 else rng.randrange(0, 60_000)
    return Fault(kind, toward_proxy, at)


def reset(writer) -> None:
    """RST, whatever is under way."""
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Gate:
    """Listens at `port` and passes on to `to`. `proxy_is_behind`: the proxy is what it connects to, else what connects."""

    def __init__(self, seed: int, to: int, proxy_is_behind: bool, share: float = 0.3):
        self.rng, self.to, self.proxy_is_behind, self.share = random.Random(seed), to, proxy_is_behind, share
        # The latest connection of each port, as whoever stands before and behind the gate knows it.
        self.near: dict[int, Passage] = {}
        self.far: dict[int, Passage] = {}
        self.hurt_ones: list[Passage] = []  # whose `given` is kept
        self.counts: dict[str, int] = {}
        self.port = 0
        self.open = 0

    async def start(self) -> "Gate":
        server = await asyncio.start_server(self.take, "127.0.0.1", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self.server = server
        return self

    async def take(self, reader, writer) -> None:
        self.open += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            self.open -= 1
            return
        passage = Passage(fault_of(self.rng, self.share))
        self.near[writer.get_extra_info("peername")[1]] = passage
        self.far[far_writer.get_extra_info("sockname")[1]] = passage
        if passage.fault and passage.fault.kind in ("corrupt head", "corrupt body", "half-close"):
            passage.given = bytearray()
        near, far = (reader, writer), (far_reader, far_writer)
        passage.writers = [writer, far_writer]
        try:
            await asyncio.gather(self.relay(passage, near[0], far[1], self.proxy_is_behind),
                                 self.relay(passage, far[0], near[1], not self.proxy_is_behind))
        finally:
            for each in passage.writers:
                each.close()
            passage.writers = []  # what is kept of it must not keep their buffers
            if passage.given is not None and passage.happened:
                self.hurt_ones.append(passage)
            else:
                passage.given = None
            self.open -= 1

    async def relay(self, passage: Passage, reader, writer, toward_proxy: bool) -> None:
        passed = 0
        mine = passage.fault if passage.fault and passage.fault.toward_proxy == toward_proxy else None
        try:
            while piece := await reader.read(PIECE):
                begin, passed = passed, passed + len(piece)
                if mine and not passage.happened and begin <= mine.at < passed:
                    passage.happened = True
                    self.counts[mine.kind] = self.counts.get(mine.kind, 0) + 1
                    if not await self.hurt(passage, mine, piece, mine.at - begin, reader, writer):
                        return
                    continue
                await self.give(passage, writer, piece, toward_proxy)
            writer.write_eof()
        except ConnectionResetError:
            passage.ended_by_reset |= toward_proxy
            for each in passage.writers:
                reset(each)
        except ENDED:
            pass

    @staticmethod
    async def give(passage, writer, piece, toward_proxy) -> None:
        if passage.given is not None and toward_proxy:
            passage.given += piece
        writer.write(piece)
        await writer.drain()

    async def hurt(self, passage, fault, piece, at, reader, writer) -> bool:
        """Does it; False when nothing more passes this way."""
        kind, toward_proxy = fault.kind, fault.toward_proxy
        if kind.startswith("corrupt"):
            changed = bytearray(piece)
            changed[at] ^= self.rng.choice((0x01, 0x10, 0x20, 0x80, 0xFF, self.rng.randrange(1, 256)))
            await self.give(passage, writer, bytes(changed), toward_proxy)
            return True
        if kind == "slice":
            await self.slice(passage, writer, piece, toward_proxy)
            return True
        await self.give(passage, writer, piece[:at], toward_proxy)
        if kind == "stall":
            await asyncio.sleep(self.rng.choice(SHORT_STALLS))
            await self.give(passage, writer, piece[at:], toward_proxy)
            return True
        if kind == "half-close":
            writer.write_eof()
        elif kind == "reset":
            passage.ended_by_reset |= toward_proxy
            for each in passage.writers:
                reset(each)
            return False
        while await reader.read(PIECE):  # swallowed until the sender gives up
            pass
        for each in passage.writers:
            reset(each)
        return False

    async def slice(self, passage, writer, piece, toward_proxy) -> None:
        """Bytes one to seven at a time, as far as a head goes; then larger ones."""
        at = 0
        while at < len(piece):
            size = self.rng.randrange(1, 8) if at < 300 else self.rng.randrange(1, 9000)
            await self.give(passage, writer, piece[at:at + size], toward_proxy)
            at += size
            await asyncio.sleep(0)

"""One run of the fault gate: the ends, two gates, the proxy between them, and the count when all is over."""

import asyncio
import itertools
import os
import random
import re
import time
import urllib.request
from collections import Counter

from tests.conformance import proxy_peers as peers
from tests.conformance.fault_ends import Client, Server, wrong_answers, wrong_requests
from tests.conformance.fault_gate import Gate

CLIENTS = 64
DEADLINE_MS = 2000      # of the proxy, for either side
PATIENCE = 8.0          # of a client: the deadline, a retry's, and what a busy machine adds
SETTLE_SECONDS = 30     # idle connections to a target are closed after 15 s
SHARE = 0.7             # of the connections of a gate that have a fault


def metric(port: int, name: str) -> float:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))


def descriptors(proxy) -> int:
    return len(os.listdir(f"/proc/{proxy.process.pid}/fd"))


async def exchanges(proxy, count: int, seed: int):
    server = await Server().start()
    behind = await Gate(seed * 2, server.port, proxy_is_behind=False, share=SHARE).start()
    before = await Gate(seed * 2 + 1, proxy.port, proxy_is_behind=True, share=SHARE).start()
    await asyncio.to_thread(proxy.add, "/", f"http://127.0.0.1:{behind.port}")
    numbers = itertools.islice(itertools.count(), count)
    server.passages = behind.far
    clients = [Client(before.port, random.Random(f"{seed} {i}"), PATIENCE, passages=before.near) for i in range(CLIENTS)]

    async def work(client):
        for number in numbers:
            await client.ask(number)
        client.drop()
    await asyncio.gather(*(work(each) for each in clients))
    server.close()
    until = time.monotonic() + SETTLE_SECONDS
    while (before.open or behind.open) and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return server, before, behind, clients


def run(start, count: int, seed: int) -> dict:
    metrics_port = peers.free_port()
    deadline = str(DEADLINE_MS)
    proxy = start("--timeout", deadline, "--proxy-timeout", deadline, "--connect-timeout", deadline, "--metrics-ip",
                  "127.0.0.1", "--metrics-port", str(metrics_port), "--log-level", "error")
    metric(metrics_port, "requests_web")
    base = descriptors(proxy)
    began = time.monotonic()
    server, before, behind, clients = asyncio.run(exchanges(proxy, count, seed))
    took = time.monotonic() - began
    peers.wait_until(lambda: descriptors(proxy) <= base, SETTLE_SECONDS)
    hung = [late for client in clients for late in client.late]
    ends = sum((client.outcomes for client in clients), Counter())
    wrong = wrong_answers(clients, server) + wrong_requests(server, before)
    return {"count": count, "seed": seed, "seconds": round(took, 1), "whole": ends["status 200"], "ends": dict(ends),
            "faults": dict(Counter(before.counts) + Counter(behind.counts)), "hung": hung, "wrong": wrong,
            "left_descriptors": descriptors(proxy) - base,
            "left_connections": metric(metrics_port, "berth_connections_open")}

"""WebSockets through each proxy: CPU for one echoed message, and the memory of many that are idle."""

import json
import subprocess

CONNECTIONS = 32
IDLE = 10_000


def ends(field, *words, **more):
    return [field.ends, *map(str, words)], {"preexec_fn": field.stay_at_the_ends, "text": True, **more}


def echo_cpu(field, peer, size, seconds):
    """µs of the proxy's CPU for one message of `size` bytes there and back."""
    command, more = ends(field, "echo", peer.port, CONNECTIONS, size, seconds)
    before = peer.cpu()
    said = subprocess.run(command, capture_output=True, check=True, timeout=60, **more).stdout
    return (peer.cpu() - before) / json.loads(said)["messages"] * 1e6


def idle_memory(field, count=IDLE):
    """{proxy: MiB resident with `count` idle WebSockets open}; fewer where descriptors do not suffice."""
    count = min(count, field.descriptors // 2 - 200)
    used = {}
    for name, peer in field.plain.items():
        command, more = ends(field, "idle", peer.port, count)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more) as opener:
            if json.loads(opener.stdout.readline() or "{}").get("open") != count:
                raise RuntimeError(f"{name} does not hold {count} WebSockets")
            used[name] = peer.memory_mib()
            opener.stdin.close()
    return count, used

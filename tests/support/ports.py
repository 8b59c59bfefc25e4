"""Free TCP ports of this machine."""

import os
import pathlib
import socket

_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
_FLOOR = 10000
_next = os.getpid() * 97  # where this process looks first; others, with other pids, look elsewhere


def _ephemeral_floor() -> int:
    path = pathlib.Path(_RANGE)
    return int(path.read_text().split()[0]) if path.exists() else 32768


def free_ports(count: int) -> list[int]:
    """
    `count` ports nobody listens on now, all different, and none that the kernel hands out by itself: a port of that range may be
    the near end of anybody's connection by the time the program under test binds it.
    """
    global _next
    width = _ephemeral_floor() - _FLOOR
    found: list[int] = []
    for _ in range(width):
        port = _FLOOR + _next % width
        _next += 1
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("0.0.0.0", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"no {count} free ports between {_FLOOR} and {_FLOOR + width}")


def free_port() -> int:
    return free_ports(1)[0]

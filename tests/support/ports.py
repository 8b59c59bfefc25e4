"""Free TCP ports of this machine."""

import os
import socket

_FROM, _TO = 2000, 10000  # below those that the local spawner gives notebooks
_next = os.getpid() * 97  # where this process looks first; others, with other pids, look elsewhere


def free_ports(count: int) -> list[int]:
    """
    `count` ports nobody listens on now, all different, and none that the kernel hands out by itself: such a port may be the near
    end of anybody's connection by the time the program under test binds it.
    """
    global _next
    width = _TO - _FROM
    found: list[int] = []
    for _ in range(width):
        port = _FROM + _next % width
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
    raise OSError(f"no {count} free ports from {_FROM} to {_TO}")


def free_port() -> int:
    return free_ports(1)[0]

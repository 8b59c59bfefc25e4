"""Walks the engine, the rows and the proxy's routes when all is quiet, and names everything that does not agree.

leaked    something nobody will ever end: a container, lease, token, usage interval or route without a living server
doubled   two of what may be one: containers of a server, owners of a GPU, leases of a server, hubs, proxies
orphaned  a row that says "ready" without a container that runs, or without its route
stuck     a server still starting or stopping, a lease still on its way

The people at work add: dropped (a server or WebSocket ended without a fault aimed at it), crossed (somebody else's server
answered), untold (ended for its memory without being told); the supervisor of the hub adds crashed.
"""

import http.client
import json
import socket
import sqlite3
from collections import Counter

import psutil

KINDS = ["leaked", "doubled", "orphaned", "dropped", "stuck", "crossed", "crashed", "untold"]
LIVE = ("reserved", "bound", "active", "draining", "lost")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("proxy", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def rows_of(state_dir) -> dict:
    """Everything the walk needs, read in one transaction."""
    connection = sqlite3.connect(f"file:{state_dir}/berth.sqlite?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("begin")
        ask = lambda sql: [dict(row) for row in connection.execute(sql)]  # noqa: E731
        return {
            "servers": ask("select s.*, u.name as user from servers s join users u on u.id = s.user_id"),
            "leases": ask("select * from leases where state <> 'released'"),
            "held": ask("select d.*, l.state, l.exclusive from lease_devices d join leases l on l.id = d.lease_id "
                        "where d.live_mode is not null"),
            "tokens": ask("select t.id, t.server_id, s.lifecycle from tokens t join servers s on s.id = t.server_id"),
            "usage": ask("select * from usage_intervals where end_at is null"),
            "settings": {row["name"]: row["value"] for row in ask("select * from settings")},
        }
    finally:
        connection.close()


def routes_of(state_dir, token: str) -> dict:
    connection = UnixConnection(f"{state_dir}/proxy.sock")
    try:
        connection.request("GET", "/api/routes", headers={"Authorization": f"token {token}"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def active(server: dict) -> bool:
    return server["lifecycle"] not in ("stopped", "failed")


def walk_containers(rows: dict, containers: list[dict]) -> list[tuple[str, str]]:
    found = []
    servers = {str(s["id"]): s for s in rows["servers"]}
    of_server: Counter = Counter()
    running = set()
    for one in containers:
        labels, name = one["Labels"], one["Names"][0]
        server = servers.get(labels["berth.server"])
        of_server[labels["berth.server"]] += 1
        what = f"container {name} ({one['State']}, server {labels['berth.server']}.{labels['berth.generation']})"
        if labels["berth.instance"] != rows["settings"]["instance_id"] or server is None:
            found.append(("leaked", f"{what}: no row knows it"))
        elif not active(server):
            found.append(("leaked", f"{what}: its row says {server['lifecycle']}"))
        elif str(server["generation"]) != labels["berth.generation"]:
            found.append(("leaked", f"{what}: its row is at generation {server['generation']}"))
        if one["State"] == "running":
            running.add(labels["berth.server"])
    found += [("doubled", f"server {s} has {n} containers") for s, n in of_server.items() if n > 1]
    for server in rows["servers"]:
        name = f"server of {server['user']}"
        if server["lifecycle"] in ("starting", "stopping"):
            found.append(("stuck", f"{name} is still {server['lifecycle']}"))
        elif server["lifecycle"] == "ready" and str(server["id"]) not in running:
            found.append(("orphaned", f"{name} is ready, and no container runs for it"))
    return found


def walk_leases(rows: dict, containers: list[dict]) -> list[tuple[str, str]]:
    found = []
    servers = {s["id"]: s for s in rows["servers"]}
    of_server: Counter = Counter()
    for lease in rows["leases"]:
        server = servers.get(lease["server_id"])
        of_server[lease["server_id"]] += 1
        if server is None or not active(server):
            found.append(("leaked", f"lease {lease['id']} is {lease['state']}, its server "
                                    f"{server['lifecycle'] if server else 'gone'}"))
        elif lease["state"] != "active":
            found.append(("stuck", f"lease {lease['id']} of {server['user']} is still {lease['state']}"))
        elif lease["generation"] != server["generation"]:
            found.append(("doubled", f"lease {lease['id']} is of an older start of {server['user']}"))
    found += [("doubled", f"server {s} has {n} leases") for s, n in of_server.items() if n > 1]
    exclusive = Counter(d["device_uuid"] for d in rows["held"] if d["exclusive"])
    found += [("doubled", f"GPU {uuid} is in {n} exclusive leases") for uuid, n in exclusive.items() if n > 1]
    live = {lease["id"] for lease in rows["leases"]}
    found += [("leaked", f"usage of lease {u['lease_id']} was never closed") for u in rows["usage"] if u["lease_id"] not in live]
    found += [("leaked", f"lease {d['lease_id']} has ended and still holds {d['device_uuid']}")
              for d in rows["held"] if d["state"] not in LIVE]
    return found


def walk_devices(rows: dict, environment_of) -> list[tuple[str, str]]:
    """What the containers really see, against what was promised."""
    found, seen = [], Counter()
    promised: dict[int, set] = {}
    for held in rows["held"]:
        lease = next((one for one in rows["leases"] if one["id"] == held["lease_id"]), None)
        if lease:
            promised.setdefault(lease["server_id"], set()).add(held["device_uuid"])
    for server, visible in environment_of:
        for uuid in visible:
            seen[uuid] += 1
        if visible != promised.get(server, set()):
            found.append(("doubled", f"server {server} sees {sorted(visible)}, its lease says "
                                     f"{sorted(promised.get(server, set()))}"))
    return found + [("doubled", f"GPU {uuid} is seen by {n} containers") for uuid, n in seen.items() if n > 1]


def walk_routes(rows: dict, routes: dict, targets: dict) -> list[tuple[str, str]]:
    found = []
    wanted = {f"/user/{s['user']}" + (f"/{s['name']}" if s["name"] else ""): s for s in rows["servers"]
              if s["lifecycle"] == "ready"}
    for path in routes:
        if path.startswith("/user/") and path.rstrip("/") not in wanted:
            found.append(("leaked", f"route {path} leads to nobody's server"))
    for path, server in wanted.items():
        route = routes.get(path) or routes.get(path + "/")
        where = targets.get(server["id"])
        if route is None:
            found.append(("orphaned", f"{path} is ready and has no route"))
        elif where and route["target"].rstrip("/") != where:
            found.append(("orphaned", f"route {path} leads to {route['target']}, its container is {where}"))
    return found


def walk_tokens(rows: dict) -> list[tuple[str, str]]:
    return [("leaked", f"token {t['id']} of a server that is {t['lifecycle']}") for t in rows["tokens"]
            if t["lifecycle"] in ("stopped", "failed")]


def walk_processes(folder: str) -> list[tuple[str, str]]:
    kinds: Counter = Counter()
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if len(line) > 1 and line[1] in ("serve", "proxy") and any(folder in word for word in line):
            kinds[line[1]] += process.status() != psutil.STATUS_ZOMBIE
    return [("doubled", f"{n} processes are `berth {kind}`") for kind, n in kinds.items() if n > 1]


def walk(world) -> list[tuple[str, str]]:
    """Every disagreement as (kind, sentence); empty when engine, rows and proxy tell the same story."""
    rows = rows_of(world.state_dir)
    containers = world.engine.containers()
    visible, targets = [], {}
    for one in containers:
        details = world.engine.inspect(one["Id"])
        if not details or not details["State"]["Running"]:
            continue
        server = int(one["Labels"]["berth.server"])
        environment = dict(word.split("=", 1) for word in details["Config"]["Env"] if "=" in word)
        devices = environment.get("NVIDIA_VISIBLE_DEVICES", "")
        visible.append((server, {d for d in devices.split(",") if d.startswith("GPU-")}))
        network = details["NetworkSettings"]["Networks"].get(world.mark)
        if network and network.get("IPAddress"):
            targets[server] = f"http://{network['IPAddress']}:8888"
    routes = routes_of(world.state_dir, rows["settings"]["proxy_token"])
    return (walk_containers(rows, containers) + walk_leases(rows, containers) + walk_devices(rows, visible)
            + walk_routes(rows, routes, targets) + walk_tokens(rows) + walk_processes(str(world.hub.folder)))

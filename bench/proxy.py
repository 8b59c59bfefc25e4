#!/usr/bin/env python3
"""CPU per request, message, handshake and upload of berth proxy beside nginx (one worker), HAProxy (one thread) and
configurable-http-proxy; memory of 10,000 idle WebSockets; p99 latency at half load.

Every proxy stands before the same upstreams (bench/proxy_peers.py) on the same core, the load comes from the others.
What counts is user + system time of the proxy's own threads, over the requests that were answered; rounds are interleaved
and the median is taken, so a busy machine weighs on all alike.

    bench/run proxy            python -m bench.proxy [--rounds N] [--seconds S] [--only WORD]
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench import websockets  # noqa: E402
from bench.proxy_peers import Field  # noqa: E402

CONNECTIONS = 32
# A browser's request to a Jupyter server: what a proxy really has to carry.
BROWSER_HEADERS = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: */*", "Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br",
    "Cookie: _xsrf=2|5d5b3ae8|8a4b7f4a5c2d4d1bb0cf07d2ac2c1a9e|1700000000; jupyterhub-session-id=0123456789abcdef01234567",
    "X-XSRFToken: 2|5d5b3ae8|8a4b7f4a5c2d4d1bb0cf07d2ac2c1a9e|1700000000",
]
UPLOAD = 'wrk.method = "POST"\nwrk.body = string.rep("x", 1024 * 1024)\n'


def in_seconds(seconds):
    """wrk takes whole seconds."""
    return f"{max(1, round(seconds))}s"


def wrk(field, peer, path, seconds, scheme="http", headers=(), script=None):
    """Requests that were answered with 200."""
    command = ["wrk", "--timeout", "10s", "-t1", f"-c{CONNECTIONS}", f"-d{in_seconds(seconds)}"]
    for header in [*BROWSER_HEADERS, *headers]:
        command += ["-H", header]
    if script:
        file = pathlib.Path(field.dir, "script.lua")
        file.write_text(script)
        command += ["-s", str(file)]
    out = subprocess.run([*command, f"{scheme}://127.0.0.1:{peer.port}{path}"], capture_output=True, text=True, check=True,
                         preexec_fn=field.stay_at_the_ends).stdout
    # Whoever closes each connection after its answer may do so while wrk still looks at it: "read" is then no error.
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: connect \d+, read (\d+), write (\d+), timeout (\d+)", out)
    if errors and (errors.group(1) or errors.group(3) != "0" or errors.group(4) != "0"):
        raise RuntimeError(f"wrk saw errors: {errors.group(0)}")
    return int(re.search(r"(\d+) requests in", out).group(1))


def handshakes(field, peer, seconds, how):
    """TLS connections with one request each: `how` is -new or -reuse (a session ticket)."""
    said = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{peer.port}", "-www", "/small", how, "-time",
                           str(max(1, round(seconds)))], capture_output=True, text=True, check=False,
                          preexec_fn=field.stay_at_the_ends)
    counts = re.findall(r"(\d+) connections in (?:[\d.]+) real seconds", said.stdout)
    if not counts:
        raise RuntimeError(f"openssl s_time: {said.stdout[-300:]}{said.stderr[-300:]}")
    return int(counts[-1])


def small(field, peer, seconds, **more):
    return wrk(field, peer, "/small", seconds, **more)


# what: (which side of the field, what is done, and how often it was)
LOADS = {
    "small request": ("plain", small),
    "1 MiB body": ("plain", lambda f, p, s: wrk(f, p, "/large", s)),
    "1 MiB upload": ("plain", lambda f, p, s: wrk(f, p, "/upload", s, script=UPLOAD)),
    "new connection": ("plain", lambda f, p, s: small(f, p, s, headers=["Connection: close"])),
    "TLS request": ("tls", lambda f, p, s: small(f, p, s, scheme="https")),
    "TLS 1 MiB body": ("tls", lambda f, p, s: wrk(f, p, "/large", s, scheme="https")),
    "TLS handshake": ("tls", lambda f, p, s: handshakes(f, p, s, "-new")),
    "TLS resumption": ("tls", lambda f, p, s: handshakes(f, p, s, "-reuse")),
}
MESSAGES = {"WebSocket message, 64 B": 64, "WebSocket message, 64 KiB": 64 * 1024}
# what: {peer: the most of its CPU that ours may be}
GOALS = {
    "small request": {"nginx": 0.9, "chp": 1 / 12},
    "1 MiB body": {"nginx": 1.0},
    "TLS request": {"nginx": 1.0},
    "TLS 1 MiB body": {"nginx": 1.0},
    "TLS handshake": {"nginx": 1.0},
    "TLS resumption": {"nginx": 1.0},
    "WebSocket message, 64 B": {"nginx": 1.0},
    "WebSocket message, 64 KiB": {"nginx": 1.0},
}
MOST_IDLE_MIB = 400


def cpu_for(field, what, name, seconds):
    """(µs of CPU for one, how many a second)"""
    if what in MESSAGES:
        return websockets.echo_cpu(field, field.plain[name], MESSAGES[what], seconds), None
    side, load = LOADS[what]
    peer = getattr(field, side)[name]
    before = peer.cpu()
    count = load(field, peer, seconds)
    return (peer.cpu() - before) / count * 1e6, count / max(1, round(seconds))


def measure_cpu(field, rounds, seconds, wanted):
    """{what: {"cpu": {proxy: median µs}, "rate": {proxy: median a second}}}"""
    result = {}
    for what in [*LOADS, *MESSAGES]:
        if wanted not in what:
            continue
        names = list(getattr(field, LOADS[what][0]) if what in LOADS else field.plain)
        samples = {name: [] for name in names}
        for number in range(rounds):
            for name in names[number % len(names):] + names[:number % len(names)]:
                samples[name].append(cpu_for(field, what, name, seconds))
        result[what] = {"cpu": {name: statistics.median(cpu for cpu, _ in each) for name, each in samples.items()}}
        if what in LOADS:
            result[what]["rate"] = {name: statistics.median(rate for _, rate in each) for name, each in samples.items()}
    return result


def measure_latency(field, rounds, seconds, rates):
    """{proxy: median p99 in ms} at half of what the slowest but CHP carries, CHP at half of its own."""
    head = pathlib.Path(field.dir, "request")
    head.write_text("\r\n".join(["GET /small HTTP/1.1", "Host: localhost", *BROWSER_HEADERS, "", ""]))
    half = min(rate for name, rate in rates.items() if name != "chp") / 2
    p99 = {name: [] for name in rates}
    for _ in range(rounds):
        for name in rates:
            load = min(half, rates[name] / 2)
            command, more = websockets.ends(field, "rate", field.plain[name].port, 64, load, seconds, head)
            said = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60, **more).stdout)
            if said["answers"] < said["asked"]:
                raise RuntimeError(f"{name} answered {said['answers']} of {said['asked']} requests at half load")
            p99[name].append(said["p99_ms"])
    return round(half), {name: statistics.median(each) for name, each in p99.items()}


def row(what, unit, values, goals):
    """`goals`: {peer: the most of its value that ours may be}."""
    held = {peer: most for peer, most in goals.items() if peer in values}
    ratios = {peer: values["berth"] / value for peer, value in values.items() if peer != "berth"}
    text = ", ".join(f"≤ {most:.2g} of {peer} (is {ratios[peer]:.2g})" for peer, most in held.items())
    return {"what": what, "unit": unit, "berth": round(values["berth"], 3),
            "peers": {peer: round(value, 3) for peer, value in values.items() if peer != "berth"},
            "ratios": {peer: round(ratio, 3) for peer, ratio in ratios.items()}, "goal": text,
            "met": all(ratios[peer] <= most for peer, most in held.items()) if held else None}


def run(rounds=5, seconds=0.6, wanted=""):
    """{"rows": for bench/run, name: {"berth": µs, "peer": µs, "ratio": berth/peer, "unit": "µs"}, …}."""
    result = {"rows": []}
    rows = result["rows"]
    with Field() as field:
        measured = measure_cpu(field, rounds, seconds, wanted)
        for what, each in measured.items():
            rows.append(row(f"CPU per proxied {what}", "µs", each["cpu"], GOALS.get(what, {})))
        for what, each in measured.items():
            if "rate" in each:
                rows.append(row(f"throughput: {what}", "/s", each["rate"], {}))
        if "small request" in measured:
            half, p99 = measure_latency(field, rounds, seconds, measured["small request"]["rate"])
            rows.append(row(f"p99 latency at {half}/s", "ms", p99, {}))
        if wanted in "idle WebSockets":
            count, used = websockets.idle_memory(field)
            one = row(f"memory with {count:,} idle WebSockets", "MiB", used, {})
            most = MOST_IDLE_MIB * count / websockets.IDLE
            rows.append({**one, "goal": f"≤ {most:.0f} MiB", "met": used["berth"] <= most})
    for each in rows:
        for peer, value in each["peers"].items():
            result[f"{each['what']}, beside {peer}"] = {"berth": each["berth"], "peer": value,
                                                        "ratio": each["ratios"][peer], "unit": each["unit"]}
    return result


def main():
    from bench.main import print_table
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6)
    parser.add_argument("--only", default="", help="what has this word in its name")
    arguments = parser.parse_args()
    result = run(arguments.rounds, arguments.seconds, arguments.only)
    print_table(result["rows"])
    print(json.dumps(result))


if __name__ == "__main__":
    main()

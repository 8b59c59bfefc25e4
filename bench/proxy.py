#!/usr/bin/env python3
"""CPU per proxied request: berth proxy beside nginx (one worker) and configurable-http-proxy.

Every proxy stands before the same upstream (nginx with a small file, keep-alive), adds the same X-Forwarded-* fields
and serves keep-alive connections. What counts is user + system time of the proxy's own processes, from
/proc/PID/stat, over the requests that wrk counted; rounds are interleaved and the median is taken, so a busy machine
weighs on all alike. Peers that are not installed are left out, aloud.

    bench/proxy.py [--rounds N] [--seconds S] [--connections C]

BERTH names the program (default build/release/berth), CHP configurable-http-proxy.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
TOKEN = "bench-token"

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/{name}.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 100000000; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  {body}
}}
"""
UPSTREAM = """
  server {{ listen 127.0.0.1:{port}; root {dir}/www; open_file_cache max=10; }}
"""
FRONT = """
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream target {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://target; proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_buffers 16 64k;
      proxy_buffer_size 16k;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $connection_upgrade; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
    }}
  }}
"""
# A browser's request to a Jupyter server: what a proxy really has to carry.
BROWSER_HEADERS = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: */*", "Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br",
    "Cookie: _xsrf=2|5d5b3ae8|8a4b7f4a5c2d4d1bb0cf07d2ac2c1a9e|1700000000; jupyterhub-session-id=0123456789abcdef01234567",
    "X-XSRFToken: 2|5d5b3ae8|8a4b7f4a5c2d4d1bb0cf07d2ac2c1a9e|1700000000",
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode} at its start")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} does not listen on {port}")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wrk(port, path, seconds, connections):
    command = ["wrk", "--timeout", "10s", "-t1", f"-c{connections}", f"-d{seconds}s"]
    for header in BROWSER_HEADERS:
        command += ["-H", header]
    out = subprocess.run(command + [f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", out)
    if errors:
        raise RuntimeError(f"wrk saw errors: {errors.group(0)}")
    return int(re.search(r"(\d+) requests in", out).group(1))


class Bench:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="berth-bench-")
        os.chmod(self.dir, 0o755)  # nginx may drop to another user
        self.running = []
        self.proxies = {}

    def __enter__(self):
        www = pathlib.Path(self.dir, "www")
        www.mkdir()
        (www / "small").write_bytes(b"x" * 200)
        (www / "large").write_bytes(b"x" * (1 << 20))
        self.upstream = self.nginx("upstream", UPSTREAM.format(port=(port := free_port()), dir=self.dir), port)
        return self

    def __exit__(self, *failure):
        for process in self.running:
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, name, command, port, **environment):
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.running.append(process)
        wait_for(port, process)
        return port, process.pid

    def nginx(self, name, body, port):
        path = pathlib.Path(self.dir, f"{name}.conf")
        path.write_text(NGINX.format(dir=self.dir, name=name, body=body))
        return self.spawn(name, ["nginx", "-p", self.dir, "-c", str(path)], port)[0] if name == "upstream" else \
            self.spawn(name, ["nginx", "-p", self.dir, "-c", str(path)], port)

    def start_proxies(self):
        target = f"http://127.0.0.1:{self.upstream}"
        berth = shlex.split(os.environ.get("BERTH_PROXY", "")) or \
            [os.environ.get("BERTH", str(ROOT / "build/release/berth")), "proxy"]
        port = free_port()
        flags = ["--ip", "127.0.0.1", "--api-ip", "127.0.0.1", "--default-target", target]
        self.proxies["berth"] = self.spawn(
            "berth", berth + ["--port", str(port), "--api-port", str(free_port()), "--workers", "1"] + flags, port,
            CONFIGPROXY_AUTH_TOKEN=TOKEN)
        port = free_port()
        self.proxies["nginx"] = self.nginx("front", FRONT.format(port=port, upstream=self.upstream), port)
        chp = os.environ.get("CHP") or shutil.which("configurable-http-proxy")
        if not chp:
            print("proxy: configurable-http-proxy is not installed (npm install -g configurable-http-proxy); left out",
                  file=sys.stderr)
            return
        port = free_port()
        self.proxies["chp"] = self.spawn(
            "chp", [chp, "--port", str(port), "--api-port", str(free_port()), "--log-level", "error"] + flags, port,
            CONFIGPROXY_AUTH_TOKEN=TOKEN)

    def cpu_per_request(self, name, path, seconds, connections):
        port, pid = self.proxies[name]
        before = cpu_seconds(pid)
        requests = wrk(port, path, seconds, connections)
        return (cpu_seconds(pid) - before) / requests * 1e6


def measure(rounds, seconds, connections):
    """{case: {proxy: median µs of CPU a request}}"""
    samples = {}
    with Bench() as bench:
        bench.start_proxies()
        for case, path in (("small request", "/small"), ("1 MiB body", "/large")):
            for name in bench.proxies:
                bench.cpu_per_request(name, path, 1, connections)  # warm up
            for _ in range(rounds):
                for name in bench.proxies:
                    sample = bench.cpu_per_request(name, path, seconds, connections)
                    samples.setdefault(case, {}).setdefault(name, []).append(sample)
    return {case: {name: statistics.median(each) for name, each in by_name.items()} for case, by_name in samples.items()}


GOALS = {"small request": ("≤ 1.2 of nginx", 1.2)}


def run(rounds=5, seconds=2, connections=32):
    """{"rows": for bench/run, name: {"berth": µs, "peer": µs, "ratio": berth/peer, "unit": "µs"}, …}."""
    result = {"rows": []}
    for case, cpu in measure(rounds, seconds, connections).items():
        what = f"CPU per proxied {case}"
        peers = {peer: round(cpu[peer], 2) for peer in ("nginx", "chp") if peer in cpu}
        for peer, value in peers.items():
            result[f"{what}, beside {peer}"] = {"berth": round(cpu["berth"], 2), "peer": value,
                                                "ratio": round(cpu["berth"] / value, 3), "unit": "µs"}
        goal, most = GOALS.get(case, ("", None))
        result["rows"].append({"what": what, "unit": "µs", "berth": round(cpu["berth"], 2), "peers": peers, "goal": goal,
                               "met": None if most is None else cpu["berth"] <= most * cpu["nginx"]})
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=32)
    arguments = parser.parse_args()
    result = run(arguments.rounds, arguments.seconds, arguments.connections)
    print(f"{'':58} {'berth':>9} {'peer':>9} {'ratio':>7}")
    for name, row in result.items():
        if name == "rows":
            continue
        print(f"{name:58} {row['berth']:>6} µs {row['peer']:>6} µs {row['ratio']:>7}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()

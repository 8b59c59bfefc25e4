"""The proxies that bench/proxy.py compares, started alike: one core, one worker, keep-alive to the same upstreams, the same
X-Forwarded-* fields, TLS with the same certificate. What is not installed is left out, aloud.

BERTH names the program (default build/release/berth), CHP configurable-http-proxy.
"""

import http.client
import json
import os
import pathlib
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import psutil

from bench import peers
from tests.support.certificates import make_certificate
from tests.support.ports import free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKEN = "bench-token"
DESCRIPTORS = 60_000
PATHS = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/{name}.pid; error_log stderr crit;
worker_rlimit_nofile {descriptors}; events {{ worker_connections {descriptors}; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 100000000; client_max_body_size 0;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  {body}
}}
"""
UPSTREAM = """
  server {{ listen 127.0.0.1:{port}; root {dir}/www; open_file_cache max=10; location /upload {{ return 200 "ok"; }} }}
"""
FRONT = """
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream target {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} {tls};
    proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_buffers 16 64k;
    proxy_buffer_size 16k; proxy_read_timeout 1h; proxy_send_timeout 1h;
    proxy_set_header Host $http_host;
    proxy_set_header Connection $connection_upgrade; proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
    location / {{ proxy_pass http://target; }}
    location /ws {{ proxy_pass http://127.0.0.1:{websocket}; }}
  }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn {connections}
  ulimit-n {descriptors}
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  option forwardfor
frontend front
  bind 127.0.0.1:{port} {tls}
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto {scheme}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  use_backend websocket if {{ path_beg /ws }}
  default_backend target
backend target
  http-reuse always
  server one 127.0.0.1:{upstream} pool-max-conn 256
backend websocket
  server one 127.0.0.1:{websocket}
"""


def program(name):
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *PATHS]))


def left_out(name, how):
    print(f"proxy: {name} is not installed ({how}); left out", file=sys.stderr)


def cores():
    """(of the proxies, of the ends): the last core is the ends' where there are two, and they do not meet."""
    have = sorted(os.sched_getaffinity(0))
    return ({have[0]}, set(have[1:]) or {have[0]})


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


def ends_program():
    """berth_bench_ends, built when bench/run did not."""
    folder = ROOT / "build" / "release"
    subprocess.run(["ninja", "-C", str(folder), "berth_bench_ends"], check=True, capture_output=True)
    return str(folder / "bench" / "berth_bench_ends")


class Peer:
    def __init__(self, port, process):
        self.port, self.process = port, psutil.Process(process.pid)

    def cpu(self):
        return peers.cpu_seconds([self.process])

    def memory_mib(self):
        return self.process.memory_info().rss / (1 << 20)


class Field:
    """The upstreams, and each proxy before them twice: `plain` and `tls`, both {name: Peer}."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="berth-bench-")
        os.chmod(self.dir, 0o755)  # nginx may drop to another user
        self.running, self.plain, self.tls = [], {}, {}
        self.proxy_cores, self.end_cores = cores()

    def __enter__(self):
        try:
            self.open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def open(self):
        self.descriptors = raise_descriptors()
        www = pathlib.Path(self.dir, "www")
        www.mkdir()
        (www / "small").write_bytes(b"x" * 200)
        (www / "large").write_bytes(b"x" * (1 << 20))
        certificate, key = make_certificate(pathlib.Path(self.dir), "bench")
        self.certificate, self.key = str(certificate), str(key)
        pathlib.Path(self.dir, "bench.pem").write_text(certificate.read_text() + key.read_text())
        self.ends = ends_program()
        if not program("nginx"):
            raise RuntimeError("nginx is not installed, and it is the upstream too (apt-get install nginx-light)")
        self.upstream = self.nginx("upstream", UPSTREAM, self.end_cores).port
        self.websocket = free_port()
        self.spawn([self.ends, "serve", str(self.websocket)], self.websocket, self.end_cores)
        for tls in (False, True):
            into = self.tls if tls else self.plain
            into["berth"] = self.berth(tls)
            into["nginx"] = self.nginx(f"front{int(tls)}", FRONT, self.proxy_cores, tls)
            if program("haproxy"):
                into["haproxy"] = self.haproxy(tls)
            elif not tls:
                left_out("haproxy", "apt-get install haproxy")
            if chp := os.environ.get("CHP") or shutil.which("configurable-http-proxy"):
                into["chp"] = self.chp(chp, tls)
            elif not tls:
                left_out("configurable-http-proxy", "npm install -g configurable-http-proxy")

    def __exit__(self, *failure):
        for process in self.running:
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stay_at_the_ends(self):
        os.sched_setaffinity(0, self.end_cores)

    def spawn(self, command, port, where, **environment):
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, where))
        self.running.append(process)
        wait_for(port, process)
        return Peer(port, process)

    def nginx(self, name, body, where, tls=False):
        port = free_port()
        listen = f"ssl; ssl_certificate {self.certificate}; ssl_certificate_key {self.key}; " \
            "ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:one:4m" if tls else ""
        text = body.format(port=port, dir=self.dir, tls=listen, upstream=getattr(self, "upstream", 0),
                           websocket=getattr(self, "websocket", 0))
        path = pathlib.Path(self.dir, f"{name}.conf")
        path.write_text(NGINX.format(dir=self.dir, name=name, body=text, descriptors=self.descriptors))
        return self.spawn([program("nginx"), "-p", self.dir, "-c", str(path)], port, where)

    def haproxy(self, tls):
        port = free_port()
        path = pathlib.Path(self.dir, f"haproxy{int(tls)}.conf")
        path.write_text(HAPROXY.format(
            port=port, upstream=self.upstream, websocket=self.websocket, descriptors=self.descriptors,
            connections=self.descriptors // 2 - 50,
            scheme="https" if tls else "http", tls=f"ssl crt {self.dir}/bench.pem" if tls else ""))
        return self.spawn([program("haproxy"), "-db", "-f", str(path)], port, self.proxy_cores)

    def berth(self, tls):
        command = shlex.split(os.environ.get("BERTH_PROXY", "")) or \
            [os.environ.get("BERTH", str(ROOT / "build/release/berth")), "proxy"]
        return self.node_like(command + ["--workers", "1", "--log-level", "error"], tls)

    def chp(self, chp, tls):
        return self.node_like([chp, "--log-level", "error"], tls)

    def node_like(self, command, tls):
        """What has configurable-http-proxy's flags."""
        port, api = free_port(), free_port()
        command += ["--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(api),
                    "--default-target", f"http://127.0.0.1:{self.upstream}"]
        if tls:
            command += ["--ssl-cert", self.certificate, "--ssl-key", self.key]
        peer = self.spawn(command, port, self.proxy_cores, CONFIGPROXY_AUTH_TOKEN=TOKEN)
        connection = http.client.HTTPConnection("127.0.0.1", api, timeout=10)
        connection.request("POST", "/api/routes/ws", json.dumps({"target": f"http://127.0.0.1:{self.websocket}"}),
                           {"Authorization": f"token {TOKEN}"})
        if connection.getresponse().status != 201:
            raise RuntimeError(f"{command[0]} does not take the route /ws")
        return peer


def raise_descriptors():
    """A proxy needs two for one WebSocket. Returns how many descriptors a process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, DESCRIPTORS), max(hard, DESCRIPTORS)))
    except (ValueError, OSError):  # only root may
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[0])

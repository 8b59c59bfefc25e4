"""A Docker Engine of this run's own, which may be killed, frozen and started again without hurting anybody else's."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from urllib.parse import quote

from tests.support import venvs
from tests.support.person import wait_until

BASE_IMAGE = "berth-base:bookworm"
NOTEBOOK_IMAGE = "notebook:latest"


class Refused(Exception):
    """The engine's own answer, when it is not a good one."""


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """dockerd and containerd on sockets of their own, as two services, so that one may die without the other.

    It makes no firewall rules: those of another engine on this machine stay.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.socket = str(folder / "engine.sock")
        self.log_path = folder / "dockerd.log"
        self.process: subprocess.Popen | None = None
        self.containerd: subprocess.Popen | None = None
        self.starting = threading.Lock()
        for part in ("data", "exec"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    # ------------------------------------------------------------------ life
    def start(self, live_restore: bool = True, timeout: float = 60) -> "Engine":
        """Starts it and waits until it answers; live_restore: containers survive it, as on a production machine."""
        with self.starting:
            self.start_containerd()
            (self.folder / "engine.pid").unlink(missing_ok=True)
            command = ["dockerd", "--containerd", str(self.folder / "containerd.sock"), "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec"),
                       "--host", f"unix://{self.socket}", "--pidfile", str(self.folder / "engine.pid"),
                       "--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false",
                       "--default-address-pool", "base=10.213.0.0/16,size=24", f"--live-restore={str(live_restore).lower()}"]
            path = f"{venvs.ROOT / 'tests' / 'stand-ins'}:{os.environ['PATH']}"
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                start_new_session=True, env={**os.environ, "PATH": path})
            wait_until("the engine answers", self.answers, timeout, 0.05)
        return self

    def start_containerd(self) -> None:
        if self.containerd and self.containerd.poll() is None:
            return
        settings = self.folder / "containerd.toml"
        settings.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        command = ["containerd", "--config", str(settings), "--address", str(self.folder / "containerd.sock"),
                   "--root", str(self.folder / "data" / "containerd"), "--state", str(self.folder / "exec" / "containerd")]
        with open(self.folder / "containerd.log", "ab") as log:
            self.containerd = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                               start_new_session=True)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"dockerd ended:\n{self.log_path.read_text(errors='replace')[-2000:]}")
        with contextlib.suppress(OSError, http.client.HTTPException, Refused):
            self.ask("GET", "/_ping", timeout=5)
            return True
        return False

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, timeout: float = 60) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(timeout)

    def clean_up(self) -> None:
        """Everything it made is gone afterwards: containers, networks, its process, its mounts and its folder."""
        with contextlib.suppress(Exception):
            if self.process.poll() is not None:
                self.start()
            self.process.send_signal(signal.SIGCONT)
            for one in self.containers(timeout=30):
                with contextlib.suppress(Exception):
                    self.ask("DELETE", f"/containers/{one['Id']}?force=true")
            for one in self.ask("GET", "/networks"):
                with contextlib.suppress(Exception):
                    self.ask("DELETE", f"/networks/{one['Id']}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.end()
        for one in (self.process, self.containerd):
            if one and one.poll() is None:
                one.kill()
                one.wait()
        mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------------- API
    def ask(self, method: str, path: str, body=None, timeout: float = 20):
        connection = Connection(self.socket, timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"} if body is not None else {})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(f"{method} {path}: {answer.status} {data[:300]!r}")
        return json.loads(data) if data[:1] in (b"{", b"[") else data

    def containers(self, timeout: float = 20) -> list[dict]:
        """All of them, also ended ones, that bear the labels of a hub."""
        filters = quote(json.dumps({"label": ["berth.instance"]}))
        return self.ask("GET", f"/containers/json?all=1&filters={filters}", timeout=timeout)

    def inspect(self, name: str) -> dict | None:
        try:
            return self.ask("GET", f"/containers/{name}/json")
        except Refused:
            return None

    def kill_container(self, name: str) -> bool:
        """kill -9 of its first process, behind the engine's back."""
        found = self.inspect(name)
        if not found or not found["State"]["Running"] or found["State"]["Pid"] <= 0:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(found["State"]["Pid"], signal.SIGKILL)
            return True
        return False

    def take_image(self, image: str) -> None:
        """Copies an image from the machine's engine."""
        environment = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}"}
        source = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
        try:
            subprocess.run(["docker", "load", "--quiet"], stdin=source.stdout, env=environment, check=True,
                           stdout=subprocess.DEVNULL, timeout=300)
        finally:
            source.stdout.close()
            source.wait()


def why_impossible() -> str | None:
    """The reason why no engine can be started here, if there is one."""
    if os.geteuid() != 0:
        return "an engine of its own needs root"
    if not shutil.which("dockerd"):
        return "dockerd is missing; install it with: apt-get install docker.io"
    return None


def freeze(engine: Engine, seconds: float) -> None:
    """It hangs: every call is taken and none answered."""
    engine.signal(signal.SIGSTOP)
    time.sleep(seconds)
    engine.signal(signal.SIGCONT)

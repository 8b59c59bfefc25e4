"""Hubs as child processes: Berth, and real JupyterHub as the control these suites were first made green against."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import requests
import yaml

from . import venvs
from .person import Person, escape, wait_until
from .ports import free_port, free_ports

OPS_TOKEN = "0123456789abcdef0123456789abcdef"
OPS_SCOPES = ["admin:users", "admin:servers", "list:users", "admin:groups", "tokens", "read:hub", "proxy",
              "list:services", "read:services", "access:servers"]
BERTH_SCOPES = [*OPS_SCOPES, "gpu:admin"]


def merged(base: dict, over: dict) -> dict:
    """`over` laid on `base`, mappings merged."""
    out = dict(base)
    for key, value in over.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


class HubProcess:
    """What both kinds share: a URL, a log, a process and the API as an operator sees it."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / "hub.log"
        self.process: subprocess.Popen | None = None
        self.url = ""
        self.verify: bool | str = True  # as requests takes it: the certificate to trust

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict:
        return dict(os.environ)

    def start(self, wait: bool = True, timeout: float = 60) -> "HubProcess":
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.environment(), start_new_session=True)
        if wait:
            self.wait_healthy(timeout)
        return self

    def wait_healthy(self, timeout: float = 60) -> None:
        def healthy():
            if self.process.poll() is not None:
                raise AssertionError(f"the hub ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            try:
                return requests.get(self.url + "/hub/health", timeout=2, verify=self.verify).status_code == 200
            except requests.RequestException:
                return False
        wait_until("/hub/health answers 200", healthy, timeout, pause=0.02)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill9(self) -> None:
        """kill -9 of the hub process alone, its children left."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, timeout: float = 30) -> int:
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"the hub did not stop within {timeout} s of SIGTERM:\n{self.log()[-2000:]}") from None

    def clean_up(self) -> None:
        """Ends the hub, its servers and whatever of its process group is left."""
        try:
            if self.process and self.process.poll() is None:
                self.stop_everything()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
            self.kill_leftovers()

    def kill_leftovers(self) -> None:
        """Processes that work in our folder, or name it in their command or environment, are ours to end."""
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                told = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
                told += b"\0" + os.fsencode(os.readlink(entry / "cwd"))
                # Our own parents (pytest started by a test) never name the folder of this very hub.
                if os.fsencode(str(self.folder)) in told:
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue

    def stop_everything(self) -> None:
        try:
            for user in self.api("GET", "/users", params={"limit": 200}).json():
                for server in user.get("servers") or {"": None}:
                    self.api("DELETE", f"/users/{escape(user['name'])}/" +
                             (f"servers/{escape(server)}" if server else "server"))
        except (requests.RequestException, ValueError, KeyError, TypeError):
            pass
        self.stop()

    def api(self, method: str, path: str, token: str | None = OPS_TOKEN, **more) -> requests.Response:
        headers = dict(more.pop("headers", {}))
        if token:
            headers["Authorization"] = f"token {token}"
        return requests.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=more.pop("timeout", 60),
                                verify=self.verify, **more)

    def person(self, name: str, password: str = "pw") -> Person:
        return Person(self.url, name, password, self.verify)

    def server(self, user: str, server: str = "") -> dict | None:
        answer = self.api("GET", f"/users/{escape(user)}", params={"include_stopped_servers": "1"})
        return answer.json().get("servers", {}).get(server) if answer.status_code == 200 else None


class Berth(HubProcess):
    """`berth serve` on free ports with its own state directory. `config` is laid over the defaults below."""

    def __init__(self, folder: pathlib.Path, config: dict | None = None, binary: str | None = None,
                 arguments: list[str] | None = None, nvml: dict | None = None):
        super().__init__(folder)
        self.binary = binary or berth_binary()
        self.arguments = arguments or []
        self.nvml = nvml
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.config_path = folder / "berth.yaml"
        self.config = merged({
            "bind_url": self.url,
            "state_dir": str(folder / "state"),
            "authentication": {"method": "dummy", "dummy": {"password": "pw"}, "admins": ["admin"]},
            "gpu": {"agent": False},
            "services": [{"name": "ops", "api_token": OPS_TOKEN, "scopes": BERTH_SCOPES}],
        }, config or {})
        self.write_config()

    def write_config(self) -> None:
        self.config_path.write_text(yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True))

    def command(self) -> list[str]:
        return [self.binary, "serve", "--config", str(self.config_path), *self.arguments]

    def environment(self) -> dict:
        return {**os.environ, "BERTH_TEST_FOLDER": str(self.folder)}


def berth_binary() -> str:
    return os.environ.get("BERTH_BINARY", str(venvs.ROOT / "build" / "release" / "berth"))


JUPYTERHUB_CONFIG = """
import json, os
given = json.loads(os.environ["CONTROL_GIVEN"])
c.JupyterHub.bind_url = given["url"]
c.JupyterHub.hub_bind_url = given["hub_url"]
c.ConfigurableHTTPProxy.api_url = given["proxy_api"]
c.ConfigurableHTTPProxy.command = given["proxy_command"]
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "pw"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"admin"}
c.JupyterHub.spawner_class = given["spawner"]
c.JupyterHub.allow_named_servers = True
c.Spawner.http_timeout = 120
c.Spawner.environment = given["environment"]
if given["cmd"]:
    c.Spawner.cmd = given["cmd"]
c.Spawner.default_url = "/lab"
if os.getuid() == 0 and "docker" not in given["spawner"]:
    c.Spawner.args = ["--allow-root"]
c.JupyterHub.services = [{"name": "ops", "api_token": given["ops_token"]}]
c.JupyterHub.load_roles = [{"name": "ops", "scopes": given["ops_scopes"], "services": ["ops"]}]
for key, value in given["traits"].items():
    owner, trait = key.split(".")
    setattr(c[owner], trait, value)
"""


class JupyterHub(HubProcess):
    """Real JupyterHub 6 with configurable-http-proxy: the control, and the bench's peer."""

    def __init__(self, folder: pathlib.Path, singleuser: str | None = None, spawner: str = "simple",
                 environment: dict | None = None, traits: dict | None = None, proxy: list[str] | None = None):
        """`proxy`: the command in configurable-http-proxy's place."""
        super().__init__(folder)
        self.bin = venvs.hub_peer()
        port, hub, proxy_api = free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        (folder / "jupyterhub_config.py").write_text(JUPYTERHUB_CONFIG)
        self.given = {
            "url": self.url, "hub_url": f"http://127.0.0.1:{hub}", "proxy_api": f"http://127.0.0.1:{proxy_api}",
            "proxy_command": proxy or [str(venvs.configurable_http_proxy())], "spawner": spawner,
            "cmd": [singleuser] if singleuser else ([] if "docker" in spawner else [str(self.bin / "jupyterhub-singleuser")]),
            "environment": environment or {}, "ops_token": OPS_TOKEN,
            "ops_scopes": OPS_SCOPES, "traits": traits or {}}

    def command(self) -> list[str]:
        return [str(self.bin / "jupyterhub"), "-f", "jupyterhub_config.py"]

    def environment(self) -> dict:
        return {**os.environ, "CONTROL_GIVEN": json.dumps(self.given), "BERTH_TEST_FOLDER": str(self.folder)}

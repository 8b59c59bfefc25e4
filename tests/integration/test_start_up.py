"""Refusals at the start: each says what, where and what to do, and ends with its code."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

import psutil
import pytest
import requests

from tests.support import venvs
from tests.support.hub import berth_binary
from tests.support.person import wait_until
from tests.support.ports import free_port


def serve(text, folder, timeout=20, **more):
    """Runs `berth serve` with this configuration until it ends; returns its code and what it said."""
    path = folder / "berth.yaml"
    path.write_text(text)
    done = subprocess.run([berth_binary(), "serve", "--config", str(path)], cwd=folder, capture_output=True, text=True,
                          timeout=timeout, check=False, **more)
    return done.returncode, done.stdout + done.stderr


def minimal(folder, port=None, **more):
    lines = [f"bind_url: http://127.0.0.1:{port or free_port()}", f"state_dir: {folder}/state", "spawner: local",
             "gpu: {agent: false}"]
    return "\n".join(lines + [f"{key}: {value}" for key, value in more.items()]) + "\n"


@pytest.fixture(autouse=True)
def built():
    if not pathlib.Path(berth_binary()).exists():
        pytest.skip("build/release/berth is not built (./run --build)")


def test_typo_names_line_column_and_nearest_key(folder):
    code, said = serve("bind_url: http://127.0.0.1:8000\nspawnr: local\n", folder)
    assert code == 78
    assert "berth.yaml:2:1" in said and "spawnr" in said and "spawner" in said


def test_typo_below_a_section(folder):
    code, said = serve("docker:\n  imgae: notebook:latest\n", folder)
    assert code == 78 and "berth.yaml:2:3" in said and "image" in said


@pytest.mark.parametrize("text, words", [
    ("gpu: {oversubscription: many}\n", ["oversubscription", "berth.yaml:1"]),
    ("spawner: podman\n", ["spawner", "podman"]),
    ("authentication:\n  method: ${NO_SUCH_VARIABLE}\n", ["NO_SUCH_VARIABLE"]),
    ("docker: [\n", ["berth.yaml"]),
], ids=["wrong-type", "unknown-spawner", "missing-variable", "malformed"])
def test_bad_configuration(folder, text, words):
    code, said = serve(text, folder)
    assert code == 78
    for word in words:
        assert word in said


def test_no_such_configuration(folder):
    done = subprocess.run([berth_binary(), "serve", "--config", str(folder / "none.yaml")], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode != 0 and "none.yaml" in done.stdout + done.stderr


def test_port_in_use(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = serve(minimal(folder, port), folder)
    assert code != 0 and str(port) in said and "in use" in said.lower()


@pytest.mark.parametrize("where", ["/proc/berth-state", "{folder}/file/state"], ids=["read-only", "below-a-file"])
def test_state_directory_cannot_be_written(folder, where):
    (folder / "file").write_text("")
    where = where.format(folder=folder)
    text = minimal(folder).replace(f"{folder}/state", where)
    code, said = serve(text, folder)
    assert code != 0 and where in said


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv to become nobody")
def test_state_directory_read_only_for_us(folder):
    (folder / "state").mkdir(mode=0o555)
    folder.chmod(0o755)
    program = folder / "berth"  # the build tree may be closed to nobody
    shutil.copy(berth_binary(), program)
    path = folder / "berth.yaml"
    path.write_text(minimal(folder))
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(program), "serve",
                           "--config", str(path)], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0 and f"{folder}/state" in done.stdout + done.stderr


def test_config_check_show_and_defaults(folder):
    path = folder / "berth.yaml"
    path.write_text(minimal(folder) + 'services: [{name: ops, api_token: "0123456789abcdef0123", scopes: ["list:users"]}]\n')
    def berth(*arguments):
        return subprocess.run([berth_binary(), "config", *arguments], capture_output=True, text=True, timeout=20,
                              check=False)
    good = berth("check", "--config", str(path))
    assert good.returncode == 0, good.stderr
    shown = berth("show", "--config", str(path))
    assert shown.returncode == 0 and "0123456789abcdef0123" not in shown.stdout and "spawner: local" in shown.stdout
    defaults = berth("defaults")
    assert defaults.returncode == 0 and "bind_url" in defaults.stdout
    path.write_text("spawnr: local\n")
    assert berth("check", "--config", str(path)).returncode == 78


def test_the_configuration_of_the_issue_is_valid(folder):
    path = folder / "berth.yaml"
    path.write_text("""bind_url: http://127.0.0.1:8000
state_dir: ./state
authentication:
  method: dummy            # password | dummy | later: pam, ldap, oidc
  dummy: {password: pw}
  admins: [admin]
spawner: docker            # auto | docker | local
docker: {image: "notebook:latest"}
gpu:
  oversubscription: 1
  devices: [{uuid: GPU-aaaa}, {uuid: GPU-bbbb}]     # optional where NVML answers
services:
  - {name: ops, api_token: "0123456789abcdef", scopes: ["admin:users", "admin:servers", "list:users"]}
""")
    done = subprocess.run([berth_binary(), "config", "check", "--config", str(path)], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_run_serves_within_two_seconds(folder):
    """./run with everything there: from the command to /hub/health."""
    port = free_port()
    path = folder / "berth.yaml"
    path.write_text(minimal(folder, port))
    # What the first run leaves behind.
    subprocess.run([str(venvs.ROOT / "run"), "--build"], check=True, capture_output=True, timeout=900)
    took = []
    for _ in range(3):
        began = time.monotonic()
        process = subprocess.Popen([str(venvs.ROOT / "run"), str(path)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True,
                                   env={**os.environ, "PATH": f"{venvs.jupyterhub('6.1.1')}:{os.environ['PATH']}"})
        try:
            while time.monotonic() - began < 20:
                try:
                    if requests.get(f"http://127.0.0.1:{port}/hub/health", timeout=1).status_code == 200:
                        break
                except requests.RequestException:
                    time.sleep(0.01)
            took.append(time.monotonic() - began)
        finally:
            process.terminate()
            process.wait(20)
    assert min(took) <= 2, f"./run served after {took}"


def proxy_of(hub):
    """The one that this hub started."""
    socket = str(hub.folder / "state" / "proxy.sock")
    [found] = [one for one in psutil.process_iter(["cmdline"]) if socket in (one.info["cmdline"] or [])]
    return found


def test_the_proxys_log_keeps_its_size(berth):
    hub = berth({"spawner": "local", "local": {"command": "/bin/true"}})
    logs = hub.folder / "state" / "logs"
    proxy = proxy_of(hub)
    assert "proxy.started" in hub.log() and (logs / "proxy.log").exists()
    words = proxy.cmdline()
    assert words[words.index("--log-file") + 1] == str(logs / "proxy.log")
    for number in (1, 2):
        assert os.path.samefile(f"/proc/{proxy.pid}/fd/{number}", logs / "proxy.log"), "a crash's last words are there too"
    # The same program where the log of before is as large as it may be.
    full = hub.folder / "full.log"
    full.write_bytes(b"x" * 127 + b"\n")
    os.truncate(full, 16 << 20)
    port = free_port()
    other = subprocess.Popen([hub.binary, "proxy", "--ip", "127.0.0.1", "--port", str(port), "--api-socket",
                              str(hub.folder / "other.sock"), "--log-file", str(full)])
    try:
        older = hub.folder / "full.1.log"
        wait_until("it was put aside", older.exists, 20)
        wait_until("the new one is begun", lambda: 0 < full.stat().st_size < 10_000, 20)
        assert older.stat().st_size == 16 << 20
    finally:
        other.terminate()
        other.wait()

"""Another program takes the hub's place while people work: reload-like (SIGHUP) and restart-like, by really other binaries."""

import hashlib
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import psutil
import pytest
import requests

from tests.integration.test_gpus import GPUS, lease_of
from tests.support.hub import berth_binary
from tests.support.person import wait_until

pytestmark = pytest.mark.berth_only
QUICK = {"spawner": "local", "local": {"command": "/bin/true"}}
MEGABYTES = 48


def other_version(binary: pathlib.Path, to: pathlib.Path) -> str:
    """The same program with another version in it, as a package would bring it."""
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    newer = "9" + version[1:]
    was = binary.read_bytes()
    now = was.replace(version.encode() + b"\0", newer.encode() + b"\0")
    assert now != was, "the version stands in the program as a text"
    draft = to.with_suffix(".new")
    draft.write_bytes(now)
    draft.chmod(0o755)
    os.replace(draft, to)
    return newer


@pytest.fixture
def own_binary(folder):
    path = folder / "berth"
    shutil.copy(berth_binary(), path)
    (folder / "stand-ins").mkdir()
    return path


def version_of(hub) -> str:
    try:
        return hub.api("GET", "/berth/info", timeout=5).json()["version"]
    except (requests.RequestException, ValueError, KeyError):
        return ""


def check_proxy_upgraded(hub, binary):
    """The proxy too is of the new binary; the old one stays with the connections it has, and goes with them."""
    def proxies():
        found = {}
        for each in psutil.process_iter(["name", "cmdline"]):
            if str(hub.folder / "state" / "proxy.sock") in (each.info["cmdline"] or []):
                found.setdefault(each.info["name"], []).append(each.pid)
        return found

    def programs():
        return [os.stat(f"/proc/{pid}/exe").st_ino for pid in proxies().get("berth", [])]
    # The old one is alone under this name too, until the new one is ready.
    wait_until("only a proxy of the new binary serves", lambda: programs() == [binary.stat().st_ino], 20)
    return proxies


class Download(threading.Thread):
    """Somebody fetches a big file from their notebook, slowly, through everything that happens."""

    def __init__(self, person):
        super().__init__(daemon=True)
        self.person, self.seen, self.error, self.finish = person, hashlib.sha256(), None, threading.Event()
        self.bytes = 0

    def run(self):
        try:
            with self.person.session.get(f"{self.person.url}/user/{self.person.name}/files/big.bin", stream=True,
                                         timeout=60) as answer:
                assert answer.status_code == 200, answer.status_code
                for piece in answer.iter_content(256 * 1024):
                    self.seen.update(piece)
                    self.bytes += len(piece)
                    if not self.finish.is_set():
                        time.sleep(0.1)
        except Exception as error:  # noqa: BLE001 judged by the test
            self.error = error


class Asking(threading.Thread):
    """Somebody asks the hub without pause; every answer but 200 counts."""

    def __init__(self, hub):
        super().__init__(daemon=True)
        self.hub, self.answers, self.failures, self.stop = hub, 0, [], threading.Event()

    def run(self):
        while not self.stop.is_set():
            try:
                answer = self.hub.api("GET", "/users/ann", timeout=20)
                if answer.status_code != 200:
                    self.failures.append(answer.status_code)
            except requests.RequestException as error:
                self.failures.append(repr(error))
            self.answers += 1
            time.sleep(0.005)


def at_work(hub):
    ann = hub.person("ann").signed_in()
    ann.started({"profile": "gpu"})
    ann.open_lab()
    kernel = ann.kernel()
    digest = kernel.run(f"import os, hashlib; b = os.urandom({MEGABYTES} << 20); open('big.bin', 'wb').write(b); "
                        "print(hashlib.sha256(b).hexdigest())")
    download = Download(ann)
    download.start()
    wait_until("the download has begun", lambda: download.bytes > 0 or download.error, 30)
    ticking = threading.Thread(target=lambda: ticks.append(kernel.run(
        "import time\nfor i in range(60):\n    print(i, end=' ', flush=True); time.sleep(0.1)", timeout=120)), daemon=True)
    ticks: list[str] = []
    ticking.start()
    return ann, kernel, digest, download, ticking, ticks


def check_unharmed(hub, ann, kernel, digest, download, ticking, ticks, leases):
    assert not download.error and download.is_alive(), f"the download was under way all the time: {download.error}"
    download.finish.set()
    download.join(60)
    assert download.error is None and download.seen.hexdigest() == digest
    ticking.join(60)
    assert ticks == [" ".join(str(i) for i in range(60))], "the kernel's output came whole over the same WebSocket"
    wait_until("the server is adopted", lambda: (hub.server("ann") or {}).get("ready"), 30)
    assert kernel.run("6 * 7") == "42"
    assert lease_of(hub, "ann") == leases != []
    assert ann.open_lab().status_code == 200
    ann.stop()
    ann.wait_stopped()
    wait_until("the lease ends", lambda: lease_of(hub, "ann") == [], 30)


def test_reload_takes_the_new_binary_and_nobody_notices(local_berth, own_binary):
    hub = local_berth(GPUS, binary=str(own_binary))
    work = at_work(hub)
    leases = lease_of(hub, "ann")
    asking = Asking(hub)
    asking.start()
    pid, before = hub.process.pid, version_of(hub)
    newer = other_version(own_binary, own_binary)
    hub.process.send_signal(signal.SIGHUP)
    wait_until("the new version answers", lambda: version_of(hub) == newer, 30)
    time.sleep(1)
    asking.stop.set()
    asking.join(30)
    assert newer != before and hub.process.pid == pid and hub.process.poll() is None
    proxies = check_proxy_upgraded(hub, own_binary)
    assert len(proxies().get("berth-draining", [])) == 1
    assert asking.answers > 20 and asking.failures == [], f"{asking.failures[:5]} of {asking.answers}"
    check_unharmed(hub, *work, leases)
    children = psutil.Process(pid).children()
    assert [c.pid for c in children if c.status() == psutil.STATUS_ZOMBIE] == []
    work[1].close()
    wait_until("the old proxy ends with its last connection", lambda: "berth-draining" not in proxies(), 20)


def test_restart_with_the_new_binary(local_berth, own_binary):
    hub = local_berth(GPUS, binary=str(own_binary))
    work = at_work(hub)
    leases = lease_of(hub, "ann")
    newer = other_version(own_binary, own_binary)
    assert hub.stop() == 0
    assert work[1] and requests.get(hub.url + "/hub/health", timeout=10).status_code >= 500, "only the proxy is left"
    hub.start()
    assert version_of(hub) == newer
    check_proxy_upgraded(hub, own_binary)
    check_unharmed(hub, *work, leases)


@pytest.mark.parametrize("what", ["configuration", "binary", "database"])
def test_what_is_not_fit_does_not_take_over(berth, own_binary, what):
    hub = berth(QUICK, binary=str(own_binary))
    pid, good = hub.process.pid, hub.config_path.read_text()
    if what == "configuration":
        hub.config_path.write_text(good + "bind_urll: nonsense\n")
    elif what == "binary":
        os.replace(shutil.copy("/bin/false", own_binary.with_suffix(".new")), own_binary)
    else:
        with sqlite3.connect(hub.folder / "state" / "berth.sqlite") as database:
            database.execute("insert into schema_version values (99, 'from the future', 0)")
    hub.process.send_signal(signal.SIGHUP)
    wait_until("the refusal is in the log", lambda: "hub.reload_refused" in hub.log(), 30)
    assert hub.process.pid == pid and hub.process.poll() is None
    assert hub.api("GET", "/users").status_code == 200, "the old one goes on"
    if what == "configuration":
        assert "bind_urll" in hub.log()
        hub.config_path.write_text(good.replace("agent: false", "agent: false\nlog: {level: debug}", 1)
                                   if "log:" not in good else good)
        hub.process.send_signal(signal.SIGHUP)
        wait_until("the mended configuration is taken", lambda: "hub.reload_requested" in hub.log()
                   and hub.log().count("Berth is ready") == 2, 30)


def test_a_restart_does_not_wait_for_a_proxy_that_is_not_fit(berth, own_binary):
    hub = berth(QUICK, binary=str(own_binary))
    hub.kill9()  # the proxy goes on
    hub.binary = shutil.copy(own_binary, own_binary.with_name("newer"))

    def restart(binary):
        os.replace(shutil.copy(binary, own_binary.with_suffix(".new")), own_binary)
        before = hub.log().count("Berth is ready")
        hub.start()
        wait_until("the hub is ready", lambda: hub.log().count("Berth is ready") > before, 3)
        hub.kill9()
        return hub.log().count("proxy.not_upgraded"), hub.log().count("proxy.upgraded")

    assert restart("/bin/false") == (1, 0)
    assert restart("/bin/false") == (2, 0), "by the same proxy"
    assert restart(hub.binary) == (2, 1)
    assert restart("/bin/false") == (3, 1), "by the next proxy, whose count begins anew"


def test_many_reloads_leak_nothing(berth, own_binary):
    hub = berth(QUICK, binary=str(own_binary))
    process = psutil.Process(hub.process.pid)

    def settled():
        hub.api("GET", "/users")
        return process.num_fds()

    counts = []
    for number in range(6):
        counts.append(settled())
        hub.process.send_signal(signal.SIGHUP)
        wait_until("it is there again", lambda n=number: hub.log().count("Berth is ready") == n + 2, 30)
        hub.wait_healthy()
    assert max(counts[1:]) - min(counts[1:]) <= 2, f"open descriptors: {counts}"
    assert [c for c in process.children() if c.status() == psutil.STATUS_ZOMBIE] == []


def test_a_newer_database_is_refused_with_its_version(berth):
    hub = berth(QUICK)
    hub.stop()
    path = hub.folder / "state" / "berth.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("insert into schema_version values (99, 'from the future', 0)")
        database.execute("update settings set value = '9.8.7' where name = 'berth_version'")
    def rows():
        with sqlite3.connect(path) as database:
            return list(database.iterdump())
    before = rows()
    hub.start(wait=False)
    assert hub.process.wait(30) == 1
    assert "was written by Berth 9.8.7 (schema 99)" in hub.log()
    assert "Start Berth 9.8.7 or a later one, or restore a backup" in hub.log()
    assert rows() == before, "it was not touched"

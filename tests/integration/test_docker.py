"""The Docker spawner against a real engine: GPUs by UUID, and everything that goes wrong with engines and images."""

import concurrent.futures
import contextlib
import os
import socket
import subprocess
import threading

from tests.integration.test_gpus import GPUS, lease_of, no_leases
from tests.support.person import wait_until

ENGINE = "/var/run/docker.sock"


class Relay:
    """A Unix socket in front of the engine's that can go away and come back."""

    def __init__(self, path):
        self.path = str(path)
        self.listener = None
        self.open = []

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(ENGINE)
            self.open += [client, engine]
            for source, sink in ((client, engine), (engine, client)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)
        for one in self.open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.open = []


def containers(hub):
    return subprocess.run(["docker", "ps", "-aq", "--filter", f"name={hub.mark}"], capture_output=True, text=True,
                          check=True).stdout.split()


def failure(hub, person, options=None):
    """Starts, expects that it fails, and returns all that was said about it."""
    answer = person.start(options)
    said = answer.text
    if answer.status_code in (201, 202):
        assert answer.status_code == 202, "the start succeeded"
    events = person.progress()
    assert events[-1].get("failed"), events
    wait_until("no container is left", lambda: not containers(hub), 60)
    wait_until("no lease is left", lambda: no_leases(hub), 60)
    return said + str(events)


def test_a_day_in_docker(docker_berth):
    hub = docker_berth(GPUS)
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started({"profile": "gpu"})
    bob.started({"profile": "gpu"})
    ann.open_lab(), bob.open_lab()
    seen = [p.kernel().variable("NVIDIA_VISIBLE_DEVICES") for p in (ann, bob)]
    assert sorted(seen) == ["GPU-aaaa", "GPU-bbbb"]
    assert [seen[0]] == lease_of(hub, "ann") and [seen[1]] == lease_of(hub, "bob")
    assert "berth-42" in ann.terminal_echo("berth")
    ann.kernel().run("open('kept.txt', 'w').write('mine')")
    ann.stop()
    ann.wait_stopped()
    assert len(containers(hub)) == 1, "removed at stop"
    ann.started({"profile": "cpu"})
    ann.open_lab()
    assert ann.kernel().run("print(open('kept.txt').read())") == "mine", "the home stays"


def test_unknown_image(docker_berth):
    hub = docker_berth({"docker": {"image": "no-such-image:really-not"}})
    ann = hub.person("ann").signed_in()
    answer = ann.start()
    assert answer.status_code >= 400 or ann.progress()[-1].get("failed")
    said = answer.text + str(ann.progress())
    assert "no-such-image:really-not" in said
    page = ann.get("/hub/spawn-pending/ann")
    assert "no-such-image:really-not" in page.text or page.status_code in (200, 302, 303, 500)


def test_container_that_exits_at_once_tells_its_last_words(docker_berth):
    hub = docker_berth({**GPUS, "profiles": [{"name": "dies", "display_name": "dies", "gpus": 1, "command":
                                              ["sh", "-c", "echo these are the last words >&2; exit 3"]}]})
    assert "last words" in failure(hub, hub.person("ann").signed_in())


def test_container_that_never_answers(docker_berth):
    hub = docker_berth({**GPUS, "spawn": {"http_timeout": "3s"},
                        "profiles": [{"name": "sleeps", "display_name": "sleeps", "gpus": 1,
                                      "command": ["sleep", "600"]}]})
    failure(hub, hub.person("ann").signed_in())


def test_engine_down_at_the_start_and_back(docker_berth, folder):
    relay = Relay(folder / "engine.sock")
    hub = docker_berth({**GPUS, "docker": {"host": f"unix://{relay.path}"}})
    ann = hub.person("ann").signed_in()
    answer = ann.start({"profile": "gpu"})
    said = answer.text + (str(ann.progress()) if answer.status_code in (202, 500) else "")
    assert answer.status_code >= 400 or "failed" in said
    assert "docker" in said.lower() or "engine" in said.lower()
    assert lease_of(hub, "ann") == [] or wait_until("the lease is ended", lambda: no_leases(hub), 30)
    relay.start()
    try:
        wait_until("a start works again", lambda: ann.start({"profile": "gpu"}).status_code in (201, 202), 40, 0.5)
        ann.wait_ready()
    finally:
        ann.stop()
        ann.wait_stopped()
        relay.stop()


def test_engine_down_in_between(docker_berth, folder):
    relay = Relay(folder / "engine.sock").start()
    hub = docker_berth({**GPUS, "docker": {"host": f"unix://{relay.path}"}})
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started({"profile": "gpu"})
    ann.open_lab()
    kernel = ann.kernel()
    held = lease_of(hub, "ann")
    relay.stop()
    assert kernel.run("1+1") == "2"
    refused = bob.start({"profile": "gpu"})
    assert refused.status_code >= 400 or bob.progress()[-1].get("failed")
    assert lease_of(hub, "ann") == held, "the lease stays while the container may be there"
    assert hub.server("ann")["ready"]
    relay.start()
    try:
        wait_until("the hub stops it when the engine is back",
                   lambda: ann.stop().status_code == 204 or not hub.server("ann")["ready"], 60, 0.5)
        ann.wait_stopped()
        wait_until("the lease is ended", lambda: lease_of(hub, "ann") == [], 30)
    finally:
        relay.stop()


def test_two_starts_of_one_container_at_once(docker_berth):
    hub = docker_berth(GPUS)
    hub.api("POST", "/users/ann")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: hub.api("POST", "/users/ann/server", json={"profile": "gpu"}), range(2)))
    assert all(a.status_code in (201, 202, 400) for a in answers), [a.text for a in answers]
    wait_until("ready", lambda: (hub.server("ann") or {}).get("ready"), 60)
    assert len(containers(hub)) == 1 and len(lease_of(hub, "ann")) == 1


def test_stop_during_start_leaves_nothing(docker_berth):
    hub = docker_berth(GPUS)
    ann = hub.person("ann").signed_in()
    for _ in range(3):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            starting = pool.submit(hub.api, "POST", "/users/ann/server", json={"profile": "gpu"})
            wait_until("the start is pending", lambda: (hub.server("ann") or {}).get("pending") == "spawn", 10, 0.01)
            ann.stop()
            starting.result()
        ann.wait_stopped()
        wait_until("no container is left", lambda: not containers(hub), 60)
        wait_until("no lease is left", lambda: no_leases(hub), 30)


def test_names_in_docker(docker_berth):
    hub = docker_berth()
    for name in ("jörg müller@example.org", "n" * 200):
        person = hub.person(name).signed_in()
        person.started()
        person.open_lab()
        assert person.kernel().run("1+1") == "2"
        person.stop()
        person.wait_stopped()

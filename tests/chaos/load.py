"""People at work while things break: they start servers, use them over HTTP and a WebSocket, and stop them.

A server that a person has seen ready is theirs until they stop it. That it ends without a fault aimed at it, that another
one answers in its place, or that its WebSocket breaks while no proxy died, is noted as a complaint.
"""

import contextlib
import json
import random
import threading
import time
from dataclasses import dataclass, field

import requests
import websocket

from tests.chaos import limits
from tests.chaos.limits import LIMITS
from tests.support.hub import OPS_TOKEN

PATIENCE = 120.0  # seconds a start or stop may take before a person calls it stuck


@dataclass
class Life:
    """One server, from the moment its start was asked for."""
    asked: float
    profile: str
    boot: str = ""
    socket: websocket.WebSocket | None = None
    proxies_then: int = 0
    unreached_since: float = 0.0
    was_there: bool = False      # it ran already when its person looked
    clock_then: int = 0
    unannounced_at: float = 0.0  # the last look that showed no end
    ends_at: float = 0.0         # as announced; 0: it is not


@dataclass
class Counts:
    started: int = 0
    stopped: int = 0
    refused: int = 0
    failed: int = 0
    pings: int = 0
    echoes: int = 0
    told_of_memory: int = 0
    culled: int = 0  # ended by the hub for their age or idleness, and told so
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str) -> None:
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)


class User(threading.Thread):
    def __init__(self, world, name: str, seed: int):
        super().__init__(daemon=True, name=name)
        self.world, self.user = world, name
        self.random = random.Random(seed)
        self.life: Life | None = None
        self.excused_at = -1.0
        self.excused_why = ""
        self.starved: Life | None = None  # it eats more memory than it may
        self.resting = False
        self.session = requests.Session()
        self.url = f"{world.hub.url}/user/{name}/"

    # --------------------------------------------------------------- the hub
    def api(self, method: str, more: str = "", **body):
        """None when the hub (or the proxy before it) does not answer."""
        try:
            answer = self.world.hub.api(method, f"/users/{self.user}{more}", timeout=20, **body)
        except requests.RequestException:
            return None
        return None if answer.status_code in (502, 503, 504) and not more else answer

    def model(self) -> dict | None:
        """The server as the hub shows it: {} when there is none, None when the hub could not be asked."""
        answer = self.api("GET", params=None)
        if answer is None or answer.status_code != 200:
            return None
        with contextlib.suppress(ValueError):
            return answer.json().get("servers", {}).get("") or {}
        return None

    # ---------------------------------------------------------------- excuses
    def excuse(self, why: str) -> None:
        """A fault is aimed at this person's server: that it ends is no complaint."""
        self.excused_at, self.excused_why = time.monotonic(), why

    def is_excused(self, life: Life) -> bool:
        return self.excused_at >= life.asked

    def complain(self, kind: str, what: str) -> None:
        self.world.complain(kind, f"{self.user}: {what}")

    # -------------------------------------------------------------- their day
    def run(self) -> None:
        while not self.world.over:
            self.resting = self.world.quiet
            try:
                if self.life is None and not self.resting:
                    self.start_server()
                elif self.life is not None:
                    self.use()
                    if not self.resting and self.life and self.random.random() < self.stop_chance():
                        self.stop_server()
            except Exception as error:  # noqa: BLE001 - a broken tester must not look like a quiet one
                self.complain("tester", f"{type(error).__name__}: {error}")
                self.life = None
            time.sleep(0.05 + self.random.random() * (0.6 if self.resting else self.world.pause))

    def stop_chance(self) -> float:
        return 0 if self.life.profile in LIMITS else self.world.stop_chance  # those wait for their end

    def start_server(self) -> None:
        # Whatever is left of an earlier day is adopted or waited for, as a browser would show it.
        life = Life(time.monotonic(), self.random.choice(self.world.profiles), clock_then=self.world.disk.clock_was_set)
        model = self.model()
        if model is None:
            return
        life.was_there = bool(model)
        if not model.get("ready"):
            answer = self.api("POST", "/server", json={"profile": life.profile})
            if answer is None or answer.status_code not in (201, 202):
                self.world.counts.add("refused")
                why = "no answer" if answer is None else f"{answer.status_code} {answer.text[:80]}"
                self.world.refusals[why] = self.world.refusals.get(why, 0) + 1
                if answer is not None and answer.status_code < 500 and answer.status_code not in (400, 403, 404, 409, 429):
                    self.complain("answer", f"a start was answered {answer.status_code} {answer.text[:200]}")
                time.sleep(self.random.random())
                return
        started = self.wait("start", lambda m: m.get("ready") or not m.get("pending"))
        if started:
            life.profile = started["berth"]["profile"]  # of an earlier start, whose answer was lost
        if started and self.greet(life):
            self.world.counts.add("started")
            self.life = life
        else:
            self.world.counts.add("failed")

    def wait(self, what: str, done) -> dict | None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not self.world.over:
            model = self.model()
            if model is not None and done(model):
                return model if model.get("ready") or what == "stop" else None
            time.sleep(0.1)
        if not self.world.over:
            self.complain("stuck", f"a {what} took more than {PATIENCE:.0f} s")
        return None

    def greet(self, life: Life) -> bool:
        """The first answer of a server that the hub calls ready; the route may be a moment late after a proxy's death."""
        end = time.monotonic() + 30
        while time.monotonic() < end and not self.world.over:
            said = self.ask(life)
            if said and said.get("user") == self.user:
                life.boot = said["boot"]
                return True
            model = self.model()
            if model is not None and not model.get("ready"):
                return False
            time.sleep(0.1)
        return False

    def ask(self, life: Life, path: str = "") -> dict | None:
        """What the server says of itself; a real notebook asks the hub about our token before it answers."""
        real = life.profile == "notebook"
        headers = {"Authorization": f"token {OPS_TOKEN}"} if real else {}
        try:
            answer = self.session.get(self.url + ("api/status" if real else path), timeout=15, headers=headers,
                                      allow_redirects=False)
            if answer.status_code != 200:
                return None
            said = answer.json()
        except (requests.RequestException, ValueError):
            return None
        if real:
            return {"user": self.user, "boot": said["started"], "name": self.user} if "started" in said else None
        if "user" in said and said["user"] != self.user:
            self.complain("crossed", f"the server of {said['user']} answered")
        return said

    # ------------------------------------------------------------ its server
    def use(self) -> None:
        life = self.life
        if life.profile in LIMITS and (not self.sees_it_run(life) or LIMITS[life.profile].kind == "idle"):
            return
        said = self.ask(life)
        if said and said.get("boot") == life.boot:
            life.unreached_since = 0.0
            self.world.counts.add("pings")
            if life.profile != "notebook":
                self.echo(life)
            return
        if said:
            self.ended(life, "another process answers in its place")
            return
        life.unreached_since = life.unreached_since or time.monotonic()
        model = self.model()
        if model is not None and not model.get("ready"):
            self.ended(life, f"the hub shows it as {model or 'absent'}")
        elif self.is_excused(life) and self.starved is not life and time.monotonic() - life.unreached_since > 3:
            self.stop_server()  # as a person does whose server does not answer

    def sees_it_run(self, life: Life) -> bool:
        asked = time.monotonic()
        model = self.model()
        if model is not None and not model.get("ready"):
            self.ended(life, f"the hub shows it as {model or 'absent'}")
            return False
        if model is not None:
            limits.note(life, model, asked)
        return True

    def ended(self, life: Life, how: str) -> None:
        if life.profile in LIMITS:
            limits.judge(self, life, how)
        elif not self.is_excused(life):
            self.complain("dropped", f"its {life.profile} server ended by itself: {how}")
        if self.starved is life and self.excused_why == "it ate its memory":
            self.read_why()
        self.forget()

    def read_why(self) -> None:
        """Whoever lost their server to its memory limit must be able to read that."""
        record = limits.reason_of(self)
        reads = record.get("failure") or record.get("stopped_because") or ""  # an engine that was killed may not know
        if "memory" in reads:
            self.world.counts.add("told_of_memory")
        else:
            self.complain("untold", f"its server was ended for its memory, and all it reads is {reads!r}")

    def forget(self) -> None:
        if self.life and self.life.socket:
            with contextlib.suppress(Exception):
                self.life.socket.close()
        self.life = None

    def echo(self, life: Life) -> None:
        word = str(self.random.random())
        try:
            if life.socket is None:
                life.proxies_then = self.world.proxies_ended
                life.socket = websocket.create_connection(self.url.replace("http", "ws", 1) + "echo", timeout=15)
            life.socket.send(word)
            if life.socket.recv() == word:
                self.world.counts.add("echoes")
                return
            how = "it answered something else"
        except (websocket.WebSocketException, OSError) as error:
            how = f"{type(error).__name__}: {error}"
        had, life.socket = life.socket, None
        if had is not None and life.proxies_then == self.world.proxies_ended:
            time.sleep(0.5)  # whoever killed the proxy or the container is just about to say so
            announced = life.profile in LIMITS and life.ends_at
            if life.proxies_then == self.world.proxies_ended and not self.is_excused(life) and not announced:
                self.complain("dropped", f"a WebSocket of its {life.profile} server broke although no proxy died: {how}")

    def stop_server(self) -> None:
        self.excuse("stopped by its owner")  # also when the answer is lost
        answer = self.api("DELETE", "/server")
        if answer is None or answer.status_code not in (202, 204):
            return
        self.forget()
        if self.wait("stop", lambda m: not m.get("ready") and not m.get("pending")) is not None:
            self.world.counts.add("stopped")

    def verify(self) -> None:
        """With everything quiet: the server answers, and its own token still opens the hub."""
        life = self.life
        if life is None or life.profile in LIMITS:  # those may end at any moment
            return
        said, hub = self.ask(life), self.ask(life, "hub")
        if not said or said["boot"] != life.boot:
            if not self.is_excused(life):
                self.complain("dropped", f"does not answer although everything is quiet: {json.dumps(said)}")
        elif not hub or hub.get("name") != self.user:
            self.complain("dropped", f"its server's token no longer opens the hub: {hub}")

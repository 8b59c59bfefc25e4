"""A person with a browser, without the browser: signs in, follows the OAuth dance, runs cells, opens terminals.

Cookies, XSRF and redirects are handled as a browser handles them; nothing here knows which hub it talks to.
"""

import json
import re
import time
import uuid
from urllib.parse import quote, urljoin, urlsplit

import requests
import websocket

NAVIGATE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"}
PAGE_TIMEOUT = 60


def escape(name: str) -> str:
    """JupyterHub's url_escape_path (hub-protocol §2.4)."""
    return quote(name, safe="@~")


def user_path(name: str, server: str = "") -> str:
    return f"/user/{escape(name)}/" + (f"{escape(server)}/" if server else "")


def wait_until(what: str, check, timeout: float = 60, pause: float = 0.05):
    """Calls `check` until it answers something true, and returns that; fails naming `what`."""
    end = time.monotonic() + timeout
    last = None
    while time.monotonic() < end:
        last = check()
        if last:
            return last
        time.sleep(pause)
    raise AssertionError(f"waited {timeout} s for: {what}; the last answer was {last!r}")


class Person:
    def __init__(self, url: str, name: str, password: str = "pw", verify: bool | str = True):
        self.url = url.rstrip("/")
        self.name = name
        self.password = password
        self.session = requests.Session()
        self.session.verify = verify
        self.session.trust_env = verify is True  # else REQUESTS_CA_BUNDLE would win over `verify`

    # ------------------------------------------------------------------ pages
    def get(self, path: str, **more) -> requests.Response:
        headers = {**NAVIGATE, **more.pop("headers", {})}
        return self.session.get(urljoin(self.url + "/", path.lstrip("/")), headers=headers,
                                timeout=more.pop("timeout", PAGE_TIMEOUT), **more)

    def cookie(self, name: str, path: str) -> str | None:
        """The cookie of that name a browser sends to `path`: the longest matching cookie path wins."""
        fitting = [c for c in self.session.cookies if c.name == name and path.startswith(c.path)]
        return max(fitting, key=lambda c: len(c.path)).value if fitting else None

    def login(self, next_url: str | None = None) -> requests.Response:
        """Signs in by the form; returns the answer to it, redirects not followed."""
        where = "/hub/login" + (f"?next={quote(next_url, safe='')}" if next_url is not None else "")
        self.get(where)
        return self.session.post(
            self.url + where, allow_redirects=False, timeout=PAGE_TIMEOUT, headers=NAVIGATE,
            data={"_xsrf": self.cookie("_xsrf", "/hub/") or "", "username": self.name, "password": self.password})

    def signed_in(self) -> "Person":
        answer = self.login()
        assert answer.status_code == 302, f"sign-in of {self.name}: {answer.status_code} {answer.text[:300]}"
        return self

    def logout(self) -> requests.Response:
        return self.get("/hub/logout")

    # -------------------------------------------------------------------- API
    def hub_api(self, method: str, path: str, **more) -> requests.Response:
        """The hub's REST API with the browser's cookies, as the pages call it."""
        headers = {"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin",
                   "Referer": self.url + "/hub/home", "X-XSRFToken": self.cookie("_xsrf", "/hub/") or "",
                   **more.pop("headers", {})}
        return self.session.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=PAGE_TIMEOUT, **more)

    def start(self, options: dict | None = None, server: str = "") -> requests.Response:
        where = f"/users/{escape(self.name)}/" + (f"servers/{escape(server)}" if server else "server")
        return self.hub_api("POST", where, json=options or {})

    def stop(self, server: str = "") -> requests.Response:
        where = f"/users/{escape(self.name)}/" + (f"servers/{escape(server)}" if server else "server")
        return self.hub_api("DELETE", where)

    def model(self) -> dict:
        answer = self.hub_api("GET", f"/users/{escape(self.name)}")
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
        return answer.json()

    def wait_ready(self, server: str = "", timeout: float = 180) -> dict:
        def ready():
            one = self.model()["servers"].get(server)
            if one is None or one.get("stopped"):
                raise AssertionError(f"the start of {self.name}'s server failed: {self.progress(server)[-1]}")
            return one["ready"] and one
        return wait_until(f"{self.name}'s server is ready", ready, timeout)

    def wait_stopped(self, server: str = "", timeout: float = 60) -> None:
        def gone():
            one = self.model()["servers"].get(server)
            return one is None or one.get("stopped", not one["ready"] and not one["pending"])
        wait_until(f"{self.name}'s server is stopped", gone, timeout)

    def started(self, options: dict | None = None, server: str = "", timeout: float = 180) -> dict:
        answer = self.start(options, server)
        assert answer.status_code in (201, 202), f"start of {self.name}: {answer.status_code} {answer.text[:500]}"
        return self.wait_ready(server, timeout)

    def progress(self, server: str = "", timeout: float = 60) -> list[dict]:
        """The events of the progress stream up to its last one."""
        where = f"/users/{escape(self.name)}/" + (f"servers/{escape(server)}/" if server else "server/") + "progress"
        events = []
        with self.hub_api("GET", f"{where}?_xsrf={quote(self.cookie('_xsrf', '/hub/') or '')}", stream=True,
                          headers={"Accept": "text/event-stream"}) as answer:
            assert answer.status_code == 200, f"progress: {answer.status_code} {answer.text[:300]}"
            end = time.monotonic() + timeout
            for line in answer.iter_lines(decode_unicode=True):
                if line.startswith("data:"):
                    events.append(json.loads(line[5:]))
                    if events[-1].get("ready") or events[-1].get("failed"):
                        break
                assert time.monotonic() < end, f"the progress stream did not end: {events}"
        return events

    # ------------------------------------------------------------- the server
    def open_lab(self, of: str | None = None, server: str = "") -> requests.Response:
        """GET …/lab, every redirect followed: the OAuth dance of §0.2 4-8 happens inside."""
        return self.get(user_path(of or self.name, server) + "lab")

    def server_api(self, method: str, path: str, of: str | None = None, server: str = "", **more) -> requests.Response:
        prefix = user_path(of or self.name, server)
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Referer": self.url + prefix + "lab",
                   "X-XSRFToken": self.cookie("_xsrf", prefix) or "", **more.pop("headers", {})}
        return self.session.request(method, self.url + prefix + path, headers=headers, timeout=PAGE_TIMEOUT, **more)

    def websocket(self, path: str, of: str | None = None, server: str = "", timeout: float = 60) -> websocket.WebSocket:
        prefix = user_path(of or self.name, server)
        target = self.url + prefix + path
        prepared = self.session.prepare_request(requests.Request("GET", target))
        parts = urlsplit(target)
        return websocket.create_connection(
            f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else ""),
            cookie=prepared.headers.get("Cookie", ""), origin=self.url, timeout=timeout,
            sslopt={"ca_certs": self.session.verify} if isinstance(self.session.verify, str) else {},
            header={"Sec-Fetch-Mode": "websocket"})

    def kernel(self, server: str = "") -> "Kernel":
        answer = self.server_api("POST", "api/kernels", server=server, json={"name": "python3"})
        assert answer.status_code == 201, f"kernel: {answer.status_code} {answer.text[:300]}"
        return Kernel(self, answer.json()["id"], server)

    def terminal_echo(self, word: str, server: str = "", timeout: float = 30) -> str:
        """Opens a terminal, lets it print `word` reversed twice, and returns what came."""
        answer = self.server_api("POST", "api/terminals", server=server)
        assert answer.status_code == 200, f"terminal: {answer.status_code} {answer.text[:300]}"
        socket = self.websocket(f"terminals/websocket/{answer.json()['name']}", server=server, timeout=timeout)
        try:
            # The shell computes the answer, so that the echo of what was typed is not taken for it.
            socket.send(json.dumps(["stdin", f"echo {word}-$((6*7))\r"]))
            seen = ""
            end = time.monotonic() + timeout
            while f"{word}-42" not in seen and time.monotonic() < end:
                kind, *rest = json.loads(socket.recv())
                seen += str(rest[0]) if kind == "stdout" else ""
            return seen
        finally:
            socket.close()


class Kernel:
    """A kernel with its WebSocket open. `run` executes code and returns what it printed and its value."""

    def __init__(self, person: Person, kernel_id: str, server: str = ""):
        self.id = kernel_id
        self.session_id = uuid.uuid4().hex
        self.socket = person.websocket(f"api/kernels/{kernel_id}/channels?session_id={self.session_id}", server=server)

    def run(self, code: str, timeout: float = 60) -> str:
        message = uuid.uuid4().hex
        self.socket.settimeout(timeout)
        self.socket.send(json.dumps({
            "header": {"msg_id": message, "msg_type": "execute_request", "username": "", "session": self.session_id,
                       "version": "5.3"},
            "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
            "content": {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                        "allow_stdin": False, "stop_on_error": True}}))
        out, replied, idle = "", False, False
        while not (replied and idle):
            raw = self.socket.recv()
            if not raw or isinstance(raw, bytes):
                continue
            got = json.loads(raw)
            if got.get("parent_header", {}).get("msg_id") != message:
                continue
            kind, content = got["header"]["msg_type"], got["content"]
            if kind == "stream":
                out += content["text"]
            elif kind == "execute_result":
                out += content["data"]["text/plain"]
            elif kind == "error":
                out += f"{content['ename']}: {content['evalue']}"
            elif kind == "execute_reply":
                replied = True
            elif kind == "status" and content["execution_state"] == "idle":
                idle = True
        return out.strip()

    def variable(self, name: str) -> str:
        return self.run(f"import os; print(os.environ.get('{name}', 'unset'))")

    def close(self) -> None:
        self.socket.close()


def page_text(html: str) -> str:
    """What a reader of the page sees, roughly."""
    html = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()

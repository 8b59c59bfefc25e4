"""One person's day with the local spawner: sign in, start, compute, stop; and what the pages answer around it."""

import threading

import pytest
import requests

from tests.support.hub import OPS_TOKEN
from tests.support.person import page_text, wait_until

NAMES = ["ann", "Jörg Müller", "ann@example.org", "ümläut with spaces", "n" * 200]


def test_a_day(local_berth):
    hub = local_berth()
    ann = hub.person("ann")
    assert "/hub/login" in ann.get("/").url
    ann.signed_in()
    assert ann.get("/hub/home").status_code == 200
    ann.started()
    lab = ann.open_lab()
    assert lab.status_code == 200 and "jupyter-config-data" in lab.text
    assert ann.kernel().run("6*7") == "42"
    assert "berth-42" in ann.terminal_echo("berth")
    assert ann.stop().status_code in (202, 204)
    ann.wait_stopped()
    gone = ann.get("/user/ann/lab")
    assert gone.status_code == 424, gone.status_code
    assert "/hub/spawn/ann" in gone.text
    polled = ann.get("/user/ann/api/kernels", headers={"Accept": "application/json"})
    assert polled.status_code == 424 and polled.headers["Content-Type"].startswith("application/json")
    assert "/hub/spawn/ann" in polled.json()["message"]


def test_pages_answer(local_berth):
    hub = local_berth()
    admin = hub.person("admin").signed_in()
    for path in ("/hub/home", "/hub/spawn", "/hub/token", "/hub/admin"):
        answer = admin.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        assert "text/html" in answer.headers["Content-Type"]
    ann = hub.person("ann").signed_in()
    assert ann.get("/hub/admin").status_code == 403
    missing = ann.get("/hub/no-such-page")
    assert missing.status_code == 404 and "text/html" in missing.headers["Content-Type"]


def test_dummy_says_so_on_every_page(local_berth):
    hub = local_berth()
    ann = hub.person("ann")
    assert "for trials only" in page_text(ann.get("/hub/login").text)
    ann.signed_in()
    for path in ("home", "token", "spawn"):
        assert "for trials only" in page_text(ann.get(f"/hub/{path}").text), path


@pytest.mark.parametrize("name", NAMES, ids=["plain", "umlaut-and-space", "at", "spaces", "200-characters"])
def test_user_name(local_berth, name):
    hub = local_berth()
    person = hub.person(name).signed_in()
    person.name = person.hub_api("GET", "/user").json()["name"]  # as the hub normalised it
    assert person.name == name.lower()
    person.started()
    assert person.open_lab().status_code == 200
    assert person.kernel().run("1+1") == "2"
    assert person.stop().status_code in (202, 204)
    person.wait_stopped()


def test_named_servers_beside_the_default_one(local_berth):
    hub = local_berth()
    ann = hub.person("ann").signed_in()
    ann.started()
    ann.started(server="second")
    assert ann.open_lab(server="second").status_code == 200
    assert ann.kernel(server="second").run("1+1") == "2"
    assert ann.open_lab().status_code == 200
    ann.stop(server="second")
    ann.wait_stopped(server="second")
    assert ann.model()["servers"][""]["ready"]


def test_progress_tells_the_steps(local_berth):
    hub = local_berth()
    ann = hub.person("ann").signed_in()

    starting = threading.Thread(target=ann.start)
    starting.start()
    wait_until("the start is pending", lambda: (hub.server("ann") or {}).get("pending") == "spawn", 10, 0.01)
    events = hub.person("ann").signed_in().progress()
    starting.join()
    assert events[-1].get("ready") and events[-1]["url"] == "/user/ann/"
    assert [e["progress"] for e in events] == sorted(e["progress"] for e in events)
    assert len(events) >= 2


def test_errors_have_jupyterhubs_shape(local_berth):
    hub = local_berth()
    for method, path, token, status in [("GET", "/users/nobody", OPS_TOKEN, 404), ("GET", "/users", "wrong", 403),
                                        ("GET", "/users", None, 403), ("GET", "/no/such", OPS_TOKEN, 404),
                                        ("POST", "/users/nobody/server", OPS_TOKEN, 404)]:
        answer = hub.api(method, path, token)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
        body = answer.json()
        assert body["status"] == status and isinstance(body["message"], str) and body["message"]
    broken = hub.api("POST", "/users", data="{not json", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400 and broken.json()["message"]


def test_health_and_version(local_berth):
    hub = local_berth()
    answer = requests.get(f"{hub.url}/hub/api/", timeout=10)
    assert answer.json() == {"version": "6.1.1"} and answer.headers["X-JupyterHub-Version"] == "6.1.1"
    assert requests.head(f"{hub.url}/hub/health", timeout=10).status_code == 200

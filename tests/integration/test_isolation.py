"""What one person's server may not do with its token, and where one person's container may not reach."""

import json
import os
import re
import subprocess

import pytest
import requests

from tests.support.person import Kernel, page_text, wait_until

FORBIDDEN = [("GET", "/users"), ("GET", "/users/bob"), ("POST", "/users/bob/server"), ("DELETE", "/users/bob/server"),
             ("GET", "/users/bob/tokens"), ("POST", "/users/bob/tokens"), ("POST", "/users/bob/activity"),
             ("DELETE", "/users/bob"), ("POST", "/users/mallory"), ("GET", "/proxy"), ("POST", "/shutdown"),
             ("GET", "/groups"), ("PATCH", "/users/ann"), ("POST", "/users/ann/tokens"), ("DELETE", "/users/ann/server")]


def check_token(hub, token):
    """The token of ann's server: its own activity and nothing of anybody else's."""
    body = {"last_activity": "2026-01-01T00:00:00Z", "servers": {"": {"last_activity": "2026-01-01T00:00:00Z"}}}
    own = hub.api("POST", "/users/ann/activity", token, json=body)
    assert own.status_code == 200, f"own activity: {own.status_code} {own.text[:200]}"
    for method, path in FORBIDDEN:
        answer = hub.api(method, path, token, json=body if "activity" in path else {})
        listing = method == "GET" and path in ("/users", "/groups") and answer.status_code == 200
        assert answer.status_code in (403, 404) or (listing and "bob" not in answer.text), \
            f"{method} {path}: {answer.status_code} {answer.text[:200]}"
    other = requests.get(f"{hub.url}/user/bob/api/kernels", headers={"Authorization": f"token {token}"}, timeout=20)
    assert other.status_code in (403, 404)
    page = requests.get(f"{hub.url}/hub/home", headers={"Authorization": f"token {token}"}, timeout=20)
    assert "/hub/login" in page.url


def test_servers_token_opens_nothing_else(local_berth):
    hub = local_berth()
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started()
    bob.started()
    ann.open_lab()
    check_token(hub, ann.kernel().variable("JUPYTERHUB_API_TOKEN"))


def test_others_are_not_let_in(local_berth):
    hub = local_berth()
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started()
    ann.open_lab()
    kernel = ann.kernel()
    assert bob.open_lab(of="ann").status_code in (403, 404)
    for method, path in (("GET", "api/contents"), ("GET", f"api/kernels/{kernel.id}"), ("POST", "api/terminals")):
        assert bob.server_api(method, path, of="ann").status_code in (403, 404)
    # Ann's cookies of her own server do not open bob's.
    bob.started()
    assert ann.server_api("GET", "api/contents", of="bob").status_code in (403, 404)
    assert ann.hub_api("DELETE", "/users/bob/server").status_code in (403, 404)
    # A callback with a stolen or invented code leads nowhere.
    stolen = ann.get("/user/bob/oauth_callback?code=invented&state=invented")
    assert stolen.status_code in (400, 403, 404, 500) and "Launcher" not in page_text(stolen.text)


def test_token_dies_with_its_server(local_berth):
    hub = local_berth()
    ann = hub.person("ann").signed_in()
    ann.started()
    ann.open_lab()
    token = ann.kernel().variable("JUPYTERHUB_API_TOKEN")
    assert hub.api("GET", "/user", token).status_code == 200
    ann.stop()
    ann.wait_stopped()
    assert hub.api("GET", "/user", token).status_code == 403


REACH = """
import socket
def reach(host, port):
    try:
        socket.create_connection((host, port), 3).close()
        return "open"
    except OSError as e:
        return "closed"
print(reach({host!r}, {port}))
"""


def test_containers_cannot_reach_each_other(docker_berth):
    hub = docker_berth()
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started(), bob.started()
    ann.open_lab(), bob.open_lab()
    mine, theirs = ann.kernel(), bob.kernel()
    address = theirs.run("import socket; print(socket.gethostbyname(socket.gethostname()))")
    assert re.fullmatch(r"[0-9.]+", address), address
    # The check itself can see an open port: the one on which bob's own server listens, asked by himself.
    assert theirs.run(REACH.format(host=address, port=8888)) == "open"
    assert mine.run(REACH.format(host=address, port=8888)) == "closed"
    check_token(hub, mine.variable("JUPYTERHUB_API_TOKEN"))

    api = mine.variable("JUPYTERHUB_API_URL")
    ask = "import urllib.request as u, urllib.error as e\n" \
          "try: print(u.urlopen({url!r}, timeout=5).status)\n" \
          "except e.HTTPError as x: print(x.code)\n" \
          "except OSError as x: print('closed')"
    assert mine.run(ask.format(url=api)) == "200"
    # Of the hub a container reaches the API; its pages are for browsers, and the proxy's own API for nobody.
    assert mine.run(ask.format(url=api.removesuffix("/api") + "/login")) != "200"


def engine(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.berth_only
def test_nobody_is_led_to_an_address_that_was_given_away(docker_berth):
    """Ann's container is taken off its network: whoever is given the address next must not get ann's visits."""
    hub = docker_berth({"spawn": {"poll_interval": 3}})
    ann = hub.person("ann").signed_in()
    ann.started()
    ann.open_lab()
    kernel = ann.kernel()
    kernel.run("x = 41")
    container, = engine("ps", "-q", "--filter", "label=berth.user=ann").split()
    network = next(iter(json.loads(engine("inspect", "-f", "{{json .NetworkSettings.Networks}}", container))))

    def leads_there():
        return "/user/ann" in "".join(hub.api("GET", "/proxy").json())
    assert leads_there()
    engine("network", "disconnect", network, container)
    wait_until("the route is gone", lambda: not leads_there(), 5)
    answer = ann.server_api("GET", "api/kernels")
    assert answer.status_code == 503 and "taken off its network" in answer.json()["message"]
    page = ann.get("/user/ann/lab")
    assert page.status_code == 503 and "taken off its network" in page_text(page.text)
    assert hub.server("ann")["ready"], "it runs on"

    hub.kill9()
    hub.start()
    assert not leads_there(), "a hub that was not there does not lead there either"
    engine("network", "connect", network, container)
    wait_until("it is reached again", lambda: ann.server_api("GET", "api/kernels").status_code == 200, 45)
    assert Kernel(ann, kernel.id).run("x + 1") == "42"


def test_container_without_a_lease_sees_no_gpu(docker_berth):
    hub = docker_berth({"gpu": {"agent": False, "devices": [{"uuid": "GPU-aaaa"}]},
                        "profiles": [{"name": "cpu", "display_name": "No GPU",
                                      "environment": {"HARMLESS": "yes"}}]})
    ann = hub.person("ann").signed_in()
    ann.started()
    ann.open_lab()
    assert ann.kernel().variable("NVIDIA_VISIBLE_DEVICES") == "void"


def test_secrets_stay_out_of_the_log_and_the_command_line(local_berth):
    hub = local_berth()
    ann = hub.person("ann").signed_in()
    ann.started()
    ann.open_lab()
    token = ann.kernel().variable("JUPYTERHUB_API_TOKEN")
    made = ann.hub_api("POST", "/users/ann/tokens", json={}).json()["token"]
    log = hub.log()
    for secret in (token, made, ann.cookie("jupyterhub-hub-login", "/hub/")):
        assert secret not in log
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                assert token.encode() not in open(f"/proc/{entry}/cmdline", "rb").read()
            except OSError:
                pass

"""People whose pages are closed are told: by mail through a real SMTP server, and by a webhook."""

import datetime
import socket
import time

import pytest

from tests.integration.test_culling import berth_of, gone
from tests.integration.test_gpu_queue import ONE, ask, queue
from tests.integration.test_gpus import lease_of
from tests.support.certificates import make_certificate
from tests.support.hub import merged
from tests.support.notices import PostBox, Webhook
from tests.support.person import wait_until

QUICK = {**ONE, "cull": {"interval": "1s", "grace": "0s", "warning": "1s"}}
SECRET = "webhook-secret-1234567890"


@pytest.fixture
def receivers():
    made = []

    def make(kind, **more):
        made.append(kind(**more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def notify(box=None, hook=None, **mail):
    told = {}
    if box:
        told["mail"] = {"server": box.url, "from": "berth@hub.example", "domain": "people.example", "start_tls": False, **mail}
    if hook:
        told |= {"webhook": hook.url, "webhook_token": SECRET}
    return {"notify": told}


def until_of(hub, user):
    return datetime.datetime.fromisoformat(berth_of(hub, user)["lease"]["until"].replace("Z", "+00:00")).timestamp()


def test_who_waited_is_told_with_no_page_open(local_berth, receivers):
    box, hook = receivers(PostBox), receivers(Webhook, answers=[500])
    hub = local_berth(merged(QUICK, notify(box, hook)))
    ann = hub.person("ann").signed_in()
    hub.person("bob").signed_in()
    ann.started({"profile": "gpu"})
    ask(hub, "bob")
    assert queue(hub) and not box.mails and not hook.taken, "nobody is told of what they see"
    ann.stop()
    wait_until("bob has mail", lambda: box.to("bob@people.example"), 90)
    subject, text = box.to("bob@people.example")[0]
    assert subject == "Your server is ready" and f"{hub.url}/user/bob/" in text, (subject, text)
    wait_until("the webhook was told, though it refused at first", lambda: hook.events("bob") == ["ready"], 30)
    body, authorization = hook.taken[0]
    assert body["url"] == f"{hub.url}/user/bob/" and authorization == f"Bearer {SECRET}", body
    assert len(hook.refused) == 1
    assert hook.events("ann") == [] and box.to("ann@people.example") == [], "who stops a server knows it"
    assert lease_of(hub, "bob") == ["GPU-aaaa"]
    log = hub.log()
    assert SECRET not in log and "people.example" not in log, "neither secrets nor addresses in the log"
    assert "notice.delayed" in log and "notice.delivered" in log


def test_the_end_of_a_lease_is_told_moved_and_kept(local_berth, receivers):
    hook = receivers(Webhook)
    hub = local_berth(merged(merged(QUICK, notify(hook=hook)), {"gpu": {"lease": {"length": "25s", "longest": "10m"}}}))
    ann, bob = (hub.person(name).signed_in() for name in ("ann", "bob"))
    ann.started({"profile": "gpu"})
    first = until_of(hub, "ann")
    assert 0 < first - time.time() <= 25
    ending = wait_until("ann sees the end", lambda: berth_of(hub, "ann").get("ending"), 20)
    assert ending["because"] == "lease" and ending["extensions_left"] == 1, ending
    lease = berth_of(hub, "ann")["lease"]["id"]
    assert bob.hub_api("POST", f"/berth/leases/{lease}/extend").status_code == 404
    assert ann.hub_api("POST", f"/berth/leases/{lease}/extend", json={"until": "soon"}).status_code == 400
    time.sleep(2)
    extended = ann.hub_api("POST", f"/berth/leases/{lease}/extend")
    assert extended.status_code == 200, extended.text
    second = until_of(hub, "ann")
    assert second > first + 1
    too_long = ann.hub_api("POST", f"/berth/leases/{lease}/extend", json={"until": "2099-01-01T00:00:00Z"})
    assert too_long.status_code == 409 and "gpu.lease.longest" in too_long.json()["message"]
    wait_until("it was told", lambda: "ending" in hook.events("ann"), 20)

    # From here on somebody waits: what they were promised holds, also over a kill of the hub.
    ask(hub, "bob")
    waiting = queue(hub)[0]
    promised = datetime.datetime.fromisoformat(waiting["latest_start"].replace("Z", "+00:00")).timestamp()
    assert abs(promised - second) < 2, (promised, second)
    refused = ann.hub_api("POST", f"/berth/leases/{lease}/extend")
    assert refused.status_code == 409 and "Somebody is waiting" in refused.json()["message"], refused.text
    hub.kill9()
    hub.start()
    assert abs(until_of(hub, "ann") - second) < 0.001
    wait_until("ann's server has ended", lambda: gone(hub, "ann"), 60)
    assert second - 1 <= time.time() <= second + 15
    assert "the time of its GPU was over" in berth_of(hub, "ann")["stopped_because"]
    wait_until("bob is told", lambda: "ready" in hook.events("bob"), 90)
    wait_until("ann is told why", lambda: "ended" in hook.events("ann"), 30)
    assert any("the time of its GPU was over" in body["text"] for event, body in hook.of("ann") if event == "ended")


def test_a_start_that_fails_is_told_and_mail_can_be_declined(local_berth, receivers):
    box, hook = receivers(PostBox), receivers(Webhook)
    hub = local_berth(merged(merged(QUICK, notify(box, hook)), {"local": {"command": "/bin/false"}}))
    ann, bob = (hub.person(name).signed_in() for name in ("ann", "bob"))
    offered = bob.hub_api("GET", "/berth/users/bob/notices").json()
    assert offered["mail"] == {"possible": True, "wanted": True, "address": "bob@people.example"}
    assert ann.hub_api("PATCH", "/berth/users/bob/notices", json={"mail": False}).status_code == 404
    declined = bob.hub_api("PATCH", "/berth/users/bob/notices", json={"mail": False})
    assert declined.status_code == 200 and declined.json()["mail"]["wanted"] is False
    for name in ("ann", "bob"):
        hub.api("POST", f"/users/{name}/server", json={"profile": "gpu"})
        wait_until(f"{name}'s webhook was told", lambda n=name: "failed" in hook.events(n), 60)
    wait_until("ann has mail", lambda: box.to("ann@people.example"), 30)
    assert "could not be started" in box.to("ann@people.example")[0][0]
    assert box.to("bob@people.example") == []


def test_mail_is_signed_in_and_never_in_the_clear_unless_said(local_berth, receivers):
    box = receivers(PostBox, account=("berth", "mail-secret-9876543210"))
    more = {"user": "berth", "password": "mail-secret-9876543210"}
    failing = {"local": {"command": "/bin/false"}}
    hub = local_berth(merged(merged(QUICK, notify(box, **more)), failing))
    hub.person("ann").signed_in()
    hub.api("POST", "/users/ann/server", json={"profile": "gpu"})
    wait_until("ann has mail", lambda: box.to("ann@people.example"), 60)
    assert "mail-secret" not in hub.log()
    hub.stop()
    careful = local_berth(merged(merged(QUICK, notify(box, start_tls=True, **more)), failing), name="careful")
    careful.person("eve").signed_in()
    careful.api("POST", "/users/eve/server", json={"profile": "gpu"})
    wait_until("it was tried", lambda: "notice.delayed" in careful.log(), 60)
    assert box.to("eve@people.example") == [], "the server offers no TLS, so it gets nothing"


def test_a_webhook_over_tls_must_show_its_certificate(local_berth, receivers, folder, monkeypatch):
    certificate = make_certificate(folder, "hook")
    hook = receivers(Webhook, certificate=certificate)
    failing = {"local": {"command": "/bin/false"}}
    doubtful = local_berth(merged(merged(QUICK, notify(hook=hook)), failing), name="doubtful")
    doubtful.person("ann").signed_in()
    doubtful.api("POST", "/users/ann/server", json={"profile": "gpu"})
    wait_until("it was tried", lambda: "notice.delayed" in doubtful.log(), 60)
    assert hook.taken == [], "nobody vouches for that certificate"
    doubtful.stop()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    hub = local_berth(merged(merged(QUICK, notify(hook=hook)), failing))
    hub.person("ann").signed_in()
    hub.api("POST", "/users/ann/server", json={"profile": "gpu"})
    wait_until("the webhook was told", lambda: hook.events("ann") == ["failed"], 60)


def test_receivers_that_hang_hold_nobody_up(local_berth):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        told = {"mail": {"server": f"smtp://{where}", "from": "berth@hub.example", "domain": "people.example",
                         "start_tls": False}, "webhook": f"http://{where}/hook"}
        hub = local_berth(merged(QUICK, {"notify": told, "local": {"command": "/bin/false"}}))
        hub.person("ann").signed_in()
        hub.api("POST", "/users/ann/server", json={"profile": "gpu"})
        wait_until("the start has failed", lambda: gone(hub, "ann"), 60)
        began = time.monotonic()
        for _ in range(20):
            assert hub.api("GET", "/users").status_code == 200
        assert time.monotonic() - began < 5
        began = time.monotonic()
        hub.stop()
        assert time.monotonic() - began < 10, "a hub that stops waits for no mail server"


def test_a_browser_is_switched_on_by_its_person_alone(local_berth):
    hub = local_berth()
    ann, bob = (hub.person(name).signed_in() for name in ("ann", "bob"))
    where = "/berth/users/ann/notices"
    browsers = ann.hub_api("GET", where).json()["browsers"]
    assert browsers["possible"] and len(browsers["key"]) == 87 and browsers["endpoints"] == []
    key_file = hub.folder / "state" / "web_push_key.pem"
    assert key_file.stat().st_mode & 0o777 == 0o600
    subscription = {"endpoint": "https://push.example/one", "expirationTime": None, "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}
    assert bob.hub_api("POST", f"{where}/browsers", json=subscription).status_code == 404
    on = ann.hub_api("POST", f"{where}/browsers", json=subscription)
    assert on.status_code == 200 and on.json()["browsers"]["endpoints"] == [subscription["endpoint"]], on.text
    for wrong in ({**subscription, "endpoint": "http://push.example/one"}, {**subscription, "keys": {"p256dh": "x", "auth": "y"}},
                  {"endpoint": subscription["endpoint"]}):
        assert ann.hub_api("POST", f"{where}/browsers", json=wrong).status_code == 400
    hub.kill9()
    hub.start()
    assert ann.hub_api("GET", where).json()["browsers"] == on.json()["browsers"], "the key and the browser are kept"
    off = ann.hub_api("DELETE", f"{where}/browsers", json={"endpoint": subscription["endpoint"]})
    assert off.status_code == 200 and off.json()["browsers"]["endpoints"] == []
    worker = ann.session.get(f"{hub.url}/hub/notices_worker.js")
    assert worker.status_code == 200 and "javascript" in worker.headers["Content-Type"] and "showNotification" in worker.text

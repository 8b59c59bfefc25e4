"""GPUs kept for a time to come, taken back for a better claim, or out of service: by API, commands and calendar."""

import datetime
import sqlite3
import uuid

import icalendar
import requests

from tests.integration.test_gpu_queue import ONE, ask, queue
from tests.integration.test_gpus import GPUS, lease_of
from tests.support.cli import berth_command, berth_json
from tests.support.person import wait_until

SOON = {"cull": {"interval": "1s", "grace": "0s"}}


def at(**span):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def reserve(hub, key=None, **body):
    headers = {"Idempotency-Key": key} if key else {}
    return hub.api("POST", "/berth/gpu/reservations", json={"end": at(hours=1), **body}, headers=headers)


def reservations(hub, **more):
    return hub.api("GET", "/berth/gpu/reservations", **more).json()["reservations"]


def audit(hub, action):
    with sqlite3.connect(f"file:{hub.folder}/state/berth.sqlite?mode=ro", uri=True) as database:
        return database.execute("select principal, target, detail from audit where action = ?", [action]).fetchall()


def berth_of(hub, user):
    return ((hub.server(user) or {}).get("berth")) or {}


def test_kept_for_one_and_refused_to_others(local_berth):
    hub = local_berth(ONE)
    ann, bob = (hub.person(n).signed_in() for n in ("ann", "bob"))
    key = uuid.uuid4().hex
    made = reserve(hub, key, user="bob", note="workshop; day 1, room 2\nbring a badge")
    assert made.status_code == 201, made.text
    assert made.json()["running"] and made.json()["user"] == "bob"
    again = reserve(hub, key, user="bob", note="something else")
    assert again.status_code == 422, "a key is good for one request"
    assert [r["id"] for r in reservations(hub)] == [made.json()["id"]]

    ask(hub, "ann")
    assert [w["user"] for w in queue(hub)] == ["ann"]
    why = hub.api("POST", "/berth/gpu/simulate", json={"user": "ann", "options": {"profile": "gpu"}}).json()
    assert [d["excluded_by"] for d in why["devices"]] == ["reserved"], why
    assert why["devices"][0]["text"].startswith("reserved for bob until "), why
    seen = ann.session.get(f"{ann.url}/hub/api/berth/gpu/reservations").json()["reservations"]
    assert [(r["user"], r["note"], r["own"]) for r in seen] == [(None, "", False)], "whose it is, is not hers to know"
    mine = bob.session.get(f"{bob.url}/hub/api/berth/gpu/reservations").json()["reservations"]
    assert [(r["user"], r["own"]) for r in mine] == [("bob", True)]

    hub.kill9()
    hub.start()
    assert [r["id"] for r in reservations(hub)] == [made.json()["id"]]
    assert [w["user"] for w in queue(hub)] == ["ann"]
    bob.started({"profile": "gpu"})
    assert lease_of(hub, "bob") == ["GPU-aaaa"]
    bob.stop()
    bob.wait_stopped()
    assert hub.api("DELETE", f"/berth/gpu/reservations/{made.json()['id']}").status_code == 204
    assert hub.api("DELETE", f"/berth/gpu/reservations/{made.json()['id']}").status_code == 404
    ann.wait_ready()
    assert len(audit(hub, "gpu.reserve")) == 1 and len(audit(hub, "gpu.unreserve")) == 1


def test_a_repeated_request_is_done_once(local_berth):
    hub = local_berth(GPUS)
    hub.person("bob").signed_in()
    body = {"user": "bob", "begin": at(hours=2), "end": at(hours=3)}
    first, second = (reserve(hub, "k1", **body) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] == second.json()["id"] and len(reservations(hub)) == 1
    leases = [hub.api("POST", "/berth/allocator/request", headers={"Idempotency-Key": "k2"}).json() for _ in range(2)]
    assert leases[0] == leases[1]


def test_what_cannot_be_kept_is_refused_with_the_reason(local_berth):
    hub = local_berth(GPUS)
    hub.person("bob").signed_in()
    hub.person("ann").signed_in().started({"profile": "gpu"})
    for body, status, words in [
            ({"user": "bob", "gpus": 3}, 403, "only 2 GPUs"),
            ({"user": "bob", "gpus": 2}, 403, "ann (lease"),
            ({"user": "nobody"}, 404, "no user"),
            ({"user": "bob", "group": "ml"}, 400, "the group or the project"),
            ({"project": "none"}, 400, "no project none"),
            ({"user": "bob", "end": at(hours=-1)}, 400, "end"),
            ({"user": "bob", "end": "tomorrow"}, 400, "'end'"),
            ({"user": "bob", "gpus": 0}, 400, "'gpus'"),
            ({"user": "bob", "colour": "red"}, 400, "colour")]:
        answer = reserve(hub, **body)
        assert answer.status_code == status and words in answer.json()["message"], answer.text
    assert reservations(hub) == []
    eve = hub.person("eve").signed_in()
    assert eve.hub_api("POST", "/berth/gpu/reservations", json={"user": "eve", "end": at(hours=1)}).status_code in (403, 404)


def test_the_calendar_is_one_that_calendars_read(local_berth):
    hub = local_berth({**GPUS, "groups": {"ml": ["bob"]}})
    hub.person("ann").signed_in()
    note = "Übung; Teil 1, \\ Raum 2\n" + "🚀 schnell " * 12
    assert reserve(hub, user="ann", begin=at(days=1), end=at(days=1, hours=2), note=note[:150]).status_code == 201
    assert reserve(hub, group="ml", gpus=2, begin=at(days=3), end=at(days=4)).status_code == 201
    answer = hub.api("GET", "/berth/gpu/reservations.ics")
    assert answer.headers["Content-Type"].startswith("text/calendar")
    assert all(len(line) <= 75 for line in answer.content.split(b"\r\n"))
    calendar = icalendar.Calendar.from_ical(answer.content)
    events = sorted(calendar.walk("VEVENT"), key=lambda event: event.decoded("dtstart"))
    assert [str(event["summary"]) for event in events] == ["1 GPU for ann", "2 GPUs for group ml"]
    assert str(events[0]["description"]) == note[:150]
    assert events[0].decoded("dtend") - events[0].decoded("dtstart") == datetime.timedelta(hours=2)
    assert events[0].decoded("dtstart").utcoffset() == datetime.timedelta(0)
    assert len({str(event["uid"]) for event in events}) == 2 and not [e for e in events if e.errors]


def test_a_calendar_program_reads_it_by_its_address_alone(local_berth):
    hub = local_berth(GPUS)
    ann = hub.person("ann").signed_in()
    assert reserve(hub, user="ann", begin=at(days=1), end=at(days=2)).status_code == 201
    made = ann.hub_api("POST", "/users/ann/tokens", json={"note": "calendar", "scopes": ["gpu:read!user=ann"]})
    feed = f"{hub.url}/hub/api/berth/gpu/reservations.ics?token="
    assert made.status_code == 201, made.text
    token = made.json()["token"]
    assert "1 GPU for ann" in requests.get(feed + token, timeout=10).text
    assert requests.get(feed + token[:-1] + "x", timeout=10).status_code == 403
    assert requests.get(feed, timeout=10).status_code == 403
    assert requests.get(f"{hub.url}/hub/api/berth/gpus?token={token}", timeout=10).status_code == 403, "nothing else by address"
    assert token not in hub.log()
    assert ann.hub_api("DELETE", f"/users/ann/tokens/{made.json()['id']}").status_code == 204
    assert requests.get(feed + token, timeout=10).status_code == 403


def test_the_commands(local_berth):
    hub = local_berth({**GPUS, **SOON})
    hub.person("ann").signed_in()
    made = berth_json(hub, "gpu", "reserve", "--user", "ann", "--gpus", "2", "--from", at(hours=1), "--for", "90m")
    assert made["gpus"] == 2 and not made["running"]
    listed = berth_command(hub, "gpu", "reservations").stdout
    assert "ann" in listed and str(made["id"]) in listed
    refused = berth_command(hub, "gpu", "reserve", "--user", "ann", "--gpus", "9", "--for", "1h", check=False)
    assert refused.returncode != 0 and "only 2 GPUs" in refused.stderr
    assert berth_command(hub, "gpu", "reserve", "--user", "ann", check=False).returncode != 0
    berth_command(hub, "gpu", "unreserve", str(made["id"]))
    assert reservations(hub) == []
    assert "start now" in berth_command(hub, "gpu", "simulate", "ann", "--profile", "gpu", "--gpus", "2").stdout
    leased = berth_json(hub, "gpu", "lease", "--for", "30m")
    assert leased["uuid"] == "GPU-aaaa"
    berth_command(hub, "gpu", "release", str(leased["lease"]))
    berth_command(hub, "gpu", "drain", "GPU-aaaa", "--reason", "new fans")
    assert "drain" in berth_command(hub, "gpu", "list").stdout
    berth_command(hub, "gpu", "undrain", "GPU-aaaa")
    assert "drain" not in berth_command(hub, "gpu", "list").stdout


def test_the_allocator_leaves_alone_what_is_promised(local_berth):
    hub = local_berth(ONE)
    hub.person("bob").signed_in()
    first = hub.api("POST", "/berth/allocator/request")
    assert first.status_code == 201, "nobody has a claim: it is a plain counter"
    hub.api("POST", "/berth/allocator/release", json={"uuid": "GPU-aaaa"})
    assert reserve(hub, user="bob").status_code == 201
    refused = hub.api("POST", "/berth/allocator/request")
    assert refused.status_code == 409 and "promised" in refused.json()["message"], refused.text


def test_a_drained_gpu_empties(local_berth):
    hub = local_berth({**ONE, **SOON})
    ann, bob = (hub.person(n).signed_in() for n in ("ann", "bob"))
    ann.started({"profile": "gpu"})
    drained = hub.api("POST", "/berth/gpus/GPU-aaaa/drain", json={"reason": "new fans"})
    assert drained.status_code == 200 and drained.json()["leases"] == 1, drained.text
    assert "new fans" in berth_of(hub, "ann")["notice"]
    told = ann.hub_api("GET", "/berth/users/ann/servers//ending").json()
    assert told["ending"] is None and "new fans" in told["notice"]
    ask(hub, "bob")
    hub.kill9()
    hub.start()
    board = hub.api("GET", "/berth/gpus").json()["devices"][0]
    assert board["cordoned"] and board["drain"]["reason"] == "new fans"
    hub.api("POST", "/berth/gpus/GPU-aaaa/drain", json={"reason": "new fans", "deadline": at(seconds=6)})
    ending = wait_until("ann is warned", lambda: berth_of(hub, "ann").get("ending"), 20)
    assert ending["because"] == "drain" and ending["extensions_left"] == 0
    kept = ann.hub_api("POST", "/berth/users/ann/servers//keep_running")
    assert kept.status_code == 409, kept.text
    wait_until("ann's server is stopped", lambda: (hub.server("ann") or {}).get("stopped"), 40)
    assert "new fans" in berth_of(hub, "ann")["stopped_because"]
    assert [w["user"] for w in queue(hub)] == ["bob"], "a drained GPU was given out"
    assert hub.api("DELETE", "/berth/gpus/GPU-aaaa/drain").status_code == 204
    bob.wait_ready()
    assert hub.api("POST", "/berth/gpus/GPU-none/drain").status_code == 404


def test_a_better_claim_takes_over_after_a_warning(local_berth):
    profiles = [{"name": "batch", "gpus": 1, "preemptible": True}, {"name": "gpu", "gpus": 1, "priority": 10}]
    preemption = {"enabled": True, "min_runtime": "0s", "grace": "20s"}
    hub = local_berth({**SOON, "profiles": profiles, "gpu": {**ONE["gpu"], "preemption": preemption}})
    ann, bob = (hub.person(n).signed_in() for n in ("ann", "bob"))
    ann.started({"profile": "batch"})
    ask(hub, "bob")  # answered after ten seconds: his GPU is on its way
    ending = wait_until("ann is warned", lambda: berth_of(hub, "ann").get("ending"), 5)
    assert ending["because"] == "preempted" and 0 <= ending["seconds_left"] <= 20
    assert lease_of(hub, "ann") == ["GPU-aaaa"], "she was given no time"
    bob.wait_ready()
    assert lease_of(hub, "bob") == ["GPU-aaaa"]
    assert "better claim" in berth_of(hub, "ann")["stopped_because"]


def test_pools_keep_their_gpus_apart(local_berth):
    profiles = [{"name": "gpu", "gpus": 1}, {"name": "large", "gpus": 1, "gpu_pool": "big"}]
    hub = local_berth({"profiles": profiles, "gpu": {**GPUS["gpu"], "pools": [
        {"name": "big", "devices": ["GPU-aaaa"], "policy": "pack", "privacy": "open"}]}})
    ann, bob = (hub.person(n).signed_in() for n in ("ann", "bob"))
    ann.started({"profile": "large"})
    assert lease_of(hub, "ann") == ["GPU-aaaa"]
    refused = bob.start({"profile": "large", "wait": False})
    assert refused.status_code == 409 or 400 <= refused.status_code < 500
    assert "ann" in refused.json()["message"], refused.text
    why = hub.api("POST", "/berth/gpu/simulate", json={"user": "bob", "options": {"profile": "large"}}).json()
    assert [(d["pool"], d["excluded_by"]) for d in why["devices"]] == [("big", "in_use"), ("", "other_pool")], why
    offer = {p["name"]: p for p in bob.session.get(f"{bob.url}/hub/api/berth/profiles").json()}
    assert offer["large"]["available"]["total_gpus"] == 1 and "pool big" in offer["large"]["available"]["reason"]
    bob.started({"profile": "gpu"})
    assert lease_of(hub, "bob") == ["GPU-bbbb"]

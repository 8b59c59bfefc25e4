"""GPUs held for a project: who may name it, its quota, its GPU-hours, over a kill of the hub."""

from tests.integration.test_gpu_queue import queue
from tests.integration.test_gpus import GPUS, lease_of
from tests.support.cli import berth_command, berth_json
from tests.support.person import wait_until

FOR_THESIS = {"profile": "gpu", "project": "thesis"}
FULL = "quota.project[thesis].gpu=1, in use 1 (lease "
TWO = {**GPUS, "groups": {"lab": ["bob"]},
       "gpu": {**GPUS["gpu"], "projects": [{"name": "thesis", "users": ["ann"], "groups": ["lab"]},
                                           {"name": "course", "users": ["ann"]}],
               "quotas": [{"project": "thesis", "gpus": 1}]}}


def usage(hub, by):
    return {row[by]: row for row in hub.api("GET", f"/berth/gpu/usage?by={by}").json()["rows"]}


def test_a_full_project_keeps_its_people_waiting_and_others_not(local_berth):
    hub = local_berth(TWO)
    ann, bob, eve = (hub.person(n).signed_in() for n in ("ann", "bob", "eve"))
    refused = eve.start(FOR_THESIS)
    assert refused.status_code == 403 and "No project is open to you" in refused.json()["message"], refused.text
    refused = bob.start({"profile": "gpu", "project": "course"})
    assert refused.status_code == 403 and "You can name thesis, or none" in refused.json()["message"], refused.text

    ann.started(FOR_THESIS)
    assert hub.api("POST", "/users/bob/server", json=FOR_THESIS).status_code == 202
    eve.started({"profile": "gpu"})
    assert [(w["user"], w["held_back_by"].startswith(FULL)) for w in queue(hub)] == [("bob", True)], queue(hub)
    why = berth_command(hub, "gpu", "why", "bob", "--project", "thesis").stdout
    assert f"Held back by {FULL}" in why, why

    hub.kill9()
    hub.start()
    assert [(w["user"], w["held_back_by"].startswith(FULL)) for w in queue(hub)] == [("bob", True)], queue(hub)
    eve.stop()
    eve.wait_stopped()
    assert lease_of(hub, "bob") == [], "a GPU is free, and the project's quota is full"
    ann.stop()
    bob.wait_ready()
    assert len(lease_of(hub, "bob")) == 1
    wait_until("hours are counted", lambda: usage(hub, "project").get("thesis", {}).get("intervals") == 2, 20)

    hub.kill9()
    hub.start()
    by_project = usage(hub, "project")
    assert set(by_project) == {"thesis", "(none)"} and by_project["thesis"]["gpu_hours"] > 0, by_project
    held = {by: sum(row["gpu_hours"] for row in usage(hub, by).values()) for by in ("user", "project", "profile")}
    assert max(held.values()) - min(held.values()) < 0.001, held  # Bob's goes on between the questions
    rows = berth_json(hub, "gpu", "usage", "--by", "project,profile")["rows"]
    assert {(row["project"], row["profile"]) for row in rows} == {("thesis", "gpu"), ("(none)", "gpu")}, rows
    bob.stop()
    bob.wait_stopped()


def test_kept_for_a_project(local_berth):
    hub = local_berth(TWO)
    ann, eve = (hub.person(n).signed_in() for n in ("ann", "eve"))
    refused = berth_command(hub, "gpu", "reserve", "--project", "nothing", "--for", "1h", check=False)
    assert refused.returncode != 0 and "There is no project nothing" in refused.stderr, refused.stderr
    made = berth_command(hub, "gpu", "reserve", "--project", "thesis", "--gpus", "2", "--for", "1h").stdout
    assert "2 for project thesis" in made, made
    hub.kill9()
    hub.start()
    kept = ann.hub_api("GET", "/berth/gpu/reservations").json()["reservations"]
    assert [(r["project"], r["user"], r["group"], r["own"]) for r in kept] == [("thesis", None, None, True)], kept
    others = eve.hub_api("GET", "/berth/gpu/reservations").json()["reservations"]
    assert [(r["project"], r["own"]) for r in others] == [(None, False)], others
    assert hub.api("POST", "/users/eve/server", json={"profile": "gpu"}).status_code == 202
    assert [w["user"] for w in queue(hub)] == ["eve"]
    ann.started(FOR_THESIS)
    assert [w["user"] for w in queue(hub)] == ["eve"], "the second one is kept for the project as well"

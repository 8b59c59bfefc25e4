"""GPUs promised to local processes: equal to the lease, different for two people, refused with a reason when gone."""

import concurrent.futures

import requests

from tests.support.person import wait_until

GPUS = {"gpu": {"agent": False, "devices": [{"uuid": "GPU-aaaa"}, {"uuid": "GPU-bbbb"}]},
        "profiles": [{"name": "gpu", "display_name": "One GPU", "gpus": 1, "max_gpus": 2},
                     {"name": "cpu", "display_name": "No GPU"}]}


def lease_of(hub, user, server=""):
    """The devices that the hub says are this server's."""
    gpus = hub.api("GET", "/berth/gpus").json()
    return sorted(d["uuid"] for d in gpus["devices"]
                  if any(l["user"] == user and (l["server"] or "") == server for l in d["leases"]))


def no_leases(hub):
    return all(not d["leases"] for d in hub.api("GET", "/berth/gpus").json()["devices"])


def test_each_gets_their_own_and_the_third_a_reason(local_berth):
    hub = local_berth(GPUS)
    ann, bob, eve = (hub.person(n).signed_in() for n in ("ann", "bob", "eve"))
    ann.started({"profile": "gpu"})
    bob.started({"profile": "gpu"})
    ann.open_lab(), bob.open_lab()
    seen = [p.kernel().variable("CUDA_VISIBLE_DEVICES") for p in (ann, bob)]
    assert sorted(seen) == ["GPU-aaaa", "GPU-bbbb"]
    assert [seen[0]] == lease_of(hub, "ann") and [seen[1]] == lease_of(hub, "bob")

    refused = eve.start({"profile": "gpu", "wait": False})
    assert 400 <= refused.status_code < 500, refused.status_code
    assert "GPU" in refused.json()["message"], refused.text
    eve.started({"profile": "cpu"})
    eve.open_lab()
    assert eve.kernel().variable("CUDA_VISIBLE_DEVICES") in ("", "unset", "-1", "void", "NoDevFiles")
    eve.stop()
    eve.wait_stopped()

    ann.stop()
    ann.wait_stopped()
    eve.started({"profile": "gpu"})
    eve.open_lab()
    assert eve.kernel().variable("CUDA_VISIBLE_DEVICES") == seen[0]


def test_two_at_once_or_none(local_berth):
    hub = local_berth(GPUS)
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started({"profile": "gpu", "gpus": 2})
    assert lease_of(hub, "ann") == ["GPU-aaaa", "GPU-bbbb"]
    assert bob.start({"profile": "gpu", "wait": False}).status_code < 500
    assert lease_of(hub, "bob") == []
    too_many = bob.start({"profile": "gpu", "gpus": 3})
    assert too_many.status_code in (400, 403, 409) and "GPU" in too_many.json()["message"]


def test_two_starts_of_one_server_at_once(local_berth):
    hub = local_berth(GPUS)
    ann = hub.person("ann").signed_in()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: hub.api("POST", "/users/ann/server", json={"profile": "gpu"}), range(2)))
    assert all(a.status_code in (201, 202, 400) for a in answers), [a.text for a in answers]
    assert any(a.status_code in (201, 202) for a in answers)
    ann.wait_ready()
    assert len(lease_of(hub, "ann")) == 1


def test_stop_during_start(local_berth):
    hub = local_berth(GPUS)
    ann = hub.person("ann").signed_in()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(hub.api, "POST", "/users/ann/server", json={"profile": "gpu"})
        wait_until("the start is pending", lambda: (hub.server("ann") or {}).get("pending") == "spawn", 10, 0.01)
        assert ann.stop().status_code in (202, 204)
        assert starting.result().status_code in (201, 202, 400, 500)
    ann.wait_stopped()
    wait_until("no lease is left", lambda: no_leases(hub), 30)
    ann.started({"profile": "gpu"})


def test_process_that_exits_at_once_tells_its_last_words(local_berth, folder):
    program = folder / "dies"
    program.write_text("#!/bin/sh\necho these are the last words >&2\nexit 3\n")
    program.chmod(0o755)
    hub = local_berth({**GPUS, "local": {"command": str(program)}})
    ann = hub.person("ann").signed_in()
    answer = ann.start({"profile": "gpu"})
    if answer.status_code == 202:
        failed = ann.progress()[-1]
        said = str(failed)
    else:
        assert answer.status_code >= 400
        said = answer.text + str(ann.progress()[-1])
    assert "last words" in said, said
    wait_until("the lease is ended", lambda: no_leases(hub), 30)


def test_process_that_never_answers(local_berth, folder):
    program = folder / "sleeps"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    hub = local_berth({**GPUS, "local": {"command": str(program)}, "spawn": {"http_timeout": "2s"}})
    ann = hub.person("ann").signed_in()
    answer = ann.start({"profile": "gpu"})
    failed = ann.progress()[-1]
    assert failed.get("failed"), (answer.status_code, answer.text, failed)
    wait_until("the lease is ended", lambda: no_leases(hub), 40)


def test_the_seeds_allocator_counts_like_an_array(local_berth):
    """Populate, request, release against a plain array of counters: the least used first, ties in list order."""
    hub = local_berth({"gpu": {"agent": False, "oversubscription": 2}})
    uuids = ["GPU-c", "GPU-a", "GPU-b"]
    where = "/berth/allocator/"
    assert hub.api("POST", where + "gpus", json=uuids).json() == dict.fromkeys(uuids, 0)
    counters = dict.fromkeys(uuids, 0)
    moves = [*["take"] * 5, "GPU-a", "take", "GPU-c", "GPU-c", "GPU-b", *["take"] * 5, "GPU-a", "GPU-a", "GPU-a"]
    for move in moves:
        if move == "take":
            answer = hub.api("POST", where + "request")
            if min(counters.values()) == 2:
                assert answer.status_code == 409 and answer.json()["message"], answer.text
                continue
            least = min(uuids, key=counters.get)
            assert (answer.status_code, answer.json()["uuid"]) == (201, least)
            counters[least] += 1
        else:
            assert hub.api("POST", where + "release", json={"uuid": move}).status_code == 200
            counters[move] = max(0, counters[move] - 1)
        assert hub.api("GET", where + "gpus").json() == counters
    assert hub.api("POST", where + "release", json={"uuid": "GPU-unknown"}).status_code == 404
    hub.kill9()
    hub.start()
    assert hub.api("GET", where + "gpus").json() == counters, "committed before it was answered"
    ann = hub.person("ann").signed_in()
    assert ann.hub_api("POST", where + "request").status_code == 403


def test_the_allocators_list_is_that_of_the_hub_before(local_berth):
    hub = local_berth({"gpu": {"agent": False, "devices": [{"uuid": f"GPU-{letter}"} for letter in "abc"]}})
    where = "/berth/allocator/"
    assert sorted(hub.api("GET", where + "gpus").json()) == ["GPU-a", "GPU-b", "GPU-c"]
    hub.api("POST", where + "gpus", json=["GPU-c", "GPU-a"])
    hub.kill9()
    hub.start()
    taken = [hub.api("POST", where + "request").json().get("uuid") for _ in range(3)]
    assert taken == ["GPU-c", "GPU-a", None], "in its order, and nothing that was left out"


def test_without_a_scope_gpus_show_no_names(local_berth):
    hub = local_berth(GPUS)
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    ann.started({"profile": "gpu"})
    seen = bob.hub_api("GET", "/berth/gpus")
    assert seen.status_code == 200
    assert "ann" not in [l["user"] for d in seen.json()["devices"] for l in d["leases"]]
    assert requests.get(f"{hub.url}/hub/api/berth/gpus", timeout=10).status_code == 403

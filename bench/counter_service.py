"""A GPU allocator as people write it today: Flask in front of Redis, one counter a GPU.

The list of UUIDs comes with POST /gpus; POST /request gives the least used one, POST /release gives it back. The read
and the write are one transaction (WATCH), as redis-py's documentation does it: without, two requests at once get the
same GPU once too often. Served by gunicorn: REDIS_PORT and FACTOR come from the environment.
"""

import os

import flask
import redis

app = flask.Flask(__name__)
store = redis.Redis(port=int(os.environ.get("REDIS_PORT", "6379")), decode_responses=True)
FACTOR = int(os.environ.get("FACTOR", "1"))


def counters(at=store):
    return {uuid: int(count) for uuid, count in at.hgetall("gpus").items()}


@app.get("/gpus")
def show():
    return counters()


@app.post("/gpus")
def populate():
    for uuid in flask.request.get_json():
        store.hsetnx("gpus", uuid, 0)
    return counters()


@app.post("/request")
def request_one():
    def take(pipe):
        now = counters(pipe)
        uuid = min(sorted(now), key=now.get)
        pipe.multi()
        if now[uuid] < FACTOR:
            pipe.hincrby("gpus", uuid, 1)
        return uuid if now[uuid] < FACTOR else None

    uuid = store.transaction(take, "gpus", value_from_callable=True)
    return ({"uuid": uuid}, 201) if uuid else ({"message": "all GPUs are in use"}, 409)


@app.post("/release")
def release():
    uuid = flask.request.get_json()["uuid"]

    def give_back(pipe):
        now = counters(pipe)
        pipe.multi()
        if now.get(uuid, 0) > 0:
            pipe.hincrby("gpus", uuid, -1)
        return uuid in now

    known = store.transaction(give_back, "gpus", value_from_callable=True)
    return (counters(), 200) if known else ({"message": "no such GPU"}, 404)

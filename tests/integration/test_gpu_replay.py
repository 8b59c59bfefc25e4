"""`berth gpu replay`: a month through the real core, with no hub anywhere."""

import json
import subprocess

from tests.support.hub import berth_binary

SMALL = {"days": 5, "devices": 3, "users": 10, "demand": 2}


def replay(*words):
    return subprocess.run([berth_binary(), "gpu", "replay", *map(str, words)], capture_output=True, text=True, timeout=120,
                          check=False)


def test_three_disciplines_beside_each_other(tmp_path):
    file = tmp_path / "group.json"
    file.write_text(json.dumps(SMALL))
    done = replay(file, "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["discipline"]: row for row in json.loads(done.stdout)}
    assert list(rows) == ["hold-until-logout", "first-come-exclusive", "berth"]
    assert rows["berth"]["served"] > rows["hold-until-logout"]["served"]
    assert rows["berth"]["past_bound"] == 0
    assert replay("--parameters", file, "--json").stdout == done.stdout, "the same parameters, another month"
    table = replay(file)
    assert table.returncode == 0 and "5 days, 3 GPUs, 10 users" in table.stdout
    assert f"{rows['berth']['served']} of {rows['berth']['sessions']}" in table.stdout


def test_one_parameter_over_the_file(tmp_path):
    file = tmp_path / "group.json"
    file.write_text(json.dumps(SMALL))
    rows = json.loads(replay(file, "--set", "demand", 0.05, "--json").stdout)
    assert all(row["demand"] == 0.05 for row in rows)
    assert rows[2]["wait_max_hours"] == 0, "nobody waits where there is enough"


def test_what_is_wrong_is_named(tmp_path):
    file = tmp_path / "group.json"
    for text, said in (("{", "JSON"), ("[]", "JSON"), (json.dumps({"demands": 3}), "demands"),
                       (json.dumps({"users": "many"}), "users"), (json.dumps({"demand": -1}), "demand")):
        file.write_text(text)
        done = replay(file)
        assert done.returncode == 64 and said in done.stderr and not done.stdout, (text, done)
    assert replay("--set", "moon", 1).returncode == 64
    assert replay(tmp_path / "missing.json").returncode == 64

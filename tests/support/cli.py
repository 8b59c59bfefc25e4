"""`berth …` as an administrator types it."""

import json
import os
import subprocess


def berth_command(hub, *words, check=True, code=None, user=None, stdin=None, timeout=120, config=True):
    """Runs a command against `hub`; with `code` that exit code is asked for, with `user` (uid, gid, groups) as it."""
    more = {}
    if user is not None:
        more = {"user": user[0], "group": user[1], "extra_groups": list(user[2]) if len(user) > 2 else []}
    command = [hub.binary, *words, *(["--config", str(hub.config_path)] if config else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, input=stdin,
                          env={**os.environ, "BERTH_TEST_FOLDER": str(hub.folder)}, **more)
    if code is not None:
        assert done.returncode == code, f"{words}: {done.returncode} instead of {code}\n{done.stdout}{done.stderr}"
    elif check:
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def berth_json(hub, *words, **more):
    return json.loads(berth_command(hub, *words, "--json", **more).stdout)

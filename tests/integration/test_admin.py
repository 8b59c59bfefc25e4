"""`berth user|group|server|gpu|token|audit|logs`: over the administration socket, as whoever the kernel says asks."""

import grp
import http.client
import json
import os
import shutil
import socket as sockets
import stat
import subprocess

import pytest

from tests.integration.test_gpus import GPUS
from tests.support.cli import berth_command, berth_json
from tests.support.person import wait_until

pytestmark = pytest.mark.berth_only

QUICK = {"spawner": "local", "local": {"command": "/bin/true"}}
NOBODY = (65534, 65534)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def hub(berth):
    return berth(QUICK)


def open_to_all(hub):
    """So that another account can get as far as the socket, and only the kernel's word stops it."""
    for path in (hub.folder.parent, hub.folder, hub.folder / "state"):
        path.chmod(0o755)
    shutil.copy(hub.binary, hub.folder.parent / "berth")
    (hub.folder.parent / "berth").chmod(0o755)
    hub.binary = str(hub.folder.parent / "berth")


def test_users_and_groups(hub):
    made = berth_command(hub, "user", "create", "ann", "bob", "--invite").stdout
    assert "ann was created." in made and f"{hub.url}/hub/invite?token=" in made
    berth_command(hub, "group", "create", "ml", "ann")
    berth_command(hub, "group", "add", "ml", "bob")
    listed = berth_command(hub, "user", "list").stdout.splitlines()
    assert listed[0].split()[:3] == ["NAME", "ADMIN", "GROUPS"]
    assert any(line.split()[:2] == ["ann", "ml"] for line in listed[1:])
    users = {user["name"]: user for user in berth_json(hub, "user", "list")}
    assert users["bob"]["groups"] == ["ml"] and not users["bob"]["admin"]
    assert [user["name"] for user in berth_json(hub, "user", "list", "--filter", "an")] == ["ann"]

    berth_command(hub, "user", "admin", "bob")
    assert berth_json(hub, "user", "show", "bob")["admin"]
    berth_command(hub, "user", "admin", "bob", "--off")
    berth_command(hub, "user", "rename", "bob", "rob")
    berth_command(hub, "group", "drop", "ml", "rob")
    assert berth_json(hub, "group", "show", "ml")["users"] == ["ann"]
    berth_command(hub, "user", "remove", "rob")
    berth_command(hub, "group", "remove", "ml")
    assert [user["name"] for user in berth_json(hub, "user", "list") if user["name"] in ("ann", "bob", "rob")] == ["ann"]


def test_more_users_than_a_page(hub):
    names = [f"user{number:03}" for number in range(450)]
    berth_command(hub, "user", "create", *names)
    assert len(berth_json(hub, "user", "list")) >= 450


def test_tokens_work_and_are_revoked(hub):
    berth_command(hub, "user", "create", "ann")
    token = berth_command(hub, "token", "create", "ann", "--note", "for the test", "--days", "1").stdout.strip()
    assert hub.api("GET", "/user", token).json()["name"] == "ann"
    listed = berth_json(hub, "token", "list", "ann")["api_tokens"]
    assert [one["note"] for one in listed] == ["for the test"]
    berth_command(hub, "token", "revoke", "ann", listed[0]["id"])
    assert hub.api("GET", "/user", token).status_code == 403
    assert token not in hub.log(), "a token is never in the log"


def test_every_act_has_its_record(hub):
    berth_command(hub, "user", "create", "ann", "bob")
    berth_command(hub, "user", "admin", "bob")
    berth_command(hub, "user", "admin", "bob", "--off")
    berth_command(hub, "user", "invite", "ann")
    berth_command(hub, "user", "rename", "bob", "rob")
    berth_command(hub, "group", "create", "ml", "ann")
    berth_command(hub, "group", "add", "ml", "rob")
    berth_command(hub, "group", "drop", "ml", "rob")
    assert hub.api("PUT", "/groups/ml/properties", json={"a": 1}).status_code == 200
    berth_command(hub, "group", "remove", "ml")
    token = berth_json(hub, "token", "create", "ann", "--note", "x")
    berth_command(hub, "token", "revoke", "ann", token["id"])
    assert hub.api("PUT", "/users/ann/servers/second").status_code == 201
    assert hub.api("PATCH", "/users/ann/servers/second", json={"display_name": "Two"}).status_code == 200
    berth_command(hub, "server", "remove", "ann/second")
    berth_command(hub, "user", "remove", "rob")
    hub.kill9()
    hub.start()
    records = berth_json(hub, "audit", "--limit", "200")
    by_admin = {(r["action"], r["target"]) for r in records
                if r["principal"] == f"system:admin-socket/uid={os.geteuid()}" and r["result"] == "ok"}
    assert by_admin >= {("user.create", "ann"), ("user.create", "bob"), ("user.make_admin", "bob"),
                        ("user.drop_admin", "bob"), ("user.invite", "ann"), ("user.rename", "bob"),
                        ("group.create", "ml"), ("group.add", "ml"), ("group.drop", "ml"), ("group.remove", "ml"),
                        ("token.create", "ann"), ("token.revoke", "ann"), ("server.remove", "ann/second"),
                        ("user.remove", "rob")}
    by_service = {(r["action"], r["target"]) for r in records if r["principal"] == "service:ops"}
    assert by_service >= {("group.properties", "ml"), ("server.create", "ann/second"), ("server.change", "ann/second")}
    assert {r["permit"] for r in records if r["action"] == "user.create"} == {"admin:users"}
    assert len(berth_json(hub, "audit", "--action", "group")) == 5
    assert [r["target"] for r in berth_json(hub, "audit", "--action", "user.rename")] == ["bob"]
    assert berth_json(hub, "audit", "--who", "user:nobody") == []
    assert berth_json(hub, "audit", "--since", "2100-01-01T00:00:00Z") == []


def test_signing_in_and_out_has_its_record(hub):
    berth_command(hub, "user", "create", "bob")
    ann = hub.person("ann").signed_in()
    away = hub.person("ann").signed_in()
    away.logout()
    hub.person("ann").signed_in()
    assert ann.hub_api("DELETE", "/berth/users/ann/sessions").status_code == 204
    assert "/hub/login" in ann.get("/hub/home").url
    stranger = hub.person("bob", "wrong")
    for _ in range(8):
        assert stranger.login().status_code in (403, 429)
    mistaken = hub.person("my-secret-pass-phrase", "wrong")
    assert mistaken.login().status_code == 403
    hub.kill9()
    hub.start()
    records = berth_json(hub, "audit", "--action", "user", "--limit", "200")

    def those(action, **wanted):
        return [r for r in records if r["action"] == action and all(r[key] == value for key, value in wanted.items())]

    came = those("user.sign_in", principal="user:ann", target="ann", result="ok")
    assert len(came) == 3
    assert {(r["permit"], r["detail"]) for r in came} == {("dummy", "from 127.0.0.1")}
    assert len(those("user.sign_out", principal="user:ann", target="ann", result="ok")) == 1
    assert len(those("user.sign_out_everywhere", principal="user:ann", target="ann", result="ok")) == 1
    refused = those("user.sign_in", principal="anonymous", target="bob", result="refused")
    assert {r["detail"] for r in refused} == {"from 127.0.0.1: wrong credentials"}
    assert len(refused) == 5, "tries that were not let through to the password have none: a stranger fills no disk"
    assert len(those("user.sign_in", result="refused", target="")) == 1, "a name that nobody has is not written down"
    assert "pass-phrase" not in json.dumps(records) and "wrong\"" not in json.dumps(records)


def test_applications_have_a_record_of_what_they_were_given(local_berth):
    hub = local_berth()
    ann = hub.person("ann").signed_in()
    ann.started()
    assert ann.open_lab().status_code == 200
    [code] = berth_json(hub, "audit", "--action", "oauth.code")
    assert (code["principal"], code["target"], code["result"]) == ("user:ann", "ann/", "ok")
    assert "access:servers!server=ann/" in code["detail"]
    [token] = berth_json(hub, "audit", "--action", "oauth.token")
    assert (token["principal"], token["target"], token["permit"]) == ("server:ann/", "ann", "authorization_code")
    assert token["detail"] == code["detail"]
    ann.stop()
    ann.wait_stopped()
    [stop] = berth_json(hub, "audit", "--action", "server.stop")
    assert (stop["principal"], stop["target"], stop["result"]) == ("user:ann", "ann/", "ok")


def test_exit_codes(hub):
    berth_command(hub, "user", "show", "ghost", code=4)
    berth_command(hub, "user", "create", "ann")
    again = berth_command(hub, "user", "create", "ann", code=1)
    assert again.stderr == "berth: All 1 users already exist\n" and again.stdout == ""
    berth_command(hub, "user", "explode", code=64)
    berth_command(hub, "user", "show", code=64)
    berth_command(hub, "--help", config=False, code=0)
    hub.stop()
    gone = berth_command(hub, "user", "list", code=3)
    assert "No hub answers at" in gone.stderr and "berth serve" in gone.stderr
    hub.config_path.write_text("bind_urll: x\n")
    berth_command(hub, "user", "list", code=78)


def test_the_socket_is_the_hubs_alone(hub):
    socket = hub.folder / "state" / "admin.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE((hub.folder / "state").stat().st_mode) == 0o700


@needs_root
def test_a_stranger_is_nobody_even_with_the_socket_in_reach(hub):
    open_to_all(hub)
    socket = hub.folder / "state" / "admin.sock"
    refused = berth_command(hub, "user", "list", "--socket", str(socket), user=NOBODY, code=3, config=False)
    assert "may not use" in refused.stderr
    socket.chmod(0o666)
    refused = berth_command(hub, "user", "list", "--socket", str(socket), user=NOBODY, code=3, config=False)
    assert "does not know you as an administrator" in refused.stderr
    berth_command(hub, "user", "create", "mallory", "--admin", "--socket", str(socket), user=NOBODY, code=3, config=False)
    assert "mallory" not in [user["name"] for user in berth_json(hub, "user", "list")]


@needs_root
def test_members_of_the_group_are_administrators(berth):
    hub = berth({**QUICK, "admin": {"group": "daemon"}}, start=False)
    hub.start()
    open_to_all(hub)
    socket = hub.folder / "state" / "admin.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o660
    daemon = grp.getgrnam("daemon").gr_gid
    as_member = (NOBODY[0], NOBODY[1], [daemon])
    berth_command(hub, "user", "create", "ann", "--socket", str(socket), user=as_member, config=False)
    berth_command(hub, "user", "list", "--socket", str(socket), user=NOBODY, config=False, code=3)
    assert berth_json(hub, "audit", "--target", "ann")[0]["principal"] == "system:admin-socket/uid=65534"


def test_a_group_that_is_not_there_is_refused(berth):
    hub = berth({**QUICK, "admin": {"group": "no-such-group"}}, start=False)
    hub.start(wait=False)
    assert hub.process.wait(20) == 1
    assert "admin.group: there is no group 'no-such-group'" in hub.log()


def test_only_the_api_is_on_the_socket(hub):
    def ask(method, path, headers=None):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = sockets.socket(sockets.AF_UNIX)
        connection.sock.connect(str(hub.folder / "state" / "admin.sock"))
        connection.request(method, path, headers=headers or {})
        return connection.getresponse().status

    assert ask("GET", "/hub/api/users") == 200
    assert ask("GET", "/hub/home") == 404
    assert ask("GET", "/hub/admin") == 404
    assert ask("GET", "/hub/api/users", {"Authorization": "token wrong"}) == 200, "the kernel's word, no token"


def test_a_base_path_is_no_hindrance(berth):
    hub = berth({**QUICK}, start=False)
    hub.config["bind_url"] = hub.url + "/deep/er"
    hub.write_config()
    hub.start(wait=False)
    wait_until("the command is answered", lambda: berth_command(hub, "user", "list", check=False).returncode == 0, 30)
    berth_command(hub, "user", "create", "ann")
    assert f"{hub.url}/deep/er/hub/invite?token=" in berth_command(hub, "user", "invite", "ann").stdout


def test_a_server_and_its_gpu(local_berth):
    hub = local_berth(GPUS)
    berth_command(hub, "user", "create", "ann")
    assert berth_command(hub, "server", "list").stdout == "No server runs.\n"
    berth_command(hub, "server", "start", "ann", "--profile", "gpu", timeout=200)
    [server] = berth_json(hub, "server", "list")
    assert server["user"] == "ann" and server["ready"] and server["berth"]["profile"] == "gpu"
    assert "jupyter" in berth_command(hub, "logs", "ann").stdout.lower()
    assert len(berth_command(hub, "logs", "ann", "--tail", "2").stdout.splitlines()) == 2
    board = berth_json(hub, "gpu", "list")
    [lease] = [lease for device in board["devices"] for lease in device["leases"]]
    assert lease["user"] == "ann"
    free = next(device["uuid"] for device in board["devices"] if not device["leases"])
    berth_command(hub, "gpu", "cordon", free)
    assert "yes" in next(line for line in berth_command(hub, "gpu", "list").stdout.splitlines() if free in line)
    berth_command(hub, "gpu", "uncordon", free)
    berth_command(hub, "gpu", "release", "999999", code=4)
    assert "is being stopped" in berth_command(hub, "gpu", "release", str(lease["id"])).stdout
    wait_until("its server is gone and its GPU free", lambda: not any(
        device["leases"] for device in berth_json(hub, "gpu", "list")["devices"]), 60)
    assert berth_command(hub, "server", "list").stdout == "No server runs.\n"
    refused = berth_command(hub, "server", "start", "ann", "--profile", "none", code=1)
    assert "profile" in refused.stderr
    actions = [r["action"] for r in berth_json(hub, "audit", "--target", "ann")]
    assert "server.start" in actions and "server.stop" in actions


def complete(hub, line):
    """What a real bash offers when Tab is pressed at the end of `line`."""
    script = f'''
source <("{hub.binary}" completion bash)
read -ra COMP_WORDS <<< "{line}"
[[ "{line}" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
COMP_WORDS[0]="{hub.binary}"
_berth
printf '%s\\n' "${{COMPREPLY[@]}}"
'''
    done = subprocess.run(["bash", "--norc", "-euc", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_commands_and_flags(berth):
    hub = berth(QUICK, start=False)
    assert {"user", "group", "server", "gpu", "token", "audit", "logs", "backup", "restore"} <= set(complete(hub, "berth "))
    assert complete(hub, "berth us") == ["user"]
    assert {"list", "create", "invite"} <= set(complete(hub, "berth user "))
    assert complete(hub, "berth user create ann --in") == ["--invite"]
    assert set(complete(hub, "berth completion ")) <= {"--help"}
    for shell in ("zsh", "fish"):
        assert "__complete" in berth_command(hub, "completion", shell, config=False).stdout
        if found := shutil.which(shell):
            subprocess.run([found, "-n" if shell == "zsh" else "--no-execute"], text=True, check=True,
                           input=berth_command(hub, "completion", shell, config=False).stdout)
    berth_command(hub, "completion", "tcsh", config=False, code=64)

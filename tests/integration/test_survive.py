"""Hubs killed and proxies upgraded under load: no WebSocket lost, no request failed (bench/run survive: 100 and 20)."""

import pytest

from tests.integration.test_upgrade import own_binary  # noqa: F401 a fixture
from tests.support.survive import CONFIG, survive

pytestmark = pytest.mark.berth_only


def test_nobody_whose_server_lives_notices(berth, own_binary):  # noqa: F811
    hub = berth(CONFIG, binary=str(own_binary))
    result = survive(hub, own_binary, kills=5, upgrades=2, sockets=50, users=4)
    assert result["lost"] == []
    assert result["failed"] == []
    assert result["servers_alive"] == result["servers"]
    assert result["requests"] > 100 and result["echoes"] == 500
    assert result["draining"] == 2, "WebSockets keep the proxies that have them"

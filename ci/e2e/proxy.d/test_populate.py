"""POST /populate: many proxies at once, all or nothing."""
import socket

from rig import Echo, Proxy, test


@test
def populate_makes_replaces_and_leaves_alone():
    with Echo() as echo, Echo() as other, Proxy() as p:
        up = f"127.0.0.1:{echo.port}"
        same = p.create("same", echo.port)
        changed = p.create("changed", echo.port)
        p.toxic("same", "latency")
        p.toxic("changed", "latency")
        kept, cut = p.connect(same), p.connect(changed)
        kept.echo(b"1"), cut.echo(b"1")
        got = p.ask("POST", "/populate", [
            {"name": "same", "listen": same["listen"], "upstream": up, "toxics": None},
            {"name": "changed", "listen": changed["listen"], "upstream": f"127.0.0.1:{other.port}"},
            {"name": "new", "upstream": up, "enabled": False},
            {"name": "poisoned", "upstream": up, "toxics": [{"type": "limit_data", "attributes": {"bytes": 3}}]},
        ], 201)["proxies"]
        assert [x["name"] for x in got] == ["same", "changed", "new", "poisoned"], got
        assert [len(x["toxics"]) for x in got] == [1, 0, 0, 1] and [x["enabled"] for x in got] == [True, True, False, True]
        kept.echo(b"2")
        assert cut.read_all() == b""
        p.connect(got[1]).echo(b"3")
        client = p.connect(got[3])
        client.send(b"12345")
        assert client.read_all() == b"123"
        p.ask("POST", "/populate", [{"name": "same", "listen": same["listen"], "upstream": up, "toxics": []}], 201)
        assert p.ask("GET", "/proxies/same/toxics") == []
        kept.echo(b"4")


@test
def populate_with_one_mistake_changes_nothing():
    with Echo() as echo, Proxy() as p, socket.create_server(("127.0.0.1", 0)) as taken:
        old = p.create("old", echo.port)
        p.toxic("old", "latency")
        client = p.connect(old)
        client.echo(b"1")
        before = p.ask("GET", "/proxies")
        fine = [{"name": "new", "upstream": "127.0.0.1:1"}]
        for last, status, says in (
                ({"upstream": "127.0.0.1:1"}, 400, "missing required field: name at proxy 2"),
                ({"name": "x"}, 400, "missing required field: upstream at proxy 2"),
                ({"name": "new", "upstream": "127.0.0.1:1"}, 400, "duplicate proxy name"),
                ({"name": "x", "upstream": "nowhere"}, 400, ""),
                ({"name": "x", "upstream": "a" * 99 + "\u00e9" * 50}, 400, "has no port"), (7, 400, "at proxy 2"),
                ({"name": "x", "upstream": "127.0.0.1:1", "toxics": [{"type": "x"}]}, 400, "invalid toxic type"),
                ({"name": "x", "listen": f"127.0.0.1:{taken.getsockname()[1]}", "upstream": "127.0.0.1:1"}, 409, "")):
            got = p.http("POST", "/populate", [*fine, last])
            body = got.json()
            assert got.status == status == body["status"] and body["proxies"] == [] and says in body["error"], got
            assert p.ask("GET", "/proxies") == before
        # What is replaced before the mistake shows is put back: its address, its toxics; and its connections live on.
        for change in ({"upstream": "127.0.0.1:1"}, {"listen": "127.0.0.1:0"}, {"listen": "127.0.0.1:0", "enabled": False}):
            p.refused("POST", "/populate", [{**old, "toxics": None, **change},
                                            {"name": "x", "listen": f"127.0.0.1:{taken.getsockname()[1]}",
                                             "upstream": "127.0.0.1:1"}], status=409)
            assert p.ask("GET", "/proxies") == before
            client.echo(b"2")
            p.connect(old).echo(b"3")


@test
def what_populate_cannot_change_it_refuses():
    with Echo() as echo, Proxy() as p:
        tls = p.create("tls", echo.port, tls={"upstream": False}, connect_timeout=2000)
        plain = p.create("plain", echo.port)
        client = p.connect(plain)
        client.echo(b"1")
        for old, change, says in (
                (tls, {"tls": {"upstream": True, "upstream_insecure": True}}, "tls"), (plain, {"tls": {}}, "tls"),
                (tls, {"tls": {"terminate": False, "upstream": False}}, "tls"), (tls, {"connect_timeout": "3s"}, "timeout"),
                (plain, {"connect_timeout": 1}, "timeout")):
            p.refused("POST", "/populate", [{**plain, "upstream": "127.0.0.1:1"}, {**old, "name": old["name"], **change}]
                      if old is tls else [{**old, **change}], says=says)
        client.echo(b"2")
        assert p.ask("GET", "/proxies") == {"tls": tls, "plain": plain}
        # As it is, as it was shown, or not said.
        for change in ({"connect_timeout": "2s"}, {}, {"tls": None}):
            assert p.ask("POST", "/populate", [{**tls, **change}], 201)["proxies"] == [tls]
        assert p.ask("POST", "/populate", [{**plain, "tls": {"terminate": False, "upstream": False}}], 201)

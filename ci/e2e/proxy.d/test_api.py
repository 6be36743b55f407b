"""Every route of the API, and its effect on a real connection."""
import json
import socket
import ssl

from rig import Echo, Proxy, is_refused, run, test, until


@test
def what_is_not_there_is_told():
    with Echo() as echo, Proxy() as p:
        about = p.ask("GET", "/")
        assert "GET /proxies" in about["routes"] and about["server"].startswith("wsquall "), about
        version = p.ask("GET", "/version")
        assert version["version"].split(".")[0] == "2" and version["server"] == about["server"], version
        assert p.ask("GET", "/proxies") == {}
        p.create("known", echo.port)
        for path in ("/proxies/knwn", "/proxies/knwn/toxics", "/proxies/knwn/toxics/x", "/proxies/knwn/connections"):
            p.refused("GET", path, status=404, says='did you mean "known"?')
        p.toxic("known", "latency", "slow")
        p.refused("GET", "/proxies/known/toxics/slw", status=404, says='did you mean "slow"?')
        p.refused("DELETE", "/proxies/known/toxics/none", status=404, says="toxic not found")
        p.refused("PATCH", "/proxies/known/toxics/none", {}, status=404, says="toxic not found")
        p.refused("GET", "/proxies/known/connections/7", status=404, says="connection not found")
        p.refused("DELETE", "/proxies/known/connections/7", status=404, says="connection not found")
        for path in ("/nothing", "/proxies/known/nothing", "/proxies/known/toxics/slow/more", "/proxys"):
            p.refused("GET", path, status=404, says="GET / tells")


@test
def a_wrong_method_is_told_the_right_ones():
    with Echo() as echo, Proxy() as p:
        p.create("a", echo.port)
        for method, path, allow in (
                ("POST", "/", "GET"), ("PUT", "/proxies", "GET, POST"), ("DELETE", "/proxies", "GET, POST"),
                ("GET", "/populate", "POST"), ("GET", "/reset", "POST"), ("POST", "/version", "GET"),
                ("PUT", "/proxies/a", "GET, POST, PATCH, DELETE"), ("DELETE", "/proxies/a/toxics", "GET, POST"),
                ("POST", "/metrics", "GET"), ("OPTIONS", "/proxies", "GET, POST"), ("BREW", "/proxies", "GET, POST"),
                ("POST", "/proxies/a/connections/1", "GET, DELETE")):
            got = p.http(method, path, {})
            assert got.status == 405 and got.headers["Allow"] == allow, f"{method} {path}: {got} {got.headers['Allow']}"
            assert "Access-Control-Allow-Origin" not in got.headers


@test
def names_of_proxies():
    with Echo() as echo, Proxy() as p:
        for name, path in (("a b", "a%20b"), ("mysql:master", "mysql:master"), ("\u00e9t\u00e9", "%C3%A9t%C3%A9"),
                           ("a+b?c#d", "a+b%3Fc%23d"), ("100%", "100%25"), ("x" * 128, "x" * 128)):
            assert p.create(name, echo.port)["name"] == name
            assert p.ask("GET", "/proxies/" + path)["name"] == name
            p.ask("DELETE", "/proxies/" + path, status=204)
        for name in ("a/b", "a\nb", "x" * 129, "\x1b[31m"):
            p.refused("POST", "/proxies", {"name": name, "upstream": "127.0.0.1:1"})
        assert p.ask("GET", "/proxies") == {}


@test
def a_proxy_is_made_changed_and_deleted():
    with Echo() as echo, Echo() as other, Proxy() as p:
        made = p.create("a", echo.port)
        assert set(made) == {"name", "listen", "upstream", "enabled", "toxics"}, made
        assert made["enabled"] is True and made["toxics"] == [] and made["upstream"] == f"127.0.0.1:{echo.port}"
        assert not made["listen"].endswith(":0"), made
        assert p.ask("GET", "/proxies/a") == made and p.ask("GET", "/proxies") == {"a": made}
        client = p.connect(made)
        client.echo(b"through")
        p.refused("POST", "/proxies", {"name": "a", "upstream": "127.0.0.1:1"}, status=409, says="proxy already exists")
        client.echo(b"still")
        for method in ("POST", "PATCH"):
            off = p.ask(method, "/proxies/a", {"enabled": False})
            assert off == {**made, "enabled": False}, off
            assert client.read_all() == b"" and is_refused(made["listen"])
            assert p.ask(method, "/proxies/a", {"enabled": True}) == made
            client = p.connect(made)
            client.echo(b"again")
            for body in ({"tls": {"terminate": True}}, {"connect_timeout": "17s"}):
                p.refused(method, "/proxies/a", {"enabled": False, **body}, status=400, says="cannot be changed: delete the proxy first")
            client.echo(b"what cannot be changed changes nothing")
            assert p.ask(method, "/proxies/a", {"tls": {"terminate": False}}) == made
        assert p.ask("POST", "/proxies/a", {"listen": made["listen"], "toxics": [{"type": "none"}]}) == made
        client.echo(b"an update that changes nothing ends nothing")
        moved = p.ask("POST", "/proxies/a", {"upstream": f"127.0.0.1:{other.port}"})
        assert moved["upstream"].endswith(str(other.port)) and moved["listen"] == made["listen"]
        assert client.read_all() == b""
        client = p.connect(moved)
        client.echo(b"elsewhere")
        p.ask("DELETE", "/proxies/a", status=204)
        assert client.read_all() == b"" and is_refused(made["listen"])
        p.refused("GET", "/proxies/a", status=404, says="proxy not found")
        assert p.ask("GET", "/proxies") == {}


@test
def a_proxy_with_toxics_is_made_whole_or_not_at_all():
    with Echo() as echo, Proxy() as p:
        made = p.create("a", echo.port, toxics=[{"type": "latency", "attributes": {"latency": 150}},
                                                {"type": "latency", "stream": "upstream"}])
        assert [t["name"] for t in made["toxics"]] == ["latency_downstream", "latency_upstream"], made
        assert p.connect(made).echo(b"late") >= 0.15
        before = p.ask("GET", "/proxies")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            p.refused("POST", "/proxies", {"name": "b", "listen": listen, "upstream": "127.0.0.1:1"}, status=409)
        for toxics, says in (([{"type": "latency"}, {"type": "latncy"}], 'did you mean "latency"?, at toxic 2'),
                             ([{"type": "latency"}, {"type": "latency"}], "latency_downstream"),
                             ([{"type": "slicer", "attributes": {"average_size": -1}}], "average_size"),
                             ([{"type": "latency"}] * 65, "at most"), ({}, "expected a list"), ([3], "at toxic 1")):
            status = 409 if says == "latency_downstream" else 400
            p.refused("POST", "/proxies", {"name": "b", "upstream": "127.0.0.1:1", "toxics": toxics}, status=status,
                      says=says)
        assert p.ask("GET", "/proxies") == before


@test
def a_toxic_is_added_shown_changed_and_removed():
    with Echo() as echo, Proxy() as p:
        made = p.create("a", echo.port)
        client = p.connect(made)
        client.echo(b"before")
        toxic = p.toxic("a", "latency", attributes={"latency": 200, "jitter": 0})
        assert {**toxic, "attributes": None} == {"name": "latency_downstream", "type": "latency", "stream": "downstream",
                                                 "toxicity": 1, "attributes": None}, toxic
        assert toxic["attributes"].items() >= {"latency": 200, "jitter": 0}.items(), toxic
        assert p.ask("GET", "/proxies/a/toxics") == [toxic] == p.ask("GET", "/proxies/a")["toxics"]
        assert p.ask("GET", "/proxies/a/toxics/latency_downstream") == toxic
        assert client.echo(b"open already, and late at once") >= 0.2
        p.refused("POST", "/proxies/a/toxics", {"type": "latency"}, status=409, says="toxic already exists")
        for method, latency in (("POST", 300), ("PATCH", 400)):
            got = p.ask(method, "/proxies/a/toxics/latency_downstream", {"attributes": {"latency": latency}})
            assert got == {**toxic, "attributes": {**toxic["attributes"], "latency": latency}}, got
            assert client.echo(b"later") >= latency / 1000
        got = p.ask("PATCH", "/proxies/a/toxics/latency_downstream", {"toxicity": 0})
        assert got["toxicity"] == 0 and got["attributes"]["latency"] == 400, got
        second = p.toxic("a", "latency", "second", stream="upstream", attributes={"latency": "150ms"})
        assert second["stream"] == "upstream" and second["attributes"]["latency"] == 150, second
        assert client.echo(b"the other way") >= 0.15
        assert [t["name"] for t in p.ask("GET", "/proxies/a/toxics")] == ["latency_downstream", "second"]
        p.ask("DELETE", "/proxies/a/toxics/latency_downstream", status=204)
        p.ask("DELETE", "/proxies/a/toxics/second", status=204)
        assert p.ask("GET", "/proxies/a/toxics") == []
        client.echo(b"after")


@test
def what_ours_adds_to_a_toxic():
    with Echo() as echo, Proxy() as p:
        made = p.create("a", echo.port)
        both = p.toxic("a", "latency", stream="both", attributes={"latency": "100ms"})
        assert both["stream"] == "both" and both["name"] == "latency_both", both
        assert p.connect(made).echo(b"twice") >= 0.2
        short = p.toxic("a", "limit_data", duration="1h", attributes={"bytes": "1MiB"})
        assert 0 < short["remaining_ms"] <= 3600000 and short["attributes"]["bytes"] == 1 << 20, short
        p.toxic("a", "slicer", duration=1)
        until(lambda: len(p.ask("GET", "/proxies/a/toxics")) == 2, "the end of a toxic of 1 ms")
        told = [e for e in p.ask("GET", "/events")["events"] if e["event"] == "toxic.expire"]
        assert [e["toxic"] for e in told] == ["slicer_downstream"], told
        half = p.toxic("a", "none", toxicity="25%", attributes={"tell": True})
        assert half["toxicity"] == 0.25 and half["attributes"] == {"tell": True}, half


@test
def a_change_of_a_toxic_that_is_refused_leaves_it():
    with Echo() as echo, Proxy() as p:
        p.create("a", echo.port)
        toxic = p.toxic("a", "latency", attributes={"latency": 5, "jitter": 2})
        for body, says in (({"attributes": {"latency": -1}}, "latency"), ({"attributes": {"latncy": 1}}, "did you mean"),
                           ({"attributes": []}, "attributes"), ({"toxicity": 2}, "toxicity"), ([], "expected an object"),
                           ({"attributes": {"latency": 9}, "stream": "sideways"}, "stream was invalid")):
            p.refused("PATCH", "/proxies/a/toxics/latency_downstream", body, says=says)
            assert p.ask("GET", "/proxies/a/toxics") == [toxic]


@test
def reset_enables_and_cleans():
    with Echo() as echo, Proxy() as p:
        a, b = p.create("a", echo.port), p.create("b", echo.port, enabled=False)
        p.toxic("a", "timeout")
        p.toxic("b", "latency")
        client = p.connect(a)
        client.send(b"lost")
        p.ask("POST", "/reset", status=204)
        now = p.ask("GET", "/proxies")
        assert all(x["enabled"] and x["toxics"] == [] for x in now.values()), now
        assert now["a"]["listen"] == a["listen"] and not b["enabled"]
        p.connect(now["b"]).echo(b"1")
        p.connect(a).echo(b"2")


@test
def connections_are_listed_and_killed():
    with Echo() as echo, Proxy() as p:
        made = p.create("a", echo.port)
        assert p.ask("GET", "/proxies/a/connections") == []
        clients = [p.connect(made) for _ in range(3)]
        for i, client in enumerate(clients):
            client.echo(b"x" * (i + 1))
        listed = p.ask("GET", "/proxies/a/connections")
        assert [c["number"] for c in listed] == [1, 2, 3] and {c["state"] for c in listed} == {"open"}, listed
        assert [(c["upstream_bytes"], c["downstream_bytes"]) for c in listed] == [(1, 1), (2, 2), (3, 3)], listed
        ports = [f"127.0.0.1:{c.socket.getsockname()[1]}" for c in clients]
        assert [c["client"] for c in listed] == ports
        assert all(c["upstream"] == f"127.0.0.1:{echo.port}" and c["age_ms"] >= 0 for c in listed), listed
        assert p.ask("GET", "/proxies/a/connections/2")["client"] == ports[1]
        p.refused("DELETE", "/proxies/a/connections/1?how=gently", says="rst or fin")
        for text in ("0", "x", "-1", "1x", "18446744073709551617"):
            p.refused("DELETE", "/proxies/a/connections/" + text, status=404)
        clients[0].echo(b"still there")
        p.ask("DELETE", "/proxies/a/connections/1", status=204)
        assert clients[0].end() == "rst"
        p.ask("DELETE", "/proxies/a/connections/2?how=fin", status=204)
        assert clients[1].end() == "fin"
        p.refused("DELETE", "/proxies/a/connections/2", status=404, says="connection not found")
        clients[2].echo(b"and the third lives")
        p.ask("DELETE", "/proxies/a/connections/3?how=rst", status=204)
        assert clients[2].end() == "rst"
        p.quiet("a")


@test
def faults_are_listed_with_their_attributes():
    with Proxy() as p:
        faults = {f["type"]: f for f in p.ask("GET", "/faults")["faults"]}
        toxiproxys = {"latency": {"latency", "jitter"}, "bandwidth": {"rate"}, "slow_close": {"delay"}, "timeout": {"timeout"},
                      "reset_peer": {"timeout"}, "slicer": {"average_size", "size_variation", "delay"},
                      "limit_data": {"bytes"}}
        for name, attributes in toxiproxys.items():
            assert attributes <= {a["name"] for a in faults[name]["attributes"]}, faults[name]
            assert faults[name]["stream"] == "downstream", faults[name]
        units = {(f, a["name"]): a.get("number_of") for f in toxiproxys for a in faults[f]["attributes"]}
        assert units[("latency", "latency")] == "1ms" and units[("slicer", "delay")] == "1us", units
        assert units[("bandwidth", "rate")] in ("1kB", "1KB", "1000B") and units[("limit_data", "bytes")] == "1B", units


@test
def toxiproxys_own_toxics_show_numbers_alone():
    """toxiproxy-cli inspect cannot read other attributes."""
    with Echo() as echo, Proxy() as p:
        p.create("a", echo.port)
        sent = {"latency": {"latency": 1000, "jitter": 50}, "bandwidth": {"rate": 25}, "slow_close": {"delay": 10},
                "timeout": {"timeout": 2000}, "reset_peer": {"timeout": 3000}, "limit_data": {"bytes": 5000},
                "slicer": {"average_size": 64, "size_variation": 32, "delay": 10}}
        for kind, attributes in sent.items():
            got = p.toxic("a", kind, attributes=attributes)["attributes"]
            assert got.items() >= attributes.items(), (kind, got)
            assert all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in got.values()), (kind, got)
            # Without attributes Toxiproxy has zeros.
            assert p.toxic("a", kind, kind + "_2")["name"] == kind + "_2"


@test
def metrics_count():
    with Echo() as echo, Proxy() as p:
        made = p.create('a"b\\c', echo.port)
        client = p.connect(made)
        client.echo(b"12345")
        p.toxic("a%22b%5Cc", "none", attributes={"tell": True})
        p.ask("GET", "/nothing", status=404)

        def metrics():
            got = p.http("GET", "/metrics")
            assert got.status == 200 and got.headers["Content-Type"].startswith("text/plain; version=0.0.4"), got
            lines = [x for x in got.body.decode().splitlines() if not x.startswith("#")]
            found = {x.rpartition(" ")[0]: float(x.rpartition(" ")[2]) for x in lines}
            assert len(found) == len(lines), "a line stands there twice"
            return found
        name = '"a\\"b\\\\c"'
        labels = f'listener="{made["listen"]}",proxy={name},upstream="{made["upstream"]}"'
        now = metrics()
        for direction in ("upstream", "downstream"):
            for what in ("received", "sent"):
                assert now[f'toxiproxy_proxy_{what}_bytes_total{{direction="{direction}",{labels}}}'] == 5, now
        assert now[f"wsquall_proxy_connections_active{{proxy={name}}}"] == 1, now
        assert now[f"wsquall_proxy_connections_total{{proxy={name}}}"] == 1, now
        assert now['wsquall_api_requests_total{code="404"}'] == 1 and now["wsquall_proxies"] == 1, now
        client = p.connect(made)
        client.echo(b"told")
        until(lambda: metrics().get(f'wsquall_proxy_toxic_events_total{{proxy={name},type="none"}}', 0) >= 2, "the hits")
        client.reset()
        until(lambda: metrics()[f'wsquall_proxy_connections_ended_total{{proxy={name},how="rst"}}'] == 1, "the RST")
        assert "wsquall_proxy_connections_ended_total" in p.http("GET", "/metrics").body.decode()


@test
def browsers_and_strangers_are_refused():
    with Proxy() as p:
        p.refused("GET", "/proxies", status=403, says="User agent not allowed",
                  headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"})
        for name, value in (("Origin", "http://localhost:8474"), ("Origin", "null"), ("Sec-Fetch-Site", "none")):
            p.refused("POST", "/reset", status=403, says=name, headers={name: value})
        for host in ("evil.example", f"evil.example:{p.port}", "127.0.0.1.evil.example"):
            p.refused("POST", "/reset", status=403, says="Host", headers={"Host": host})
        for host in ("localhost", f"127.0.0.1:{p.port}", "[::1]:8474"):
            assert p.http("GET", "/proxies", headers={"Host": host}).status == 200


@test
def elsewhere_than_on_loopback_a_token_is_wanted():
    token = "correct-horse-battery"
    for listen in ("0.0.0.0:0", ":0"):
        assert "needs a token" in run("--listen-api", listen, status=64)[1]
    assert "16 to" in run("--listen-api", "0.0.0.0:0", status=64, env={"WSQUALL_PROXY_TOKEN": "short"})[1]
    with Proxy("--listen-api", "0.0.0.0:0", env={"WSQUALL_PROXY_TOKEN": token}) as p:
        for headers in ({}, {"Authorization": "Bearer wrong-horse-battery"}, {"Authorization": "Basic " + token}):
            got = p.http("GET", "/proxies", headers=headers)
            assert got.status == 401 and got.headers["WWW-Authenticate"] == "Bearer" and token not in str(got), got
        p.token = token
        assert p.ask("GET", "/proxies") == {}
        assert p.http("GET", "/proxies", headers={"Host": "proxy.example"}).status == 200
    with Proxy(env={"WSQUALL_PROXY_TOKEN": token}) as p:  # given, so wanted on loopback too
        p.refused("GET", "/proxies", status=401)


@test
def tls_is_ended_where_it_is_wanted():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Echo() as echo, Proxy() as p:
        made = p.create("a", echo.port, tls={"upstream": False}, toxics=[{"type": "latency", "attributes": {"latency": 150}}])
        assert made["tls"] == {"terminate": True, "upstream": False, "upstream_insecure": False}, made
        client = p.connect(made)
        client.socket = context.wrap_socket(client.socket)
        assert client.echo(b"in clear behind the proxy") >= 0.15
        for tls, says in (({"certificate": "/nonexistent"}, ""), ({"upstrem": True}, 'did you mean "upstream"?'),
                          ({"terminate": 1}, "tls: terminate"), ([], "tls")):
            p.refused("POST", "/proxies", {"name": "b", "upstream": "127.0.0.1:1", "tls": tls}, says=says)
        assert list(p.ask("GET", "/proxies")) == ["a"]


@test
def a_signal_ends_it_cleanly():
    with Echo() as echo:
        for number in (2, 15):
            with Proxy() as p:
                made = p.create("a", echo.port, toxics=[{"type": "latency", "attributes": {"latency": 60000}}])
                client = p.connect(made)
                client.send(b"held")
                until(lambda made=made: p.ask("GET", "/proxies/a/connections"), "the connection")
                p.stop(number)
                assert client.end() in ("fin", "rst") and is_refused(made["listen"])


@test
def it_is_ready_before_it_says_so():
    with Echo() as echo, Proxy("--proxy", f"x=127.0.0.1:0=127.0.0.1:{echo.port}", "--seed", "5") as p:
        assert "seed 5" in p.line and "proxies: 1" in p.line, p.line
        p.connect(p.ask("GET", "/proxies/x")).echo(b"ready")
        assert json.dumps(p.ask("GET", "/events")).count("proxy.ready") == 1

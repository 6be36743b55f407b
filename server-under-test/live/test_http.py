#!/usr/bin/python3 -B
"""The plain HTTP interface at its edges: browsers of other origins, bodies, cut answers, readers that are slow or late.

usage: test_http.py wsquall-server [WORD...]
"""
import json
import tempfile
import time

import rig
from rig import NO_LIMITS, Server, test

APP = "https://app.example"


@test
def browsers_of_another_origin():
    with Server(*NO_LIMITS, "--origins", APP) as server:
        for path in ("/poll/c?wait=0", "/poll/a%20b"):
            headers = server.http(path, headers={"Origin": APP}).headers
            assert headers["access-control-allow-origin"] == APP and headers["vary"] == "Origin", headers
            assert headers["access-control-allow-credentials"] == "true", headers
        refused = server.http("/poll/c?wait=0", headers={"Origin": "https://evil.example"})
        assert refused.status == 403 and "access-control-allow-origin" not in refused.headers, refused
        assert "access-control-allow-origin" not in server.http("/metrics", headers={"Origin": APP}).headers
        asked = {"Origin": APP, "Access-Control-Request-Method": "POST"}
        preflight = server.http("/publish/c", "OPTIONS", headers=asked)
        assert (preflight.status, preflight.body) == (204, b""), preflight
        assert preflight.headers["access-control-allow-methods"] == "POST, OPTIONS", preflight.headers
        assert "Last-Event-ID" in preflight.headers["access-control-allow-headers"], preflight.headers
        asked["Origin"] = "https://evil.example"
        assert server.http("/publish/c", "OPTIONS", headers=asked).status == 403
    with Server(*NO_LIMITS) as server:  # every origin, but not with what a browser keeps for the server
        headers = server.http("/poll/c?wait=0", headers={"Origin": APP}).headers
        assert headers["access-control-allow-origin"] == APP, headers
        assert "access-control-allow-credentials" not in headers, headers


@test
def a_preflight_carries_no_credentials():
    with tempfile.TemporaryDirectory() as folder:
        keys = rig.Keys(folder)
        with Server(*NO_LIMITS, *keys.options) as server:
            assert server.http("/sse/c", "OPTIONS", headers={"Origin": APP}).status == 204
            refused = server.http("/sse/c", headers={"Origin": APP})
            assert refused.status == 401 and refused.headers["www-authenticate"] == "Bearer", refused
            assert refused.json["code"] == "unauthorized", refused
            assert refused.headers["access-control-allow-origin"] == APP, refused


@test
def a_client_that_waits_for_100_continue():
    with Server(*NO_LIMITS) as server, server.raw() as raw:
        body = b'{"data":1}'
        raw.send(b"POST /publish/c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert raw.head()[0] == 100
        raw.send(body)
        assert raw.head()[0] == 200


@test
def lengths_of_bodies():
    with Server(*NO_LIMITS) as server:
        for fields, status in ((b"", 411), (b"Transfer-Encoding: chunked\r\n", 501),
                               (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
                               (b"Content-Length: 3\r\nContent-Length: 3\r\n", 400), (b"Content-Length: 3x\r\n", 400),
                               (b"Content-Length: 99999999999999999999\r\n", 413)):
            with server.raw() as raw:
                raw.send(b"POST /publish/c HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")
                assert raw.head()[0] == status, fields
                assert json.loads(raw.rest())["type"] == "error", fields


@test
def a_cut_poll_goes_on_where_it_was_cut():
    with Server(*NO_LIMITS, "--retention-messages", "5000") as server:
        ws = server.ws()
        epoch = [ws.publish("c", "x" * 200000) for _ in range(5)][0]["epoch"]
        seen, since = [], 0
        while since < 5:
            got = server.http(f"/poll/c?since={epoch}:{since}&wait=0")
            assert len(got.body) < 600 * 1024, len(got.body)
            assert got.json["seq"] == got.json["messages"][-1]["seq"]
            seen += [m["seq"] for m in got.json["messages"]]
            since = got.json["seq"]
        assert seen == [1, 2, 3, 4, 5]
        for _ in range(1100):
            ws.publish("many", 1)
        got = server.http(f"/poll/many?since={ws.subscribe('many')['epoch']}:0&wait=0").json
        assert (got["seq"], len(got["messages"])) == (1000, 1000), got["seq"]


@test
def a_stream_cut_before_its_replay_loses_nothing():
    with Server(*NO_LIMITS) as server:
        ws = server.ws()
        epoch = [ws.publish("c", i) for i in range(1, 4)][0]["epoch"]
        with server.sse("c", last=f"{epoch}:1") as sse:  # it knows of nothing but `subscribed` and comes back
            first = sse.event()
            assert first["data"]["recovered"] is True and first["data"]["seq"] == 3, first
        with server.sse("c", last=first["id"]) as sse:
            sse.event()
            assert [sse.event()["data"]["seq"] for _ in range(2)] == [2, 3]


@test
def a_slow_stream_is_ended():
    with Server(*NO_LIMITS, "--slow-consumer-bytes", "64KiB", "--slow-consumer-grace", "100ms") as server:
        ws = server.ws()
        with server.raw(rcvbuf=4096) as slow, server.sse("c") as fast:
            slow.send(b"GET /sse/c HTTP/1.1\r\nHost: x\r\n\r\n")
            conn = slow.head()[1]["x-wsquall-conn"]
            fast.event()
            sent = 0
            while not server.metrics()["ws_slow_consumers_total"]:
                ws.publish("c", "x" * 500000)
                sent += 1
                assert fast.event()["data"]["seq"] == sent
                assert sent < 500, "it is never ended"
            line = server.log("ws.slow_consumer")
            assert line["conn"] == conn and line["buffered"] > 64 * 1024, line


@test
def a_stream_ends_with_its_token():
    with tempfile.TemporaryDirectory() as folder:
        keys = rig.Keys(folder)
        with Server(*NO_LIMITS, *keys.options) as server:
            token = keys.token(lasts_s=-3)  # good for what is left of the leeway of 5 s
            with server.sse("c", headers=rig.bearer(token)) as sse:
                assert sse.status == 200
                sse.event()
                began = time.monotonic()
                try:
                    sse.event()
                    raise AssertionError("something came")
                except EOFError:
                    assert time.monotonic() - began < 10  # and not when the next comment is due


if __name__ == "__main__":
    rig.main()

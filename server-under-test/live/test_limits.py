#!/usr/bin/python3 -B
"""Limits: what is too big, takes too long, comes too often or is one too many.

usage: test_limits.py wsquall-server [WORD...]
"""
import tempfile
import threading
import time
import zlib

import rig
import ws as wire
from rig import NO_LIMITS, Server, test
from ws import dripping


def publish_of(size):
    """A publish of exactly this many octets."""
    text = '{"type":"publish","id":1,"channel":"c","data":""}'
    return text.replace('""', '"' + "x" * (size - len(text)) + '"')


MAX = 64 * 1024


# size

@test
def message_max_is_inclusive():
    with Server(*NO_LIMITS, "--message-max", str(MAX)) as server:
        ws = server.ws()
        ws.say(publish_of(MAX))
        ws.expect("published", seq=1)
        ws.say(publish_of(MAX + 1))
        assert ws.ended()[0] == 1009
        assert server.ws().subscribe("c")["seq"] == 1
        server.metric('ws_closes_total{code="1009"}', 1)


@test
def closed_on_the_announced_length():
    with Server(*NO_LIMITS, "--message-max", str(MAX), "--echo-max", str(MAX)) as server:
        for path in ("/ws", "/echo"):
            for size in (MAX + 1, 1 << 31, (1 << 63) - 1):
                ws = server.ws(path)
                ws.send(wire.frame_head(1, size) + b"abcd")  # the header alone, no payload
                assert ws.ended()[0] == 1009, (path, size)
            ws = server.ws(path)  # both fragments together
            ws.send(wire.frame(1, b" " * (MAX // 2), fin=False) + wire.frame_head(0, MAX // 2 + 1) + b"abcd")
            assert ws.ended()[0] == 1009, path


@test
def closed_by_the_inflated_size():
    with Server(*NO_LIMITS, "--message-max", str(MAX)) as server:
        before = server.rss()
        for size in (MAX + 1, 4 << 20, 60 << 20):
            packer = zlib.compressobj(9, wbits=-15)
            packed = (packer.compress(b" " * size) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
            ws = server.ws(deflate=True)
            try:
                ws.send(wire.frame(1, packed, rsv1=True))
            except ConnectionError:
                pass  # closed while it was being sent
            assert ws.ended(answer=False)[0] in ((1009,) if len(packed) <= MAX else (1009, 1006)), size
            ws.drop()
        ws = server.ws(deflate=True)
        ws.say(publish_of(MAX))
        ws.expect("published", seq=1)
        assert server.rss() < before + (32 << 20), "memory grew with a small message"


# time

@test
def fragment_timeout():
    with Server(*NO_LIMITS, "--fragment-timeout", "400ms") as server:
        idle = server.ws()
        for path in ("/ws", "/echo"):
            ws = server.ws(path)  # a first fragment, and Pings
            ws.send(wire.frame(1, b'{"type":', fin=False))
            assert dripping(ws, lambda: wire.frame(9, b"")) == 4009, path
            ws = server.ws(path)  # one fragment after another, without an end
            ws.send(wire.frame(1, b'{"type":', fin=False))
            assert dripping(ws, lambda: wire.frame(0, b" ", fin=False)) == 4009, path
            ws = server.ws(path)  # a frame whose payload stops
            ws.send(wire.frame(1, b'{"type":"ping","id":1}')[:-1])
            assert ws.ended()[0] == 4009, path
            ws = server.ws(path)
            ws.send(wire.frame(1, b'{"type":"pi', fin=False) + wire.frame(0, b'ng","id":1}'))
            assert ws.message()[0] == 1
        idle.nothing()
        server.metric('ws_closes_total{code="4009"}', 6)


@test
def handshake_timeout():
    with Server(*NO_LIMITS, "--handshake-timeout", "400ms") as server:
        raw = server.raw()
        raw.send(b"GET /ws HTTP/1.1\r\nHost: x\r\n")
        status, headers = raw.head()
        assert status == 408 and "x-wsquall-conn" in headers, headers
        raw.rest()
        assert server.log("ws.refused")["status"] == 408
        raw = server.raw()
        assert raw.rest() == b"", "a bare close when nothing was sent"
        raw, octets = server.raw(), iter(wire.upgrade(headers={"X-Long": "y" * 4000}))

        def drip():
            try:
                for octet in octets:
                    raw.send(bytes([octet]))
                    time.sleep(0.02)
            except OSError:
                pass

        thread = threading.Thread(target=drip)
        thread.start()
        assert raw.head()[0] == 408, "one octet now and then must not extend it"
        raw.drop()
        thread.join()
        ws = server.ws()
        time.sleep(0.6)
        ws.nothing()  # it is over with the handshake


@test
def header_size():
    with Server(*NO_LIMITS) as server:
        assert server.ws(headers={"X-Pad": "y" * 7000})
        refused = server.refused(headers={"X-Pad": "y" * 8192})
        assert refused.status == 431 and "x-wsquall-conn" in refused.headers
        raw = server.raw()  # without an end
        raw.send(b"GET /ws HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 8300)
        assert raw.head()[0] == 431
        raw = server.raw()
        raw.send(b"GET /" + b"y" * 9000)
        assert raw.head()[0] in (414, 431)
        server.metric('ws_refused_total{status="431"}', 3)
    with Server(*NO_LIMITS, "--header-max", "1KiB") as server:
        assert server.refused(headers={"X-Pad": "y" * 1024}).status == 431


# rate

@test
def message_rate():
    with Server("--rate-messages", "1", "--rate-burst", "10", "--rate-strikes", "5") as server:
        ws, other = server.ws(), server.ws()
        ws.send(b"".join(wire.frame(1, b'{"type":"publish","channel":"c","data":1,"id":%d}' % i) for i in range(60)))
        seen = []
        try:
            while True:
                seen.append(ws.next())
        except wire.Closed as closed:
            assert closed.code == 4029, closed
        stored = [m for m in seen if m["type"] == "published"]
        errors = [m for m in seen if m["type"] == "error"]
        assert 10 <= len(stored) <= 20 and [m["id"] for m in stored[:10]] == list(range(10)), len(stored)
        assert len(errors) == 5 and {e["code"] for e in errors} == {"rate_limited"}, errors
        assert all(isinstance(e["id"], int) for e in errors)
        got = other.ask(type="history", channel="c", **{"from": 1, "to": 100})
        assert len(got["messages"]) == len(stored), "what was refused was stored"
        server.metric('ws_closes_total{code="4029"}', 1)


@test
def message_rate_on_echo_closes_at_once():
    with Server("--rate-messages", "1", "--rate-burst", "10") as server:
        ws = server.ws("/echo")
        ws.send(b"".join(wire.frame(1, b"%d" % i) for i in range(60)))
        seen = []
        try:
            while True:
                seen.append(ws.message()[1])
        except wire.Closed as closed:
            assert closed.code == 4029, closed
        assert 10 <= len(seen) <= 20 and seen == [b"%d" % i for i in range(len(seen))], seen


@test
def a_rate_below_the_limit_is_served():
    with Server("--rate-messages", "50", "--rate-burst", "5") as server:
        ws = server.ws()
        for i in range(60):  # slower than 50 a second
            ws.say({"type": "ping", "id": i})
            ws.expect("pong", id=i)
            time.sleep(0.025)


@test
def subscriptions():
    with Server(*NO_LIMITS, "--subscriptions-max", "3") as server:
        ws = server.ws()
        for name in "abc":
            ws.subscribe(name)
        error = ws.ask(type="subscribe", channel="d")
        assert error["type"] == "error", error
        assert ws.subscribe("a")["type"] == "subscribed"  # again is not one more
        ws.publish("d", 1)
        ws.nothing()
        ws.ask(type="unsubscribe", channel="b")
        ws.subscribe("d")
        assert ws.ask(type="subscribe", channel="b")["type"] == "error"


# connections

def retry_after(refused):
    assert int(refused.headers["retry-after"]) >= 1, refused.headers
    assert "x-wsquall-conn" in refused.headers, refused.headers


@test
def connections_per_address():
    with Server("--limit-per-address", "2") as server:
        first, second = server.ws(), server.ws("/echo")
        refused = server.refused()
        assert refused.status == 429
        retry_after(refused)
        assert server.refused("/echo").status == 429
        other = server.ws(source="127.0.0.2")
        assert server.http("/healthz").status == 200
        first.close()
        wire.until(lambda: accepted(server))
        second.send_frame(1, b"x")
        assert second.message() == (1, b"x")
        other.nothing()
        server.log("ws.refused", status=429)


def accepted(server):
    try:
        server.ws()
        return True
    except wire.Refused:
        return False


@test
def connections_in_all():
    with Server("--limit-connections", "2") as server:
        first = server.ws()
        server.ws(source="127.0.0.2")
        refused = server.refused(source="127.0.0.3")
        assert refused.status == 503
        retry_after(refused)
        first.drop()
        wire.until(lambda: accepted(server))


@test
def handshakes_a_second():
    with Server("--limit-handshakes", "5") as server:
        opened, refusals = 0, []
        for _ in range(40):
            try:
                server.ws()
                opened += 1
            except wire.Refused as refused:
                assert refused.status == 429, refused
                retry_after(refused)
                refusals.append(int(refused.headers["retry-after"]))
        assert opened >= 5 and len(refusals) >= 5, (opened, refusals)
        assert max(refusals) <= 10, refusals
        assert server.http("/healthz").status == 200
        wire.until(lambda: accepted(server), pause_s=0.3)
        assert server.metrics()['ws_refused_total{status="429"}'] >= len(refusals)


@test
def the_order_of_refusals():
    with tempfile.TemporaryDirectory() as folder:
        keys = rig.Keys(folder)
        good, evil = {"Origin": "https://app.example"}, {"Origin": "https://evil.example"}
        with Server("--origins", "https://app.example", *keys.options, "--limit-per-address", "1",
                    "--limit-connections", "1") as server:
            server.ws(headers={**good, **rig.bearer(keys.token())})

            def status(octets, source=None):
                with server.raw(source=source) as raw:
                    raw.send(octets)
                    got = raw.head()[0]
                    raw.rest()
                    return got

            def ask(path="/ws", headers=(), method="GET", version="13", key=None, source=None):
                octets = wire.upgrade(path, headers, key=key).replace(b"GET", method.encode(), 1)
                return status(octets.replace(b"Version: 13", b"Version: " + version.encode()), source)

            token = rig.bearer(keys.token())
            assert ask("/nope", evil, "POST", "8", key="short") == 400
            assert ask("/nope", evil, "POST", "8") == 404
            assert ask("/ws", evil, "POST", "8") == 405
            assert ask("/ws", evil, "GET", "8") == 426
            assert ask("/ws", evil) == 403
            assert ask("/ws", good) == 401
            assert ask("/ws", {**good, **token}) == 429
            assert ask("/ws", {**good, **token}, source="127.0.0.2") == 503
            server.metric("ws_connections_active", 1)
            for code in (400, 404, 405, 426, 403, 401, 429, 503):
                server.metric(f'ws_refused_total{{status="{code}"}}', 1)


if __name__ == "__main__":
    rig.main(jobs=8)

#!/usr/bin/python3 -B
"""Hostile clients: after each of them the server still serves, and has not grown.

usage: test_hostile.py wsquall-server [WORD...]
"""
import contextlib
import json
import os
import random
import socket
import threading

import rig
import ws as wire
from rig import NO_LIMITS, Server, test

GROWTH_MAX = (400 if rig.SANITIZED else 48) << 20  # sanitizers keep what was freed


@contextlib.contextmanager
def survivor(*options):
    """A server that must serve a bystander through it all."""
    with Server(*NO_LIMITS, *options) as server:
        bystander = server.ws()
        bystander.subscribe("bystander")
        before = server.rss()
        yield server
        bystander.publish("bystander", 1)
        bystander.expect("message", data=1)
        bystander.nothing()
        server.ws().nothing()
        grown = server.rss() - before
        assert grown < GROWTH_MAX, f"grown by {grown >> 20} MiB"


def provoke(server, texts, path="/ws"):
    """Each text on one connection, opened anew whenever the server has closed it. Every text is answered somehow."""
    ws, answers = server.ws(path), []
    for text in texts:
        try:
            ws.say(text)
            ws.say('{"type":"ping","id":"m"}')
            got = []
            while True:
                got.append(ws.next())
                if got[-1].get("id") == "m" and got[-1]["type"] == "pong":
                    break
            answers.append(got[:-1])
        except (wire.Closed, ConnectionError) as closed:
            answers.append(closed)
            ws.drop()
            ws = server.ws(path)
    ws.drop()
    return answers


@test
def deep_nesting():
    with survivor() as server:
        for depth in (100, 1000, 10000, 100000, 500000):
            texts = ["[" * depth, "[" * depth + "]" * depth, '{"a":' * depth, '{"a":' * depth + "1" + "}" * depth,
                     '{"type":"publish","id":1,"channel":"c","data":' + "[" * depth + "]" * depth + "}",
                     '{"type":"publish","id":' + "[" * depth + "]" * depth + ',"channel":"c","data":1}',
                     '{"type":"ping","x":' + '{"a":[' * depth + "]}" * depth + "}"]
            texts = [text for text in texts if len(text) <= 1 << 20]
            for text, got in zip(texts, provoke(server, texts)):
                assert not isinstance(got, Exception), f"{text[:60]}... {len(text)}: {got}"
                assert len(got) == 1, (text[:60], got)


@test
def huge_texts_in_every_field():
    big = "x" * 900000
    with survivor() as server:
        texts = [json.dumps({"type": big}), json.dumps({"type": "ping", "id": big}), json.dumps({big: 1}),
                 json.dumps({"type": "subscribe", "id": 1, "channel": big}),
                 json.dumps({"type": "publish", "id": 1, "channel": "c", "data": 1, "key": big}),
                 json.dumps({"type": "auth", "id": 1, "token": big}),
                 json.dumps({"type": "subscribe", "id": 1, "channel": "c", "since": {"epoch": big, "seq": 1}}),
                 '{"type":"ping","id":' + "9" * 900000 + "}", '{"type":"ping","id":1e' + "9" * 900000 + "}",
                 '{"type":"ack","channel":"c","seq":' + "9" * 900000 + "}", '{"type":"ping","id":0.' + "0" * 900000 + "1}",
                 '{"type":"ping",' + ",".join(f'"{i}":1' for i in range(80000)) + "}", '"' + "\\u0000" * 150000 + '"',
                 '{"type":"ping"' * 60000, " " * 900000]
        for text, got in zip(texts, provoke(server, texts)):
            assert not isinstance(got, Exception), f"{text[:60]}: {got}"
            for answer in got:
                assert len(json.dumps(answer)) < 4000, f"{text[:60]}: an answer as long as the question"


@test
def odd_numbers():
    numbers = ["1e999", "-1e999", "1e-999", "18446744073709551615", "18446744073709551616", "9223372036854775807",
               "9223372036854775808", "-9223372036854775808", "-1", "0.5", "-0", "1e2", "9007199254740993", "1" * 300]
    with survivor() as server:
        server.ws().publish("c", 1)
        texts = []
        for n in numbers:
            texts += ['{"type":"ping","id":%s}' % n, '{"type":"ack","channel":"c","seq":%s}' % n,
                      '{"type":"subscribe","id":1,"channel":"c","since":{"epoch":"e","seq":%s}}' % n,
                      '{"type":"history","id":1,"channel":"c","from":%s,"to":%s}' % (n, n),
                      '{"type":"history","id":1,"channel":"c","from":1,"to":%s}' % n,
                      '{"type":"publish","id":1,"channel":"c","data":%s}' % n]
        for text, got in zip(texts, provoke(server, texts)):
            assert not isinstance(got, Exception), f"{text[:100]}: {got}"


@test
def acks_that_lie():
    with survivor() as server:
        pub = server.ws()
        for seq in ("9223372036854775807", "18446744073709551615", "1000000"):
            ws = server.ws("/ws?window=4")
            ws.subscribe("c")
            ws.say('{"type":"ack","channel":"c","seq":%s}' % seq)
            ws.barrier()
            newest = [pub.publish("c", i)["seq"] for i in range(20)][-1]
            seen = [m["seq"] for m in ws.barrier() if m["type"] == "message"]
            # What an ack of the future does is not said; what was delivered is in order and without a gap.
            assert seen == list(range(newest - 19, newest - 19 + len(seen))) and len(seen) >= 4, seen


@test
def random_octets_and_mutations():
    rng = random.Random(11)
    good = [json.dumps(m) for m in (
        {"type": "subscribe", "id": 1, "channel": "c", "since": {"epoch": "E", "seq": 41}},
        {"type": "publish", "id": 3, "channel": "c", "data": {"a": [1, None, "ü"]}, "key": "K"},
        {"type": "history", "id": 4, "channel": "c", "from": 10, "to": 20}, {"type": "ack", "channel": "c", "seq": 42},
        {"type": "auth", "id": 5, "token": "a.b.c"}, {"type": "unsubscribe", "id": 2, "channel": "c"})]
    with survivor() as server:
        texts = []
        for i in range(3000):
            octets = bytearray(rng.choice(good).encode())
            for _ in range(rng.randrange(1, 6)):
                place = rng.randrange(len(octets))
                what = rng.randrange(4)
                if what == 0:
                    octets[place] = rng.randrange(32, 127)
                elif what == 1:
                    del octets[place:place + rng.randrange(1, 9)]
                elif what == 2:
                    octets[place:place] = rng.choice((b"{", b"}", b'"', b"\\", b"[", b"null", b",", b"\\u0000", b"1e9"))
                else:
                    octets[place:place] = octets[:place]
                octets = octets[:5000] or bytearray(b" ")
            texts.append(octets.decode("utf-8", "replace"))
        provoke(server, texts)


@test
def frames_of_random_octets():
    rng = random.Random(12)
    with survivor() as server:
        for i in range(300):
            try:
                ws = wire.Ws(server.port, ("/ws", "/echo")[i % 2], deflate=i % 3 == 0)
            except wire.Refused:
                continue
            with contextlib.suppress(OSError):
                if i % 4 == 0:
                    ws.send(rng.randbytes(rng.randrange(1, 4000)))
                elif i % 4 == 1:
                    for _ in range(20):
                        ws.send(wire.frame(rng.choice((0, 1, 2, 8, 9, 10)), rng.randbytes(rng.randrange(125)), rng.random() < .7))
                elif i % 4 == 2:  # broken deflate data
                    ws.send(wire.frame(1, rng.randbytes(rng.randrange(1, 2000)), rsv1=True))
                else:
                    ws.send(wire.frame(1, b"{}")[:rng.randrange(1, 8)])
                ws.socket.shutdown(socket.SHUT_WR)
            ws.rest()
            ws.drop()


@test
def requests_of_random_octets():
    rng = random.Random(13)
    good = [wire.upgrade("/ws?session=a&window=5&token=b", {"Cookie": "wsquall_session=x", "Origin": "https://a"}),
            b'POST /publish/c HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"data":1}',
            b"GET /sse/c HTTP/1.1\r\nHost: x\r\nLast-Event-ID: e:5\r\n\r\n",
            b"GET /poll/a%2Fb?since=e:5&wait=0 HTTP/1.1\r\nHost: x\r\n\r\n"]
    with survivor("--handshake-timeout", "1s") as server:
        for i in range(400):
            octets = bytearray(rng.choice(good))
            for _ in range(rng.randrange(0, 4)):
                place = rng.randrange(len(octets))
                if rng.random() < .5:
                    octets[place] = rng.randrange(256)
                else:
                    octets[place:place] = rng.choice((b"%", b"%0", b"\r\n", b"\0", b":", b"%2e", b"?", b"&", b"=", b"9" * 30))
            with server.raw() as raw, contextlib.suppress(OSError):
                raw.send(bytes(octets))
                raw.socket.shutdown(socket.SHUT_WR)
                raw.socket.settimeout(0.2 if i % 10 == 0 else 0.02)
                with contextlib.suppress(TimeoutError):
                    raw.rest()


@test
def bodies_that_lie():
    heads = [b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Content-Length: 5\r\nContent-Length: 6",
             b"Content-Length: 0x10", b"Content-Length: 5, 5", b"Content-Length:", b"Transfer-Encoding: chunked",
             b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"Transfer-Encoding: gzip", b"Content-Length: +5"]
    with survivor("--handshake-timeout", "500ms") as server:
        for head in heads:
            with server.raw() as raw:
                raw.send(b"POST /publish/c HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\nzz\r\n{\"data\":1}\r\n0\r\n\r\n")
                status = raw.head()[0]
                assert 400 <= status < 600, (head, status)
        assert server.ws().subscribe("c")["seq"] == 0


@test
def floods():
    with survivor("--slow-consumer-bytes", "1MiB", "--slow-consumer-grace", "200ms") as server:
        def flood(octets, path="/ws"):
            with contextlib.suppress(OSError, wire.Refused, wire.Closed, TimeoutError):
                ws = wire.Ws(server.port, path + "?window=0" if path == "/ws" else path, rcvbuf=4096)
                ws.socket.settimeout(3)  # it never reads, so in the end it cannot send
                for _ in range(400):
                    ws.send(octets)
                ws.drop()

        one = wire.frame(1, b'{"type":"ping","id":"' + b"x" * 60 + b'"}') * 500
        bad = wire.frame(1, b"{") * 2000
        echo = wire.frame(2, b"x" * 60000)
        pings = wire.frame(9, b"p" * 125) * 500
        history = wire.frame(1, b'{"type":"history","id":1,"channel":"h","from":1,"to":1000}') * 50
        pub = server.ws()
        for _ in range(8):
            pub.publish("h", "x" * 60000)
        pub.drop()
        threads = [threading.Thread(target=flood, args=args) for args in
                   ((one,), (bad,), (echo, "/echo"), (pings,), (pings, "/echo"), (history,))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wire.until(lambda: server.metrics()["ws_connections_active"] <= 1)
        server.metric("ws_send_queue_bytes", 0)


@test
def many_channels_of_one_client():
    with survivor("--retention-messages", "2") as server:
        ws = server.ws()
        for i in range(3000):
            ws.say({"type": "publish", "id": i, "channel": f"many/{i}", "data": 1})
            ws.say({"type": "subscribe", "id": i, "channel": f"many/{i}"})
        seen = {"published": 0, "subscribed": 0, "error": 0}
        while sum(seen.values()) < 6000:
            got = ws.next()
            if got["type"] in seen:
                seen[got["type"]] += 1
        assert (seen["published"], seen["subscribed"]) == (3000, 1000), seen


@test
def connections_that_come_and_go_at_any_point():
    with survivor() as server:
        rng = random.Random(14)
        whole = wire.upgrade() + wire.frame(1, b'{"type":"subscribe","id":1,"channel":"c"}') + wire.frame(8, b"\x03\xe8")
        for i in range(400):
            raw = server.raw()
            raw.send(whole[:rng.randrange(len(whole) + 1)])
            raw.drop(reset=i % 2 == 0)
            server.clients.pop()
        server.metric("ws_connections_active", 1)


@test
def idle_sockets_do_not_keep_others_out():
    with survivor("--handshake-timeout", "2s") as server:
        idle = [server.raw() for _ in range(300)]
        for raw in idle[::2]:
            raw.send(b"GET /")
        server.ws().publish("c", os.urandom(4).hex())
        for raw in idle:
            raw.drop()


if __name__ == "__main__":
    rig.main(jobs=4)

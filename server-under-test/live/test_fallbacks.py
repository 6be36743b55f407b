#!/usr/bin/python3 -B
"""What works without a WebSocket: publishing, event streams and long polls over HTTP, and what an operator asks.

usage: test_fallbacks.py wsquall-server [WORD...]
"""
import threading
import time

import rig
import ws as wire
from rig import node, test


def filled(server, count, channel="c"):
    """The epoch of a channel with count messages, data 1 to count."""
    ws = server.ws()
    return [ws.publish(channel, i)["epoch"] for i in range(1, count + 1)][0]


class Later:
    """A call in a thread of its own; get() gives what it gave."""

    def __init__(self, call):
        self.call, self.value, self.error = call, None, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.value = self.call()
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def get(self):
        self.thread.join(wire.DEADLINE_S + 5)
        if self.error:
            raise self.error
        assert not self.thread.is_alive(), "no answer"
        return self.value


@test
def publish_over_http():
    with node() as server:
        ws = server.ws()
        epoch = ws.subscribe("c")["epoch"]
        answer = server.http("/publish/c", "POST", {"data": {"x": [1]}, "key": "K"})
        assert answer.status == 200, answer
        assert answer.json == {"type": "published", "channel": "c", "epoch": epoch, "seq": 1}, answer
        assert answer.headers["content-type"].startswith("application/json"), answer.headers
        ws.expect_exact(type="message", channel="c", epoch=epoch, seq=1, data={"x": [1]})
        assert server.http("/publish/c", "POST", {"data": 2, "key": "K"}).json["seq"] == 1
        assert ws.publish("c", 2, key="K")["seq"] == 1  # one scope with the WebSocket
        assert server.http("/publish/c", "POST", {"data": None, "key": None}).json["seq"] == 2
        ws.expect("message", seq=2, data=None)
        ws.nothing()


@test
def slashes_raw_and_escaped():
    with node() as server:
        ws = server.ws()
        epoch = ws.subscribe("room/1/x")["epoch"]
        for n, path in enumerate(("room/1/x", "room%2F1%2Fx", "room%2f1/x", "%72oom/1/x"), 1):
            answer = server.http("/publish/" + path, "POST", {"data": n})
            assert answer.status == 200 and answer.json["channel"] == "room/1/x", (path, answer)
            ws.expect("message", channel="room/1/x", seq=n)
            with server.sse(path, last=f"{epoch}:0") as sse:
                assert sse.event()["data"]["channel"] == "room/1/x"
            assert server.http(f"/poll/{path}?since={epoch}:0&wait=0").json["seq"] == n


@test
def bad_publishes():
    with node() as server:
        for body in (b"", b"{", b"[]", b"1", b'{"key":"K"}', b'{"data":1,"key":1}', b'{"data":1,"key":""}', b"\xff",
                     b'{"data":1} x', b'{"data":"\xff"}', b'{"data":1,"key":"' + b"k" * 257 + b'"}'):
            answer = server.http("/publish/c", "POST", body)
            assert answer.status == 400, (body, answer)
        for channel in ("a%20b", "%FF", "%C3%BC", "a*", "x" * 129, "a%00", "a:b"):
            assert server.http("/publish/" + channel, "POST", {"data": 1}).status == 400, channel
            assert server.http(f"/sse/{channel}").status == 400, channel
            assert server.http(f"/poll/{channel}?wait=0").status == 400, channel
        assert server.http("/publish/", "POST", {"data": 1}).status in (400, 404)
        assert server.http("/publish/c", "POST", {"data": 1}).json["seq"] == 1, "a bad one was stored"


@test
def a_large_publish():
    with node("--message-max", "64KiB") as server:
        body = b'{"data":"' + b"x" * 60000 + b'"}'
        assert server.http("/publish/c", "POST", body).json["seq"] == 1
        with server.raw() as raw:  # refused by its announced length
            raw.send(b"POST /publish/c HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
            assert raw.head()[0] in (400, 413)
        assert server.http("/publish/c", "POST", {"data": 1}).json["seq"] == 2


@test
def a_body_in_pieces():
    with node() as server, server.raw() as raw:
        body = b'{"data":"abc"}'
        for octet in b"POST /publish/c HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body:
            raw.send(bytes([octet]))
        assert raw.head()[0] == 200


@test
def a_body_that_does_not_come():
    with node("--handshake-timeout", "300ms") as server, server.raw() as raw:
        raw.send(b"POST /publish/c HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert raw.head()[0] == 408
        raw.rest()


@test
def an_event_stream():
    with node() as server:
        epoch = filled(server, 3)
        ws = server.ws()
        with server.sse("c") as sse:
            assert sse.status == 200 and sse.headers["content-type"].startswith("text/event-stream"), sse.headers
            first = sse.event()
            assert (first["event"], first["id"]) == ("subscribed", f"{epoch}:3"), first
            data = first["data"]
            assert (data["type"], data["channel"], data["epoch"], data["seq"]) == ("subscribed", "c", epoch, 3), data
            assert "recovered" not in data and data.get("id") is None
            for n in (4, 5):
                ws.publish("c", n)
                event = sse.event()
                assert event["id"] == f"{epoch}:{n}" and event.get("event", "message") == "message", event
                assert event["data"] == {"type": "message", "channel": "c", "epoch": epoch, "seq": n, "data": n}


@test
def resume_rule_of_streams_and_polls():
    with node("--retention-messages", "10") as server:
        epoch = filled(server, 20)
        for since, seqs in ((18, [19, 20]), (10, list(range(11, 21))), (9, None), (0, None), (99, None)):
            with server.sse("c", last=f"{epoch}:{since}") as sse:
                first = sse.event()
                assert (first["data"]["recovered"], first["data"]["seq"]) == (seqs is not None, 20), (since, first)
                assert [sse.event()["data"]["seq"] for _ in seqs or []] == (seqs or [])
            poll = server.http(f"/poll/c?since={epoch}:{since}&wait=0").json
            assert (poll["recovered"], poll["epoch"], poll["seq"]) == (seqs is not None, epoch, 20), (since, poll)
            assert [m["seq"] for m in poll["messages"]] == (seqs or [])
        with server.sse("c", last="gone:18") as sse:
            first = sse.event()
            assert (first["data"]["recovered"], first["id"]) == (False, f"{epoch}:20"), first
        assert server.http("/poll/c?since=gone:18&wait=0").json["recovered"] is False
        server.metric('ws_resumes_total{outcome="recovered"}', 4)
        server.metric('ws_resumes_total{outcome="lost"}', 8)


@test
def malformed_positions():
    with node() as server:
        epoch = filled(server, 2)
        for bad in ("x", "1", f"{epoch}:", f"{epoch}:x", f"{epoch}:-1", f"{epoch}:1.5", f"{epoch}:1:2", ":1",
                    f"{epoch}:99999999999999999999999"):
            assert server.http("/sse/c", headers={"Last-Event-ID": bad}).status == 400, bad
            assert server.http(f"/poll/c?since={bad}&wait=0").status == 400, bad


@test
def a_long_poll():
    with node() as server:
        epoch = filled(server, 3)
        ws = server.ws()
        got = server.http(f"/poll/c?since={epoch}:1&wait=25")
        assert got.status == 200 and got.headers["content-type"].startswith("application/json"), got
        message = {"type": "message", "channel": "c", "epoch": epoch}
        assert got.json == {"epoch": epoch, "seq": 3, "recovered": True,
                            "messages": [{**message, "seq": n, "data": n} for n in (2, 3)]}, got
        later = Later(lambda: server.http(f"/poll/c?since={epoch}:3&wait=60"))
        ws.publish("c", 4)
        assert later.get().json == {"epoch": epoch, "seq": 4, "recovered": True,
                                    "messages": [{**message, "seq": 4, "data": 4}]}
        assert server.http(f"/poll/c?since={epoch}:3&wait=61").json["seq"] == 4  # 60 then


@test
def a_poll_without_since_is_from_now_on():
    with node() as server:
        epoch = filled(server, 3)
        ws = server.ws()
        got = server.http("/poll/c?wait=0").json
        assert (got["epoch"], got["seq"], got["messages"]) == (epoch, 3, []), got
        later, sent = Later(lambda: server.http("/poll/c")), 3
        while later.thread.is_alive():
            ws.publish("c", 0)
            sent += 1
            time.sleep(0.01)
        got = later.get().json
        assert len(got["messages"]) >= 1 and got["messages"][0]["seq"] > 3 and got["seq"] <= sent, got


@test
def a_poll_waits_and_ends():
    with node() as server:
        since = time.monotonic()
        got = server.http("/poll/c?wait=1").json
        assert got["messages"] == [] and time.monotonic() - since > 0.9, got


@test
def polls_one_after_another_lose_nothing():
    with node("--retention-messages", "5000") as server:
        ws = server.ws()
        got = server.http("/poll/c?wait=0").json
        since, seen = (got["epoch"], got["seq"]), []
        later = Later(lambda: [ws.publish("c", i) for i in range(1, 301)])
        while len(seen) < 300:
            got = server.http(f"/poll/c?since={since[0]}:{since[1]}&wait=25").json
            assert got["recovered"] is True, got
            seen += [m["data"] for m in got["messages"]]
            since = (got["epoch"], got["messages"][-1]["seq"] if got["messages"] else since[1])
        later.get()
        assert seen == list(range(1, 301))


@test
def health_readiness_and_metrics():
    with node() as server:
        assert server.http("/healthz").status == 200
        assert server.http("/readyz").status == 200
        answer = server.http("/metrics")
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain"), answer.headers
        for path in ("/healthz", "/readyz", "/metrics"):
            assert server.http(path + "?x=1").status == 200, path
        assert server.http("/nope").status == 404
        assert server.http("/healthz/x").status == 404
        assert server.http("/sse").status == 404


@test
def head_is_get_without_the_body():
    with node() as server:
        for path in ("/healthz", "/readyz", "/metrics"):
            with server.raw() as raw:
                raw.send(f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                status, headers = raw.head()
                assert (status, raw.rest()) == (200, b""), path
                assert headers.get("content-type") == server.http(path).headers.get("content-type"), path


@test
def wrong_methods():
    with node() as server:
        for path, methods in (("/publish/c", ("GET", "PUT", "DELETE")), ("/sse/c", ("POST", "PUT")), ("/ws", ("POST", "PUT")),
                              ("/poll/c", ("POST", "DELETE")), ("/healthz", ("POST",)), ("/metrics", ("POST", "DELETE"))):
            for method in methods:
                assert server.http(path, method).status == 405, (method, path)
        assert server.http("/nope", "POST").status == 404


@test
def the_websocket_path_without_an_upgrade():
    with node() as server:
        for path in ("/ws", "/echo"):
            answer = server.http(path)
            assert (answer.status, answer.headers.get("sec-websocket-version")) == (426, "13"), answer
        assert server.http("/healthz", headers={"Upgrade": "websocket"}).status in (200, 400, 404)


@test
def streams_are_kept_awake():
    with node() as server, server.sse("c") as sse:
        sse.event()
        since = time.monotonic()
        while not sse.line().startswith(":"):
            pass
        assert time.monotonic() - since > 5, "a comment comes every 15 s, not at once"


@test
def a_stream_that_goes_away_is_forgotten():
    with node() as server:
        ws = server.ws()
        ws.publish("c", 1)
        before = server.metrics()["process_open_fds"]
        for _ in range(30):
            with server.sse("c") as sse:
                sse.event()
        ws.publish("c", 2)
        wire.until(lambda: ws.publish("c", 3) and server.metrics()["process_open_fds"] <= before + 1)


@test
def many_streams_see_one_order():
    with node() as server:
        streams = [server.sse("c") for _ in range(10)]
        for sse in streams:
            assert sse.event()["event"] == "subscribed"
        ws = server.ws()
        for i in range(100):
            ws.publish("c", i)
        for sse in streams:
            assert [sse.event()["data"]["data"] for _ in range(100)] == list(range(100))


if __name__ == "__main__":
    rig.main(jobs=8)

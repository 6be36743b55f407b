#!/usr/bin/python3 -B
"""The end of connections and of the server: drain, and what the log and the metrics say of how each one ended.

usage: test_drain.py wsquall-server [WORD...]
"""
import re
import selectors
import signal
import struct
import threading
import time

import rig
import ws as wire
from rig import DEADLINE_S, NO_LIMITS, Server, test


def drained(*options, **more):
    return Server(*NO_LIMITS, *options, drain=(), **more)


@test
def readyz_goes_first_and_everything_is_served_meanwhile():
    with drained("--drain-notice", "2s", "--drain-spread", "0") as server:
        ws = server.ws()
        ws.subscribe("c")
        assert server.http("/readyz").status == 200
        signalled = time.monotonic()
        server.signal(signal.SIGTERM)
        line = server.log("server.drain")
        assert line["conn"] is None
        assert server.http("/readyz").status == 503
        assert server.http("/healthz").status == 200
        late = server.ws()  # upgrades are still accepted during the notice
        late.publish("c", 1)
        ws.expect("message", data=1)
        assert server.http("/publish/c", "POST", {"data": 2}).status == 200
        ws.expect("message", data=2)
        assert time.monotonic() - signalled < 2, "too slow a machine to see the notice"
        assert ws.ended()[0] == 1001
        assert time.monotonic() - signalled > 1.9, "the Close came before the end of the notice"
        assert late.ended()[0] == 1001
        server.wait(0)


@test
def late_upgrades_are_refused_and_publishes_served():
    with drained("--drain-notice", "0", "--drain-spread", "3s", "--drain-timeout", "20s") as server:
        clients = [server.ws() for _ in range(10)]
        server.signal(signal.SIGTERM)
        selector = selectors.DefaultSelector()
        for ws in clients:
            selector.register(ws.socket, selectors.EVENT_READ, ws)
        first = selector.select(DEADLINE_S)[0][0].data
        assert first.ended()[0] == 1001
        refused = server.refused()
        assert refused.status == 503 and int(refused.headers["retry-after"]) >= 1, refused.headers
        assert server.http("/readyz").status == 503
        last = clients[-1] if first is not clients[-1] else clients[0]
        answers = []
        try:
            while True:
                answers.append(last.publish("c", 1)["seq"])
        except wire.Closed as closed:
            assert closed.code == 1001, closed
        assert answers, "no publish was served while the Closes went out"
        for ws in clients:
            ws.drop()
        server.wait(0)


@test
def closes_are_spread():
    spread = 2.0
    with drained("--drain-notice", "0", "--drain-spread", f"{spread}s") as server:
        clients = [server.ws() for _ in range(40)]
        selector = selectors.DefaultSelector()
        for ws in clients:
            selector.register(ws.socket, selectors.EVENT_READ, ws)
        server.signal(signal.SIGTERM)
        times = []
        while len(times) < len(clients):
            for key, _ in selector.select(DEADLINE_S):
                times.append(time.monotonic())
                selector.unregister(key.fileobj)
                assert key.data.ended()[0] == 1001
        took = times[-1] - times[0]
        assert took > spread / 2, f"{len(clients)} Closes within {took:.2f} s, not spread over {spread} s"
        early = sum(t < times[0] + took / 2 for t in times)
        assert 5 <= early <= 35, f"{early} of 40 in the first half"
        server.wait(0)


@test
def a_restart_is_told():
    with drained("--drain-notice", "0", "--drain-spread", "0") as server:
        clients = [server.ws(path) for path in ("/ws", "/echo", "/ws")]
        server.signal(signal.SIGUSR2)
        assert [ws.ended()[0] for ws in clients] == [1012] * 3
        server.wait(0)
        assert [line["code"] for line in server.logged("ws.disconnect")] == [1012] * 3


@test
def with_nobody_there_it_ends_after_the_notice():
    with drained("--drain-notice", "1s", "--drain-spread", "20s") as server:
        since = time.monotonic()
        server.signal(signal.SIGTERM)
        server.wait(0)
        assert 0.9 < time.monotonic() - since < 15


@test
def those_who_never_answer_do_not_hold_it_up():
    with drained("--drain-notice", "200ms", "--drain-spread", "0", "--drain-timeout", "1500ms", "--close-timeout",
                 "60s") as server:
        stuck = server.ws()
        since = time.monotonic()
        server.signal(signal.SIGTERM)
        server.wait(0)
        assert 1.3 < time.monotonic() - since < 15, "the timeout runs from the signal"
        assert stuck.ended(answer=False)[0] == 1001
        end = server.log("ws.disconnect", conn=stuck.conn)
        assert (end["code"], end["clean"], end["initiator"]) == (1001, False, "server"), end


@test
def a_second_signal_ends_at_once():
    for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGUSR2, signal.SIGTERM),
                          (signal.SIGTERM, signal.SIGINT)):
        with drained("--drain-notice", "60s") as server:
            ws = server.ws()
            server.signal(first)
            server.log("server.drain")
            ws.nothing()
            since = time.monotonic()
            server.signal(second)
            assert server.process.wait(DEADLINE_S) is not None and time.monotonic() - since < 15
            assert server.process.returncode >= 0, "it died of the signal"
            server.killed = True


@test
def streams_end_and_polls_are_answered():
    with drained("--drain-notice", "500ms", "--drain-spread", "200ms") as server:
        sse, ended = server.sse("c"), []
        sse.event()

        def read():
            try:
                while True:
                    sse.event()
            except (EOFError, OSError):
                ended.append("stream")

        def poll():
            got = server.http("/poll/c?wait=60", timeout_s=70)
            ended.append((got.status, got.json["messages"]))

        threads = [threading.Thread(target=read, daemon=True), threading.Thread(target=poll, daemon=True)]
        for thread in threads:
            thread.start()
        server.http("/healthz")
        time.sleep(0.3)  # for the poll to wait; were it late, it would be refused and the test would say so
        since = time.monotonic()
        server.signal(signal.SIGTERM)
        server.wait(0)
        for thread in threads:
            thread.join(DEADLINE_S)
        assert "stream" in ended and (200, []) in ended, ended
        assert time.monotonic() - since < 20


@test
def sessions_of_drained_connections_and_reasons_are_logged():
    with drained("--drain-notice", "0", "--drain-spread", "0") as server:
        ws = server.ws()
        server.signal(signal.SIGINT)  # as SIGTERM
        code, reason = ws.ended()
        assert code == 1001
        end = server.log("ws.disconnect", conn=ws.conn)
        assert end["reason"] == reason and end["clean"] is True, (end, reason)
        server.wait(0)


# how each connection ended

def ways(server):
    """(name, how to end it, what the log says)"""

    def close(code, reason=""):
        return lambda ws: ws.close(code, reason)

    def network(reset):
        return lambda ws: ws.drop(reset=reset)

    def half(ws):
        ws.send(wire.frame(1, b"{}")[:3])
        ws.drop()

    def by_server(ws):
        ws.send_frame(2, b"x")
        ws.sent -= 1  # refused
        assert ws.ended()[0] == 1003

    def unanswered(ws):
        ws.send_frame(2, b"x")
        ws.sent -= 1
        assert ws.ended(answer=False)[0] == 1003

    def then_gone(ws):
        ws.send_frame(2, b"x")
        ws.sent -= 1
        assert ws.ended(answer=False)[0] == 1003
        ws.drop()

    def taken_over(ws):
        server.ws(f"/ws?session={ws.welcome['session']}")
        assert ws.ended()[0] == 4000

    def broken(ws):
        ws.send(wire.frame(3, b"x"))
        assert ws.ended()[0] == 1002

    return [
        ("1000", close(1000, "done"), (1000, "done", True, "client")),
        ("1001", close(1001), (1001, "", True, "client")),
        ("no status", close(0), (1005, "", True, "client")),
        ("4999", close(4999, "grüße"), (4999, "grüße", True, "client")),
        ("FIN", network(False), (1006, "", False, "network")),
        ("RST", network(True), (1006, "", False, "network")),
        ("half a frame", half, (1006, "", False, "network")),
        ("closed by the server", by_server, (1003, None, True, "server")),
        ("unanswered", unanswered, (1003, None, False, "server")),
        ("gone instead of an answer", then_gone, (1003, None, False, "server")),
        ("taken over", taken_over, (4000, None, True, "server")),
        ("protocol error", broken, (1002, None, None, "server")),
    ]


@test
def every_end_is_logged_as_the_client_saw_it():
    with Server(*NO_LIMITS, "--close-timeout", "500ms", "--origins", "https://app.example") as server:
        for name, end_it, (code, reason, clean, initiator) in ways(server):
            ws = server.ws("/ws?window=9", headers={"Origin": "https://app.example"})
            opened = time.monotonic()
            ws.subscribe("c")
            ws.publish("c", name)
            ws.barrier()
            sent, received = ws.received, ws.sent  # as the server counts
            end_it(ws)
            took = (time.monotonic() - opened) * 1000
            line = server.log("ws.disconnect", conn=ws.conn)
            assert (line["code"], line["initiator"]) == (code, initiator), (name, line)
            assert clean is None or line["clean"] is clean, (name, line)
            assert reason is None or line["reason"] == reason, (name, line)
            assert isinstance(line["reason"], str)
            assert line["sent"] == sent, (name, line, sent)
            assert line["received"] in (received, received + (name in ("closed by the server", "unanswered",
                                                                       "gone instead of an answer"))), (name, line)
            assert 0 <= line["duration_ms"] <= took + 5000, (name, line, took)
            connect = server.log("ws.connect", conn=ws.conn)
            wanted = {"ip": "127.0.0.1", "path": "/ws", "origin": "https://app.example", "subprotocol": "wsquall.v1",
                      "session": ws.welcome["session"], "node": "a"}
            assert {k: connect.get(k) for k in wanted} == wanted, connect
        for line in server.lines:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)", line["ts"]), line
            assert {"event", "conn", "node"} <= set(line), line
        assert server.log("server.ready")["conn"] is None
        assert len({line["conn"] for line in server.logged("ws.connect")}) == len(server.logged("ws.connect"))


@test
def crossing_closes():
    with Server(*NO_LIMITS) as server:
        ws = server.ws()
        ws.send(wire.frame(2, b"x") + wire.frame(8, struct.pack(">H", 1000) + b"mine"))
        code, _ = ws.ended(answer=False)
        assert code in (1000, 1003), code
        line = server.log("ws.disconnect", conn=ws.conn)
        assert line["clean"] is True and line["code"] in (1000, 1003), line


@test
def refusals_are_logged():
    with Server(*NO_LIMITS) as server:
        for path, headers, status in (("/nope", {}, 404), ("/ws?window=x", {}, 400)):
            refused = server.refused(path, headers=headers)
            line = server.log("ws.refused", conn=refused.headers["x-wsquall-conn"])
            assert line["status"] == status == refused.status and line["why"], line
        server.http("/nope")
        assert server.http("/healthz").status == 200
        assert len(server.logged("ws.refused")) == 2, "a plain HTTP answer is no refusal"


@test
def metrics_agree_with_what_was_done():
    with Server(*NO_LIMITS) as server:
        text = server.http("/metrics").body.decode()
        names = ["ws_connections_active", "ws_connections_total", "ws_refused_total", "ws_messages_total",
                 "ws_message_duration_seconds", "ws_closes_total", "ws_slow_consumers_total", "ws_resumes_total",
                 "ws_send_queue_bytes", "ws_backplane_up", "process_resident_memory_bytes", "process_open_fds"]
        for name in names:
            assert re.search(f"^# TYPE {name} (counter|gauge|histogram)$", text, re.M), f"{name} is not there"
        assert re.search("^# TYPE ws_message_duration_seconds histogram$", text, re.M)
        ws, other, echo = server.ws(), server.ws(), server.ws("/echo")
        other.subscribe("c")
        for i in range(10):
            ws.publish("c", i)
        other.messages(10)
        ws.say("not json")
        ws.expect("error")
        ws.ask(type="nope")
        ws.ask(type="history", channel="c", **{"from": 1, "to": 5})
        ws.subscribe("c")
        ws.ask(type="unsubscribe", channel="c")
        ws.ask(type="auth", token="x")
        ws.say({"type": "ack", "channel": "c", "seq": 1})
        ws.nothing()
        for i in range(3):
            echo.send_frame(2, b"x")
            echo.send(wire.frame(9, b"control"))
            assert echo.message() == (2, b"x")
        echo.send_frame(1, b"x")
        assert echo.message() == (1, b"x")
        server.refused("/nope")
        server.metric("ws_connections_active", 3)
        got = server.metrics()
        wanted = {"in": {"subscribe": 2, "publish": 10, "history": 1, "unsubscribe": 1, "auth": 1, "ack": 1, "ping": 1,
                         "text": 1, "binary": 3},
                  "out": {"welcome": 2, "subscribed": 2, "published": 10, "message": 10, "history": 1, "unsubscribed": 1,
                          "error": 3, "pong": 1, "text": 1, "binary": 3}}
        for direction, types in wanted.items():
            for kind, count in types.items():
                name = f'ws_messages_total{{direction="{direction}",type="{kind}"}}'
                assert got.get(name) == count, (name, got.get(name), count)
        assert 1 <= got['ws_messages_total{direction="in",type="invalid"}'] <= 2  # an unknown type may count there
        assert got["ws_connections_total"] == 3 and got['ws_refused_total{status="404"}'] == 1
        assert got["ws_backplane_up"] == 1 and got["ws_send_queue_bytes"] == 0
        assert abs(got["process_resident_memory_bytes"] - server.rss()) < 32 << 20
        assert 5 < got["process_open_fds"] < 100
        count = got["ws_message_duration_seconds_count"]
        assert count >= 17 and got['ws_message_duration_seconds_bucket{le="+Inf"}'] == count, count
        buckets = [value for name, value in got.items() if name.startswith("ws_message_duration_seconds_bucket")]
        assert buckets == sorted(buckets) and len(buckets) > 5
        assert 0 < got["ws_message_duration_seconds_sum"] < 100
        ws.close(1000)
        other.drop()
        echo.close(0)
        server.metric("ws_connections_active", 0)
        got = server.metrics()
        for code in (1000, 1005, 1006):
            assert got[f'ws_closes_total{{code="{code}"}}'] == 1, (code, got)


if __name__ == "__main__":
    rig.main(jobs=8)

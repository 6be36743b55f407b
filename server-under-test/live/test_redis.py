#!/usr/bin/python3 -B
"""Several nodes on one Redis: one order, one session, any node after another, workers of one node.

usage: test_redis.py wsquall-server [WORD...]
"""
import signal
import threading

import rig
import ws as wire
from nodes import REDIS_OPTIONS, nodes, ready, redis_node
from rig import DRAIN_NOW, NO_LIMITS, Redis, Server, test


@test
def what_is_published_on_one_node_is_delivered_on_the_other():
    with nodes() as (_, a, b):
        on_a, on_b = a.ws(), b.ws()
        assert (on_a.welcome["node"], on_b.welcome["node"]) == ("a", "b")
        assert on_a.subscribe("c")["epoch"] == on_b.subscribe("c")["epoch"]
        first = on_a.publish("c", {"x": 1})
        wanted = {"type": "message", "channel": "c", "epoch": first["epoch"], "seq": 1, "data": {"x": 1}}
        on_a.expect_exact(**wanted)
        on_b.expect_exact(**wanted)
        assert on_b.publish("c", 2)["seq"] == 2
        on_a.expect("message", seq=2)
        on_b.expect("message", seq=2)
        assert b.http("/publish/c", "POST", {"data": 3}).json["seq"] == 3
        on_a.expect("message", seq=3)
        assert a.http(f"/poll/c?since={first['epoch']}:1&wait=5").json["seq"] == 3
        with b.sse("c", last=f"{first['epoch']}:1") as sse:
            assert [sse.event()["data"]["seq"] for _ in range(3)] == [3, 2, 3]
        got = b.ws().ask(type="history", channel="c", **{"from": 1, "to": 3})
        assert [m["data"] for m in got["messages"]] == [{"x": 1}, 2, 3]


@test
def keys_hold_on_every_node():
    with nodes() as (_, a, b):
        on_a, on_b = a.ws(), b.ws()
        on_b.subscribe("c")
        assert {on_a.publish("c", 1, key="K")["seq"], on_b.publish("c", 2, key="K")["seq"],
                a.http("/publish/c", "POST", {"data": 3, "key": "K"}).json["seq"]} == {1}
        assert on_a.publish("c", 4)["seq"] == 2
        assert [on_b.expect("message")["data"] for _ in range(2)] == [1, 4]


@test
def one_order_on_all_nodes():
    each = 150
    with nodes() as (_, a, b):
        subs = [server.ws("/ws?window=0") for server in (a, b, a, b)]
        for ws in subs:
            ws.subscribe("c")
        pubs = [server.ws() for server in (a, b, a, b)]

        def publish(number):
            for i in range(each):
                pubs[number].say({"type": "publish", "id": i, "channel": "c", "data": [number, i]})
            for i in range(each):
                pubs[number].expect("published", id=i)

        threads = [threading.Thread(target=publish, args=(n,)) for n in range(len(pubs))]
        for thread in threads:
            thread.start()
        seen = [[(m["seq"], *m["data"]) for m in ws.messages(4 * each)] for ws in subs]
        for thread in threads:
            thread.join()
        assert [seq for seq, *_ in seen[0]] == list(range(1, 4 * each + 1))
        assert all(other == seen[0] for other in seen)
        for number in range(4):
            assert [i for _, n, i in seen[0] if n == number] == list(range(each))


@test
def since_on_another_node():
    with nodes(2, "--retention-messages", "10") as (_, a, b):
        on_a = a.ws()
        epoch = [on_a.publish("c", i)["epoch"] for i in range(1, 21)][0]
        for since, seqs in ((18, [19, 20]), (10, list(range(11, 21))), (20, []), (9, None), (0, None), (21, None)):
            ws = b.ws()
            got = ws.subscribe("c", since={"epoch": epoch, "seq": since})
            assert (got["recovered"], got["seq"]) == (seqs is not None, 20), (since, got)
            assert [m["seq"] for m in ws.barrier()] == (seqs or [])
        got = b.ws().ask(type="history", channel="c", **{"from": 1, "to": 20})
        assert ([m["seq"] for m in got["messages"]], got["complete"]) == (list(range(11, 21)), False)


@test
def a_session_goes_on_on_another_node():
    with nodes() as (_, a, b):
        ws, pub = a.ws(), b.ws()
        ws.subscribe("c")
        for i in range(1, 6):
            pub.publish("c", i)
        ws.messages(5)
        ws.say({"type": "ack", "channel": "c", "seq": 3})
        ws.subscribe("d")  # answered when Redis has the session, and with it the ack
        ws.drop()
        a.log("ws.disconnect", conn=ws.conn)
        again = wire.until(lambda: resumed(b, ws.welcome["session"]))
        came = again.barrier()
        assert {m["channel"]: m["recovered"] for m in came if m["type"] == "subscribed"} == {"c": True, "d": True}, came
        seqs = [m["seq"] for m in came if m["type"] == "message"]
        assert seqs == [4, 5], f"3 was acked, and {seqs} came"
        pub.publish("c", 6)
        again.expect("message", seq=6)


def resumed(server, session):
    ws = server.ws(f"/ws?session={session}")
    if ws.welcome["resumed"]:
        return ws
    ws.drop()
    return None


@test
def a_takeover_from_another_node():
    with nodes() as (_, a, b):
        old = a.ws()
        old.subscribe("c")
        for round_ in range(6):  # to and fro
            server = (b, a)[round_ % 2]
            new = server.ws(f"/ws?session={old.welcome['session']}")
            assert (new.welcome["resumed"], new.welcome["session"]) == (True, old.welcome["session"])
            assert old.ended()[0] == 4000
            new.expect("subscribed", channel="c", id=None, recovered=True)
            new.nothing()
            old = new


@test
def a_takeover_keeps_the_acks():
    with nodes() as (_, a, b):
        ws, pub = a.ws(), b.ws()
        ws.subscribe("c")
        for i in range(1, 6):
            pub.publish("c", i)
        ws.messages(5)
        for seq in (3, 4):
            ws.say({"type": "ack", "channel": "c", "seq": seq})
            ws.nothing()  # the ack has been read
        ws.subscribe("d")  # answered when Redis has the session, and with it the acks
        new = b.ws(f"/ws?session={ws.welcome['session']}")
        assert new.welcome["resumed"] is True
        came = new.barrier()
        assert {m["channel"]: m["recovered"] for m in came if m["type"] == "subscribed"} == {"c": True, "d": True}, came
        seqs = [m["seq"] for m in came if m["type"] == "message"]
        assert seqs == [5], f"4 was acked, and {seqs} came"


@test
def a_session_of_a_killed_node():
    with nodes() as (redis, a, b):
        ws, pub = a.ws(), b.ws()
        epoch = ws.subscribe("c")["epoch"]
        for i in range(1, 4):
            pub.publish("c", i)
        ws.messages(3)
        ws.say({"type": "ack", "channel": "c", "seq": 2})
        ws.nothing()
        a.kill()
        assert ws.ended()[0] == 1006
        again = b.ws(f"/ws?session={ws.welcome['session']}")
        assert again.welcome["resumed"] is True
        again.expect("subscribed", channel="c", id=None, recovered=True)
        # The kill may lose an ack; it must not invent one.
        seqs = [m["seq"] for m in again.barrier()]
        assert seqs in ([1, 2, 3], [2, 3], [3]), seqs
        assert again.subscribe("c", since={"epoch": epoch, "seq": 2})["recovered"] is True
        again.expect("message", seq=3)
        pub.publish("c", 4)
        again.expect("message", seq=4)
        with redis_node(redis, "a") as new:
            third = new.ws()
            assert third.subscribe("c", since={"epoch": epoch, "seq": 1})["recovered"] is True
            assert [m["seq"] for m in third.messages(3)] == [2, 3, 4]


@test
def what_was_answered_subscribed_outlives_the_node():
    with nodes() as (_, a, b):
        ws, names = a.ws(), [f"c{i}" for i in range(8)]
        for name in names:
            ws.subscribe(name)
        ws.ask(type="unsubscribe", channel="c3")
        a.kill()
        again = b.ws(f"/ws?session={ws.welcome['session']}")
        assert again.welcome["resumed"] is True
        restored = {m["channel"] for m in again.barrier() if m["type"] == "subscribed"}
        assert restored == set(names) - {"c3"}, f"restored are {sorted(restored)}"


@test
def a_password_is_used_and_never_logged():
    with Redis("--requirepass", "s3cret-of-redis") as redis:
        path = redis.folder + "/password"
        with open(path, "w") as file:
            file.write("s3cret-of-redis\n")
        with redis_node(redis, "a", "--redis-password-file", path) as server:
            assert server.ws().publish("c", 1)["seq"] == 1
            assert "s3cret" not in str(server.lines) + server.http("/metrics").body.decode() + server.said()
        with open(path, "w") as file:
            file.write("wrong")
        server = Server(*NO_LIMITS, *REDIS_OPTIONS, "--redis-address", redis.address, "--redis-password-file", path)
        with server:
            assert server.http("/readyz").status == 503
            assert "wrong" not in str(server.lines)


@test
def prefixes_keep_apart():
    with Redis() as redis, redis_node(redis, "a", "--redis-prefix", "one:") as a, redis_node(redis, "b", "--redis-prefix", "two:") as b:
        on_a, on_b = a.ws(), b.ws()
        on_b.subscribe("c")
        on_a.publish("c", 1)
        assert on_b.publish("c", 2)["seq"] == 1
        on_b.expect("message", data=2)
        on_b.nothing()


def accepted(server):
    try:
        wire.open_ws(server.port).drop()
        return True
    except wire.Refused:
        return False


@test
def a_ready_server_is_ready_in_every_worker():
    with Redis() as redis:
        for _ in range(5):
            with redis_node(redis, "a", "--workers", "4") as server:
                assert all(accepted(server) for _ in range(20)), "readyz said 200, and a worker refuses"


@test
def workers_share_one_port():
    with Redis() as redis, redis_node(redis, "a", "--workers", "3") as server:
        wire.until(lambda: all(accepted(server) for _ in range(20)))
        server.metric("ws_connections_active", 0)
        before = server.metrics()["ws_connections_total"]
        clients = [server.ws() for _ in range(30)]
        for ws in clients:
            ws.subscribe("c")
        clients[0].publish("c", "all")
        for ws in clients:
            ws.expect("message", data="all")
        old, conns = clients[0], [ws.conn for ws in clients]
        for _ in range(10):
            new = server.ws(f"/ws?session={old.welcome['session']}")
            assert new.welcome["resumed"] is True
            assert old.ended()[0] == 4000
            new.expect("subscribed", channel="c", id=None, recovered=True)
            conns.append(new.conn)
            old = new
        server.metric("ws_connections_active", 30)
        server.metric("ws_connections_total", before + 40)
        assert len(set(conns)) == 40, "correlation ids of workers are the same"
        for conn in conns:
            server.log("ws.connect", conn=conn)


@test
def a_drain_of_one_node_while_the_other_serves():
    with nodes(1) as (redis, b):
        with Server(*NO_LIMITS, *REDIS_OPTIONS, "--redis-address", redis.address, "--node", "a", drain=DRAIN_NOW) as a:
            ready(a)
            ws = a.ws()
            ws.subscribe("c")
            on_b = b.ws()
            on_b.publish("c", 1)
            ws.expect("message", seq=1)
            a.signal(signal.SIGTERM)
            assert ws.ended()[0] == 1001
            a.wait(0)
        on_b.publish("c", 2)
        again = b.ws(f"/ws?session={ws.welcome['session']}")
        assert again.welcome["resumed"] is True
        again.expect("subscribed", channel="c", recovered=True)
        assert [m["seq"] for m in again.messages(2)] == [1, 2]


if __name__ == "__main__":
    rig.main()

#!/usr/bin/python3 -B
"""Redis gone, slow, cut off or emptied in the middle: what is said meanwhile, and that nothing is lost or comes twice.

usage: test_backplane.py wsquall-server [WORD...]
"""
import itertools
import signal
import threading
import time

import rig
import ws as wire
from nodes import REDIS_OPTIONS, nodes, ready, redis_node
from rig import DEADLINE_S, NO_LIMITS, Forwarder, Redis, Server, test


def publish_until_stored(ws, channel, data, key):
    """Repeats a publish that is answered `unavailable`, as PROTOCOL says; gives its seq."""
    end = time.monotonic() + DEADLINE_S
    while True:
        got = ws.ask(type="publish", channel=channel, data=data, key=key)
        if got["type"] == "published":
            return got["seq"]
        assert got["code"] == "unavailable", got
        assert time.monotonic() < end, "still unavailable"
        time.sleep(0.02)


@test
def redis_killed_and_started_again():
    with nodes() as (redis, a, b):
        subs = [a.ws("/ws?window=0"), b.ws("/ws?window=0")]
        epoch = {ws.subscribe("c")["epoch"] for ws in subs}
        assert len(epoch) == 1
        pubs, stored, stop = [a.ws(), b.ws()], {}, threading.Event()
        failures = []

        def publish(number):
            try:
                for i in itertools.count():
                    if stop.is_set():
                        return
                    key = f"{number}-{i}"
                    stored[key] = publish_until_stored(pubs[number], "c", key, key)
            except BaseException as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=publish, args=(n,), daemon=True) for n in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            size = len(stored)
            wire.until(lambda size=size: len(stored) > size + 100 or failures)
            redis.kill()
            for server in (a, b):
                ready(server, 503)
                server.metric("ws_backplane_up", 0)
                refused = server.refused()
                assert refused.status == 503 and int(refused.headers["retry-after"]) >= 1
                assert server.ws("/echo")
                assert server.http("/publish/c", "POST", {"data": 0}).status == 503
                assert server.http("/healthz").status == 200
            assert all(ws.socket.fileno() >= 0 for ws in subs)
            redis.start()
            for server in (a, b):
                ready(server)
                server.metric("ws_backplane_up", 1)
        size = len(stored)
        wire.until(lambda: len(stored) > size + 100 or failures)
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert not failures, failures[0]
        last = pubs[0].publish("c", "end")["seq"]
        seen = []
        for ws in subs:
            seen.append([])
            while not seen[-1] or seen[-1][-1][1] != "end":
                got = ws.expect("message", epoch=list(epoch)[0])
                seen[-1].append((got["seq"], got["data"]))
        assert seen[0] == seen[1], "two orders"
        assert [seq for seq, _ in seen[0]] == list(range(1, last + 1)), "a gap, or something twice"
        by_key = {key: seq for seq, key in seen[0]}
        assert len(by_key) == len(seen[0]), "a repeated publish was stored twice"
        assert not [key for key, seq in stored.items() if by_key.get(key) != seq], "published, and not delivered as such"
        for server in (a, b):
            assert len(server.logged("backplane.down")) == 2 and len(server.logged("backplane.up")) >= 2
            assert {line["conn"] for line in server.logged("backplane.down")} == {None}
            assert not [x for x in server.logged("ws.disconnect") if x["conn"] in {ws.conn for ws in subs + pubs}]


@test
def while_redis_is_away():
    with nodes(1) as (redis, a):
        ws = a.ws()
        epoch = ws.subscribe("c")["epoch"]
        ws.publish("c", 1)
        ws.expect("message", seq=1)
        redis.kill()
        a.log("backplane.down")
        ready(a, 503)
        error = ws.ask(type="publish", channel="c", data=2, key="K")
        assert (error["type"], error["code"]) == ("error", "unavailable"), error
        error = ws.ask(type="subscribe", channel="new", since={"epoch": epoch, "seq": 1})
        assert (error["type"], error["code"]) == ("error", "unavailable"), error
        got = ws.ask(type="history", channel="d", **{"from": 1, "to": 2})
        assert (got["type"], got.get("code")) == ("error", "unavailable"), got
        ws.ask(type="ping")
        ws.say({"type": "ack", "channel": "c", "seq": 1})
        ws.nothing()
        redis.start()
        a.log("backplane.up", count=len(a.logged("backplane.up")) or 1)
        ready(a)
        assert publish_until_stored(ws, "c", 2, "K") == 2
        ws.expect("message", seq=2, epoch=epoch, data=2)
        assert ws.ask(type="unsubscribe", channel="new")["code"] == "not_found", "a refused subscribe was made"


@test
def a_redis_that_hangs_is_away_after_the_timeout():
    with nodes(1) as (redis, a):
        ws = a.ws()
        ws.subscribe("c")
        redis.signal(signal.SIGSTOP)
        try:
            error = ws.ask(type="publish", channel="c", data=1, key="K")
            assert (error["type"], error["code"]) == ("error", "unavailable"), error
            ready(a, 503)
        finally:
            redis.signal(signal.SIGCONT)
        ready(a)
        assert publish_until_stored(ws, "c", 1, "K") == 1
        ws.expect("message", seq=1, data=1)
        ws.nothing()


@test
def a_node_that_was_cut_off_catches_up():
    with Redis() as redis, Forwarder(redis.path) as cable, redis_node(redis, "a") as a, redis_node(cable, "b") as b:
        on_a, on_b, fresh = a.ws(), b.ws("/ws?window=0"), b.ws("/ws?window=10")
        for ws in (on_b, fresh):
            ws.subscribe("c")
        on_b.subscribe("quiet")
        on_a.publish("c", 0)
        on_b.expect("message", seq=1)
        fresh.expect("message", seq=1)
        for round_ in range(3):
            cable.cut()
            ready(b, 503)
            for i in range(50):
                on_a.publish("c", i)
            assert on_b.ask(type="publish", channel="c", data="x")["code"] == "unavailable"
            cable.mend()
            ready(b)
            assert [m["seq"] for m in on_b.messages(50)] == list(range(round_ * 50 + 2, round_ * 50 + 52))
        on_a.publish("quiet", 1)
        on_b.expect("message", channel="quiet", seq=1)
        assert [m["seq"] for m in fresh.barrier()] == list(range(2, 11))
        on_b.nothing()


@test
def a_lost_database_is_a_new_epoch():
    with nodes() as (redis, a, b):
        subs = [a.ws(), b.ws()]
        old = [ws.subscribe("c")["epoch"] for ws in subs][0]
        subs[0].publish("c", 1)
        for ws in subs:
            ws.expect("message", seq=1)
        assert redis.say("FLUSHALL").startswith(b"+OK")
        published = subs[0].ask(type="publish", channel="c", data=2)
        assert published["type"] == "published" and published["epoch"] != old, published
        after = subs[0].publish("c", 3)
        for ws in subs:
            got = ws.next()
            assert got["type"] == "subscribed" and got["id"] is None and got["recovered"] is False, got
            assert got["epoch"] == published["epoch"], got
            seqs = []
            while not seqs or seqs[-1] != after["seq"]:
                seqs.append(ws.expect("message", epoch=published["epoch"])["seq"])
            assert seqs == list(range(got["seq"] + 1, after["seq"] + 1)), (got, seqs)
        late = b.ws().subscribe("c", since={"epoch": old, "seq": 1})
        assert late["recovered"] is False and late["epoch"] == published["epoch"]


@test
def redis_without_persistence_restarted_is_a_new_epoch():
    with Redis(append=False) as redis, redis_node(redis, "a") as a:
        ws = a.ws()
        old = ws.subscribe("c")["epoch"]
        ws.publish("c", 1)
        ws.expect("message", seq=1)
        redis.kill()
        ready(a, 503)
        redis.start()
        ready(a)
        assert publish_until_stored(ws, "c", "new", "K") >= 1
        seen = ws.barrier()
        news = [m for m in seen if m["type"] == "subscribed"]
        assert news and news[0]["id"] is None and news[0]["recovered"] is False and news[0]["epoch"] != old, seen
        assert not [m for m in seen if m["type"] == "message" and m["epoch"] == old], seen


@test
def a_server_that_starts_before_redis():
    redis = Redis()
    with redis:
        redis.kill()
        with Server(*NO_LIMITS, *REDIS_OPTIONS, "--redis-address", redis.address) as server:
            assert server.http("/readyz").status == 503
            assert server.http("/healthz").status == 200
            assert server.refused().status == 503
            redis.start()
            ready(server)
            assert server.ws().publish("c", 1)["seq"] == 1


if __name__ == "__main__":
    rig.main()

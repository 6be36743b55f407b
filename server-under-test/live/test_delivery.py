#!/usr/bin/python3 -B
"""What comes after a subscribe: order, replay, windows and acks, keys, history and what is kept.

usage: test_delivery.py wsquall-server [WORD...]
"""
import threading

import rig
import ws as wire
from rig import node, test
from ws import a_publish, refuse


@test
def unsubscribe():
    with node() as server:
        ws, other = server.ws(), server.ws()
        refuse(ws, {"type": "unsubscribe", "id": 1, "channel": "c"}, "not_found", 1)
        ws.subscribe("c")
        other.publish("c", 1)
        ws.expect("message", seq=1)
        ws.say({"type": "unsubscribe", "id": 2, "channel": "c"})
        ws.expect_exact(type="unsubscribed", id=2, channel="c")
        other.publish("c", 2)
        ws.nothing()
        refuse(ws, {"type": "unsubscribe", "id": 3, "channel": "c"}, "not_found", 3)
        assert ws.subscribe("c")["seq"] == 2
        other.publish("c", 3)
        ws.expect("message", seq=3)


@test
def keys_make_a_publish_idempotent():
    with node() as server:
        ws, other = server.ws(), server.ws()
        ws.subscribe("c")
        first = other.publish("c", "one", key="K")
        again = other.publish("c", "other data", key="K")
        third = ws.publish("c", "one", key="K")
        assert {(p["seq"], p["epoch"]) for p in (first, again, third)} == {(1, first["epoch"])}
        assert other.publish("c", "two", key="k")["seq"] == 2  # another key
        assert other.publish("d", "one", key="K")["seq"] == 1  # the scope is the channel
        assert other.publish("c", "three", key="ü" * 128)["seq"] == 3  # 256 bytes
        assert other.publish("c", "x", key="ü" * 128)["seq"] == 3
        refuse(other, a_publish("c", 1, key="ü" * 128 + "x", id=1), "bad_request", 1)
        assert other.publish("c", "four", key="\u0000")["seq"] == 4
        assert other.publish("c", "five", key="\u0000\u0000")["seq"] == 5
        assert [ws.expect("message")["data"] for _ in range(5)] == ["one", "two", "three", "four", "five"]
        ws.nothing()


@test
def keys_are_kept_as_long_as_the_message():
    with node("--retention-messages", "10") as server:
        ws = server.ws()
        ws.publish("c", 0, key="K")
        for i in range(9):
            ws.publish("c", i)
        assert ws.publish("c", 0, key="K")["seq"] == 1  # the tenth newest
        ws.publish("c", 9)
        assert ws.publish("c", 0, key="K")["seq"] == 12


@test
def since_in_all_cases():
    with node("--retention-messages", "10") as server:
        pub = server.ws()
        epoch = [pub.publish("c", i)["epoch"] for i in range(1, 21)][0]  # kept: 11 to 20
        for seq, replayed in ((20, []), (19, [20]), (10, list(range(11, 21))), (9, None), (0, None), (21, None),
                              (2 ** 53, None)):
            ws = server.ws()
            got = ws.subscribe("c", since={"epoch": epoch, "seq": seq})
            assert (got["seq"], got["recovered"], got["epoch"]) == (20, replayed is not None, epoch), (seq, got)
            assert [m["seq"] for m in ws.barrier()] == (replayed or []), seq
            pub.publish("live", 0)
        ws = server.ws()
        got = ws.subscribe("c", since={"epoch": "not-" + epoch[:20], "seq": 15})
        assert (got["seq"], got["recovered"], got["epoch"]) == (20, False, epoch), got
        ws.nothing()
        assert pub.publish("c", 21)["seq"] == 21
        ws.expect_exact(type="message", channel="c", epoch=epoch, seq=21, data=21)
        for text in ("", "e" * 5000, "a:b", "\u0000", epoch + "\u0000", epoch.upper() + "x"):
            assert ws.subscribe("c", since={"epoch": text, "seq": 21})["recovered"] is False, text
        fresh = server.ws()
        assert fresh.subscribe("new", since={"epoch": epoch, "seq": 0})["recovered"] is False  # another channel's epoch


@test
def replay_comes_before_live_and_after_subscribed():
    with node("--retention-messages", "5000") as server:
        pub, ws = server.ws(), server.ws("/ws?window=0")
        epoch = [pub.publish("c", i)["epoch"] for i in range(1, 51)][0]
        stop = threading.Event()

        def go_on():
            i = 50
            while not stop.is_set() and i < 2000:
                i += 1
                pub.publish("c", i)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            for _ in range(20):
                ws.say({"type": "subscribe", "id": "again", "channel": "c", "since": {"epoch": epoch, "seq": 0}})
                got = ws.next()
                while got["type"] == "message":  # live ones of the last round
                    got = ws.next()
                assert (got["type"], got["recovered"]) == ("subscribed", True)
                assert [m["seq"] for m in ws.messages(got["seq"] + 1)] == list(range(1, got["seq"] + 2))
        finally:
            stop.set()
            thread.join()


@test
def subscribing_again_keeps_the_position_or_restarts():
    with node() as server:
        pub, ws = server.ws(), server.ws("/ws?window=2")
        epoch = [pub.publish("c", i)["epoch"] for i in range(1, 6)][0]
        assert ws.subscribe("c", since={"epoch": epoch, "seq": 0})["recovered"]
        assert [m["seq"] for m in ws.messages(2)] == [1, 2]
        again = ws.subscribe("c")
        assert "recovered" not in again and again["seq"] == 5, again
        ws.nothing()
        ws.say({"type": "ack", "channel": "c", "seq": 2})
        assert [m["seq"] for m in ws.messages(2)] == [3, 4]
        assert ws.subscribe("c", since={"epoch": epoch, "seq": 1})["recovered"]
        assert [m["seq"] for m in ws.barrier()] == [2, 3]
        assert ws.subscribe("c", since={"epoch": "gone", "seq": 1})["recovered"] is False
        ws.nothing()
        pub.publish("c", 6)
        ws.expect("message", seq=6)


@test
def window_and_acks():
    with node() as server:
        pub, ws, free = server.ws(), server.ws("/ws?window=4"), server.ws("/ws?window=0")
        ws.subscribe("c")
        ws.subscribe("d")
        free.subscribe("c")
        for i in range(1, 301):
            pub.publish("c", i)
        assert [m["seq"] for m in ws.barrier()] == [1, 2, 3, 4]
        assert [m["seq"] for m in free.messages(300)] == list(range(1, 301))
        pub.publish("d", 1)
        assert [(m["channel"], m["seq"]) for m in ws.barrier()] == [("d", 1)]  # the window is of the channel
        for seq, more in ((2, [5, 6]), (1, []), (2, []), (0, []), (6, [7, 8, 9, 10]), (8, [11, 12])):
            ws.say({"type": "ack", "channel": "c", "seq": seq})
            assert [m["seq"] for m in ws.barrier()] == more, seq
        ws.say({"type": "ack", "channel": "nowhere", "seq": 5})
        ws.nothing()


@test
def default_window():
    with node() as server:
        pub, ws = server.ws(), server.ws()
        ws.subscribe("c")
        for i in range(300):
            pub.publish("c", i)
        assert [m["seq"] for m in ws.barrier()] == list(range(1, 257))
        ws.say({"type": "ack", "channel": "c", "seq": 256})
        assert [m["seq"] for m in ws.barrier()] == list(range(257, 301))


@test
def history():
    with node("--retention-messages", "5000") as server:
        ws = server.ws()
        empty = ws.ask(type="history", channel="h", **{"from": 1, "to": 10})
        assert (empty["type"], empty["messages"], empty["complete"]) == ("history", [], True), empty
        epoch = [ws.publish("h", i)["epoch"] for i in range(1, 1501)][0]
        got = ws.ask(type="history", id=4, channel="h", **{"from": 10, "to": 12})
        assert got == {"type": "history", "id": 4, "channel": "h", "epoch": epoch, "complete": True,
                       "messages": [{"seq": n, "data": n} for n in (10, 11, 12)]}, wire.short(got)
        for first, last, seqs, complete in ((1, 1, [1], True), (1500, 1500, [1500], True),
                                            (1499, 9999, [1499, 1500], True), (1501, 1502, [], True),
                                            (1, 1000, range(1, 1001), True), (1, 1001, range(1, 1001), False),
                                            (100, 2 ** 53, range(100, 1100), False)):
            got = ws.ask(type="history", channel="h", **{"from": first, "to": last})
            assert [m["seq"] for m in got["messages"]] == list(seqs), (first, last)
            assert got["complete"] is complete, (first, last)


@test
def history_of_what_was_evicted():
    with node("--retention-messages", "10") as server:
        ws = server.ws()
        for i in range(1, 21):
            ws.publish("h", i)
        for first, last, seqs, complete in ((1, 20, range(11, 21), False), (11, 20, range(11, 21), True),
                                            (5, 12, [11, 12], False), (1, 5, [], False)):
            got = ws.ask(type="history", channel="h", **{"from": first, "to": last})
            assert ([m["seq"] for m in got["messages"]], got["complete"]) == (list(seqs), complete), (first, last)


@test
def history_is_cut_by_octets():
    with node() as server:
        ws = server.ws()
        for size in (600 * 1024, *[100 * 1024] * 8):
            ws.publish("h", "x" * size)
        got = ws.ask(type="history", channel="h", **{"from": 1, "to": 9})
        assert ([m["seq"] for m in got["messages"]], got["complete"]) == ([1], False), "one over the cap comes alone"
        assert len(got["messages"][0]["data"]) == 600 * 1024
        got = ws.ask(type="history", channel="h", **{"from": 2, "to": 9})
        seqs = [m["seq"] for m in got["messages"]]
        assert seqs in ([2, 3, 4, 5], [2, 3, 4, 5, 6]) and got["complete"] is False, seqs
        got = ws.ask(type="history", channel="h", **{"from": 1, "to": 1})
        assert ([m["seq"] for m in got["messages"]], got["complete"]) == ([1], True)


@test
def retention_by_time():
    with node("--retention-time", "1s") as server:
        ws = server.ws()
        epoch = ws.publish("c", 1, key="K")["epoch"]
        wire.until(lambda: ws.ask(type="history", channel="c", **{"from": 1, "to": 1})["messages"] == [])
        got = server.ws().subscribe("c", since={"epoch": epoch, "seq": 0})
        assert (got["recovered"], got["seq"], got["epoch"]) == (False, 1, epoch), got
        assert server.ws().subscribe("c", since={"epoch": epoch, "seq": 1})["recovered"] is True
        assert ws.publish("c", 1, key="K")["seq"] == 2, "the key outlived its message"


@test
def one_order_for_all_subscribers():
    publishers, each = 4, 100
    with node() as server:
        subs = [server.ws("/ws?window=0") for _ in range(5)]
        pubs = [server.ws("/ws?window=0") for _ in range(publishers)]  # a full window would hold their own back
        for ws in subs + pubs:
            ws.subscribe("c")

        def publish(number):
            for i in range(each):  # not waiting for answers
                pubs[number].say(a_publish("c", [number, i], id=i))

        threads = [threading.Thread(target=publish, args=(n,)) for n in range(publishers)]
        for thread in threads:
            thread.start()
        seen = [[(m["seq"], tuple(m["data"])) for m in ws.messages(publishers * each, "c")] for ws in subs]
        for thread in threads:
            thread.join()
        assert [seq for seq, _ in seen[0]] == list(range(1, publishers * each + 1))
        assert all(other == seen[0] for other in seen)
        for number in range(publishers):  # the publishes of one connection keep their order
            assert [i for _, (n, i) in seen[0] if n == number] == list(range(each))
        by_seq = dict(seen[0])
        for number, ws in enumerate(pubs):
            got, own = set(), 0
            while own < each:
                message = ws.next()
                if message["type"] == "message":
                    got.add(message["seq"])
                else:
                    assert message["type"] == "published" and message["id"] == own, wire.short(message)
                    assert by_seq[message["seq"]] == (number, own)
                    assert message["seq"] in got, "published came before the publisher's own message"
                    own += 1


@test
def answers_keep_the_order_of_the_questions():
    with node() as server:
        ws = server.ws()
        for i in range(50):
            ws.say(a_publish("c", i, id=i))
        assert [ws.expect("published")["id"] for _ in range(50)] == list(range(50))


if __name__ == "__main__":
    rig.main()

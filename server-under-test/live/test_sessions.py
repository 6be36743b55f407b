#!/usr/bin/python3 -B
"""Sessions: what a connection with a known session finds again, who may have it, and for how long.

usage: test_sessions.py wsquall-server [WORD...]
"""
import tempfile
import time

import rig
import ws as wire
from rig import NO_LIMITS, Keys, Server, bearer, test

OPTIONS = NO_LIMITS


def resume(server, session, query="", **options):
    return server.ws(f"/ws?session={session}{query}", **options)


def restored(ws, *channels):
    """The answers for these channels, in any order: {channel: (seq, recovered)}; messages between them are kept."""
    found, kept = {}, []
    while len(found) < len(channels):
        got = ws.next()
        if got["type"] == "message":
            assert got["channel"] in found, "a message before the channel was restored"
            kept.append(got)
            continue
        assert got["type"] == "subscribed" and got["id"] is None, wire.short(got)
        assert set(got) == {"type", "id", "channel", "epoch", "seq", "recovered"}, wire.short(got)
        found[got["channel"]] = (got["seq"], got["recovered"])
    assert set(found) == set(channels), found
    ws.pending = kept + ws.pending
    return found


@test
def resume_by_query_replays_from_the_acks():
    with Server(*OPTIONS) as server:
        pub, ws = server.ws(), server.ws()
        ws.subscribe("a")
        ws.subscribe("b")
        for i in range(1, 6):
            pub.publish("a", i)
        ws.messages(5, "a")
        ws.say({"type": "ack", "channel": "a", "seq": 3})
        ws.nothing()  # the ack has been read
        ws.drop()
        pub.publish("a", 6)
        pub.publish("b", 1)
        again = resume(server, ws.welcome["session"])
        assert again.welcome == {**ws.welcome, "resumed": True}, again.welcome
        assert restored(again, "a", "b") == {"a": (6, True), "b": (1, True)}
        got = again.messages(4)
        assert [m["seq"] for m in got if m["channel"] == "a"] == [4, 5, 6]
        assert [m["data"] for m in got if m["channel"] == "b"] == [1]
        pub.publish("b", 2)
        again.expect("message", channel="b", seq=2)
        again.nothing()


@test
def a_cursor_without_an_ack_is_where_the_subscription_began():
    with Server(*OPTIONS) as server:
        pub, plain, since = server.ws(), server.ws(), server.ws()
        epoch = [pub.publish("c", i)["epoch"] for i in range(1, 6)][0]
        plain.subscribe("c")
        since.subscribe("c", since={"epoch": epoch, "seq": 2})
        since.messages(3)
        pub.publish("c", 6)
        plain.expect("message", seq=6)
        since.expect("message", seq=6)
        plain.drop()
        since.drop()
        again = resume(server, plain.welcome["session"])
        assert restored(again, "c") == {"c": (6, True)}
        assert [m["seq"] for m in again.barrier()] == [6]
        again = resume(server, since.welcome["session"])
        assert restored(again, "c") == {"c": (6, True)}
        assert [m["seq"] for m in again.barrier()] == [3, 4, 5, 6]


@test
def resume_by_cookie_and_query_before_cookie():
    with Server(*OPTIONS) as server:
        one, two = server.ws(), server.ws()
        one.subscribe("one")
        two.subscribe("two")
        one.drop()
        two.drop()
        first, second = one.welcome["session"], two.welcome["session"]
        cookie = {"Cookie": f"a=b; wsquall_session={first}; c=d"}
        again = server.ws(headers=cookie)
        assert (again.welcome["session"], again.welcome["resumed"]) == (first, True)
        restored(again, "one")
        again.drop()
        again = resume(server, second, headers=cookie)
        assert (again.welcome["session"], again.welcome["resumed"]) == (second, True)
        restored(again, "two")
        again = server.ws("/ws?session=unknown0", headers=cookie)  # the query decides alone
        assert again.welcome["resumed"] is False


@test
def unknown_ids_give_new_sessions():
    with Server(*OPTIONS) as server:
        for wanted in ("0123456789abcdef0123456789abcdef", "x", "x" * 64, "x" * 3000, "..%2F", "%00", "a%20b", ""):
            ws = resume(server, wanted)
            assert ws.welcome["resumed"] is False and ws.welcome["session"] not in ("", wanted), ws.welcome
            ws.nothing()


@test
def a_takeover_closes_the_old_connection_with_4000():
    with Server(*OPTIONS) as server:
        pub, old = server.ws(), server.ws()
        old.subscribe("c")
        pub.publish("c", 1)
        old.expect("message", seq=1)
        new = resume(server, old.welcome["session"])
        assert new.welcome["resumed"] is True
        assert old.ended()[0] == 4000
        assert restored(new, "c") == {"c": (1, True)}
        new.expect("message", seq=1)
        pub.publish("c", 2)
        new.expect("message", seq=2)
        end = server.log("ws.disconnect", conn=old.conn)
        assert (end["code"], end["initiator"], end["clean"]) == (4000, "server", True), end
        new.say({"type": "ack", "channel": "c", "seq": 2})
        new.nothing()
        third = resume(server, old.welcome["session"])  # the end of the old one has not ended the session
        assert new.ended()[0] == 4000
        assert restored(third, "c") == {"c": (2, True)}
        third.nothing()


@test
def a_takeover_of_a_connection_that_never_answers():
    with Server(*OPTIONS, "--close-timeout", "500ms") as server:
        old = server.ws()
        old.subscribe("c")
        new = resume(server, old.welcome["session"])
        assert new.welcome["resumed"] is True
        restored(new, "c")
        assert old.ended(answer=False)[0] == 4000
        end = server.log("ws.disconnect", conn=old.conn)
        assert (end["code"], end["initiator"], end["clean"]) == (4000, "server", False), end
        new.nothing()


@test
def many_takeovers_leave_one_connection():
    with Server(*OPTIONS) as server:
        first = server.ws()
        first.subscribe("c")
        session, conns = first.welcome["session"], [first]
        for _ in range(20):
            conns.append(resume(server, session))
        assert [ws.ended()[0] for ws in conns[:-1]] == [4000] * 20
        server.metric("ws_connections_active", 1)
        assert restored(conns[-1], "c") == {"c": (0, True)}
        conns[-1].nothing()


@test
def a_session_outlives_a_close_with_1000():
    with Server(*OPTIONS) as server:
        ws = server.ws()
        ws.subscribe("c")
        assert ws.close(1000)[0] == 1000
        again = resume(server, ws.welcome["session"])
        assert again.welcome["resumed"] is True
        restored(again, "c")


@test
def unsubscribed_channels_do_not_come_back():
    with Server(*OPTIONS) as server:
        ws = server.ws()
        ws.subscribe("a")
        ws.subscribe("b")
        ws.ask(type="unsubscribe", channel="a")
        ws.drop()
        again = resume(server, ws.welcome["session"])
        restored(again, "b")
        again.nothing()
        assert again.ask(type="unsubscribe", channel="a")["code"] == "not_found"


@test
def a_session_without_subscriptions_is_known_too():
    with Server(*OPTIONS) as server:
        ws = server.ws()
        ws.close()
        again = resume(server, ws.welcome["session"])
        assert again.welcome["resumed"] is True
        again.nothing()


@test
def ttl_runs_from_the_end_of_the_connection():
    with Server(*OPTIONS, "--session-ttl", "1s") as server:
        ws, living = server.ws(), server.ws()
        ws.subscribe("c")
        living.subscribe("c")
        session = ws.welcome["session"]
        ws.close()
        server.log("ws.disconnect", conn=ws.conn)
        time.sleep(2.5)  # a time limit needs time
        again = resume(server, session)
        assert again.welcome["resumed"] is False and again.welcome["session"] != session
        again.nothing()
        living.drop()  # it lived for longer than the ttl
        server.log("ws.disconnect", conn=living.conn)
        assert resume(server, living.welcome["session"]).welcome["resumed"] is True


@test
def what_was_evicted_meanwhile_is_told():
    with Server(*OPTIONS, "--retention-messages", "10") as server:
        pub, ws = server.ws(), server.ws()
        ws.subscribe("c")
        pub.publish("c", 1)
        ws.expect("message", seq=1)
        ws.say({"type": "ack", "channel": "c", "seq": 1})
        ws.nothing()
        ws.drop()
        server.log("ws.disconnect", conn=ws.conn)
        for i in range(2, 12):
            pub.publish("c", i)
        again = resume(server, ws.welcome["session"])  # 2 to 11 are kept
        assert restored(again, "c") == {"c": (11, True)}
        assert [m["seq"] for m in again.barrier()] == list(range(2, 12))
        again.drop()
        server.log("ws.disconnect", conn=again.conn)
        pub.publish("c", 12)
        third = resume(server, ws.welcome["session"])
        assert restored(third, "c") == {"c": (12, False)}
        third.nothing()
        pub.publish("c", 13)
        third.expect("message", seq=13)


@test
def a_resumed_window_begins_at_the_cursor():
    with Server(*OPTIONS) as server:
        pub, ws = server.ws(), server.ws("/ws?window=3")
        ws.subscribe("c")
        for i in range(1, 11):
            pub.publish("c", i)
        ws.messages(3)
        ws.say({"type": "ack", "channel": "c", "seq": 2})
        assert [m["seq"] for m in ws.barrier()] == [4, 5]
        ws.drop()
        again = resume(server, ws.welcome["session"], "&window=2")
        assert again.welcome["window"] == 2
        restored(again, "c")
        assert [m["seq"] for m in again.barrier()] == [3, 4]
        again.say({"type": "ack", "channel": "c", "seq": 4})
        assert [m["seq"] for m in again.barrier()] == [5, 6]


@test
def a_since_after_the_resume_decides():
    with Server(*OPTIONS) as server:
        pub, ws = server.ws(), server.ws()
        epoch = ws.subscribe("c")["epoch"]
        for i in range(1, 6):
            pub.publish("c", i)
        ws.messages(5)
        ws.drop()
        again = resume(server, ws.welcome["session"])
        restored(again, "c")
        again.messages(5)
        assert again.subscribe("c", since={"epoch": epoch, "seq": 4})["recovered"] is True
        assert [m["seq"] for m in again.barrier()] == [5]


@test
def two_tabs_with_new_sessions_do_not_disturb_each_other():
    with Server(*OPTIONS) as server:
        one, two = server.ws(), server.ws()
        assert one.welcome["session"] != two.welcome["session"]
        one.nothing()
        two.nothing()


@test
def bound_to_the_subject():
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(folder)
        with Server(*OPTIONS, *keys.options) as server:
            alice = server.ws(headers=bearer(keys.token("alice")))
            alice.subscribe("c")
            session = alice.welcome["session"]
            mallory = resume(server, session, headers=bearer(keys.token("mallory")))
            assert mallory.welcome["resumed"] is False and mallory.welcome["session"] != session
            mallory.nothing()
            alice.nothing()  # not taken over
            alice.drop()
            server.log("ws.disconnect", conn=alice.conn)
            mallory = resume(server, session, headers=bearer(keys.token("mallory")))
            assert mallory.welcome["resumed"] is False
            again = resume(server, session, headers=bearer(keys.token("alice", lasts_s=900)))
            assert again.welcome["resumed"] is True
            restored(again, "c")


@test
def resumes_are_counted_by_outcome():
    recovered, lost = 'ws_resumes_total{outcome="recovered"}', 'ws_resumes_total{outcome="lost"}'
    with Server(*OPTIONS, "--retention-messages", "5") as server:
        ws = server.ws()
        epoch = ws.publish("c", 1)["epoch"]
        for i in range(8):
            ws.publish("c", i)
        before = server.metrics()
        assert before.get(recovered, 0) == before.get(lost, 0) == 0, before
        ws.subscribe("c", since={"epoch": epoch, "seq": 8})
        ws.subscribe("c", since={"epoch": epoch, "seq": 1})
        ws.subscribe("c", since={"epoch": "x", "seq": 1})
        server.metric(recovered, 1)
        server.metric(lost, 2)


if __name__ == "__main__":
    rig.main()

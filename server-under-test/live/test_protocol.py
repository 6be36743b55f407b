#!/usr/bin/python3 -B
"""Every message of wsquall.v1 in both directions, and every error code that needs no other part: one node, no limits.

usage: test_protocol.py wsquall-server [WORD...]
"""
import json
import time
import zlib

import rig
import ws as wire
from rig import node, test
from ws import a_publish, refuse


@test
def welcome_is_first_and_says_what_holds():
    with node("--node", "n7", "--heartbeat-interval", "7s", "--message-max", "64KiB", "--window", "32") as server:
        ws = server.ws()
        assert ws.subprotocol == "wsquall.v1"
        assert isinstance(ws.welcome["session"], str) and ws.welcome["session"]
        rest = {k: v for k, v in ws.welcome.items() if k != "session"}
        assert rest == {"type": "welcome", "resumed": False, "node": "n7", "heartbeat_ms": 7000, "max_message": 65536,
                        "window": 32}, rest
    with node() as server:
        rest = server.ws().welcome
        assert (rest["heartbeat_ms"], rest["max_message"], rest["window"], rest["node"]) == (25000, 1048576, 256, "a")
        assert rest["session"] != server.ws().welcome["session"]


@test
def window_of_the_query():
    with node("--window", "100") as server:
        for query, window in (("7", 7), ("100", 100), ("101", 100), ("99999", 100), ("0", 0)):
            assert server.ws(f"/ws?window={query}").welcome["window"] == window, query
        for query in ("abc", "1x", "-1", "1.5"):
            assert server.refused(f"/ws?window={query}").status == 400, query


@test
def subprotocols():
    with node() as server:
        for offer, chosen in ((None, None), ("wsquall.v1", "wsquall.v1"), ("x, wsquall.v1", "wsquall.v1"), ("x", None),
                              ("wsquall.v2", None)):
            ws = server.ws(subprotocol=offer)
            assert ws.subprotocol == chosen, (offer, ws.subprotocol)
            ws.nothing()


@test
def echo_returns_text_and_binary():
    with node() as server:
        ws = server.ws("/echo", subprotocol=None)
        for opcode, payload in ((1, b""), (1, "zwölf".encode()), (2, bytes(range(256)) * 400), (1, b'{"type":"ping"}')):
            ws.send_frame(opcode, payload)
            assert ws.message() == (opcode, payload)


@test
def binary_is_unsupported_data():
    with node() as server:
        ws = server.ws()
        ws.send_frame(wire.BINARY, b'{"type":"ping","id":1}')
        assert ws.ended()[0] == 1003


@test
def bad_utf8_and_protocol_errors():
    with node() as server:
        for octets, code in ((wire.frame(1, b"\xff"), 1007), (wire.frame(1, b'{"type":"\xed\xa0\x80"}'), 1007),
                             (wire.frame(3, b""), 1002), (wire.frame(1, b"{}", rsv1=True), 1002),
                             (wire.frame(0, b"{}"), 1002)):
            ws = server.ws()
            ws.send(octets)
            assert ws.ended()[0] == code, octets


@test
def a_message_in_fragments_with_a_ping_between():
    with node() as server:
        ws = server.ws()
        ws.send_frame(1, b'{"type":"pi', fin=False)
        ws.send(wire.frame(9, b"mid"))
        assert ws.frame()[:2] == (10, b"mid")
        ws.send(wire.frame(0, b'ng","id":"frag"}'))
        ws.expect("pong", id="frag")
        ws = server.ws()
        ws.send(wire.frame(1, b'{"type":"ping",', fin=False) + wire.frame(0, b'"id":', fin=False) + wire.frame(0, b"5}"))
        ws.expect("pong", id=5)


@test
def messages_behind_the_upgrade_in_one_write():
    with node() as server:
        ws = server.ws(behind=wire.frame(1, b'{"type":"ping","id":1}') + wire.frame(1, b'{"type":"ping","id":2}'))
        ws.expect("pong", id=1)
        ws.expect("pong", id=2)


@test
def ping_and_pong():
    with node() as server:
        ws = server.ws()
        before = time.time() * 1000
        got = ws.ask(type="ping", id=6)
        assert set(got) == {"type", "id", "ts"} and got["type"] == "pong"
        assert isinstance(got["ts"], int) and before - 5000 < got["ts"] < time.time() * 1000 + 5000, got


@test
def ids_come_back_as_they_were():
    with node() as server:
        ws = server.ws()
        for text in ('1', '0', '-5', '1.5', '1e3', '"x"', '""', '"' + "i" * 64 + '"', '"' + "ü" * 32 + '"', '"a\\n\\"\\u0041"',
                     "9007199254740993", "18446744073709551616", "1" * 64):
            ws.say('{"type":"ping","id":%s}' % text)
            got = ws.next()
            assert (got["type"], got["id"]) == ("pong", json.loads(text)), f"id {text} gave {wire.short(got)}"
            assert isinstance(got["id"], str) == text.startswith('"')


@test
def bad_ids():
    with node() as server:
        ws = server.ws()
        for text in ('true', '[]', '{}', '[1]', '"' + "i" * 65 + '"', '"' + "ü" * 33 + '"', "1" * 65):
            refuse(ws, '{"type":"ping","id":%s}' % text, "bad_request")
            refuse(ws, '{"type":"publish","channel":"c","data":1,"id":%s}' % text, "bad_request")
        assert ws.subscribe("c")["seq"] == 0, "a publish with a bad id was stored"


@test
def subscribe_publish_message():
    with node() as server:
        ws, other = server.ws(), server.ws()
        first = ws.ask(type="subscribe", id=1, channel="c")
        assert set(first) == {"type", "id", "channel", "epoch", "seq"}, first
        assert (first["channel"], first["seq"]) == ("c", 0) and isinstance(first["epoch"], str)
        assert first["epoch"] and ":" not in first["epoch"]
        epoch = first["epoch"]
        other.subscribe("c")
        ws.say(a_publish("c", {"x": [1, None]}, id=3))
        ws.expect_exact(type="message", channel="c", epoch=epoch, seq=1, data={"x": [1, None]})
        ws.expect_exact(type="published", id=3, channel="c", epoch=epoch, seq=1)
        other.expect_exact(type="message", channel="c", epoch=epoch, seq=1, data={"x": [1, None]})
        third = server.ws()
        assert third.publish("c", 2)["seq"] == 2  # not subscribed: nothing comes but the answer
        third.nothing()
        late = server.ws().subscribe("c")
        assert (late["seq"], late["epoch"]) == (2, epoch)
        assert ws.subscribe("other")["seq"] == 0


@test
def data_is_anything():
    values = ['null', 'true', '0', '-0.5', '1e30', '9007199254740993', '123456789012345678901234567890', '""', '[]', '{}',
              '"\\u0000\\u001f\\"\\\\/"', '"grüße \\ud83d\\ude00"', '[[[1],{"a":{"b":null}}]]', '{"type":"subscribe","id":9}',
              '"' + "x" * 70000 + '"', '{"":{"":""}}', ' [ 1 , 2 ] ']
    with node() as server:
        ws = server.ws()
        ws.subscribe("c")
        for text in values:
            ws.say('{"type":"publish","id":1,"channel":"c","data":%s}' % text)
            got = ws.next()
            assert got["type"] == "message" and got["data"] == json.loads(text), f"data {text[:99]}: {wire.short(got)}"
            ws.expect("published", id=1)
        history = ws.ask(type="history", channel="c", **{"from": 1, "to": len(values)})
        assert [m["data"] for m in history["messages"]] == [json.loads(text) for text in values]


@test
def json_spelled_otherwise():
    with node() as server:
        ws = server.ws()
        ws.say(' \t\r\n{ "id" : 1 , "\\u0074ype" : "p\\u0069ng" , "more" : [ 1 ] } \n')
        ws.expect("pong", id=1)


@test
def channel_names():
    good = ["a", "A-Z_a.z/0", "x" * 128, "/", "..", "a//b", "-"]
    bad = ["", "x" * 129, "a b", "ü", "a*", "a:b", "a\u0000", "a%2Fb", "a\n", "{a}"]
    with node() as server:
        ws = server.ws()
        for name in good:
            assert ws.subscribe(name)["channel"] == name
            assert ws.publish(name, 1)["seq"] == 1
            ws.expect("message", channel=name)
            assert ws.ask(type="unsubscribe", channel=name)["type"] == "unsubscribed"
        for name in bad + [1, None, [], {}, True]:
            for message in ({"type": "subscribe"}, {"type": "unsubscribe"}, {"type": "publish", "data": 1},
                            {"type": "history", "from": 1, "to": 2}):
                refuse(ws, {**message, "channel": name, "id": 1}, "bad_request", 1)


@test
def malformed_json():
    with node() as server:
        ws = server.ws()
        for text in ("", "{", "}", '{"type":"ping","id":1', '{"type":"ping","id":1}}', "{} {}", "{'type':'ping'}", "nul",
                     '{"type":"ping","id":01}', '{"type":"ping",}', '{"id":1 "type":"ping"}', '{"type":"ping","id":NaN}',
                     '{"type":"pi\nng"}', '{"a":"\\x"}', "[]", "1", '"ping"', "null", "true", '[{"type":"ping"}]'):
            refuse(ws, text, "bad_request")
        ws.nothing()


@test
def unknown_types():
    with node() as server:
        ws = server.ws()
        for name in ("nope", "", "PING", "welcome", "message", "published", "ping "):
            refuse(ws, {"type": name, "id": "u"}, "unknown_type", "u")
        refuse(ws, {"type": "nope"}, "unknown_type")
        for kind in (1, None, True, [], {}):
            refuse(ws, {"type": kind, "id": 4}, "bad_request", 4)
        refuse(ws, {"id": 4}, "bad_request", 4)


@test
def wrong_types_of_every_field():
    wrong = {
        "subscribe": [{"since": v} for v in (1, "x", [], True, {}, {"epoch": "e"}, {"seq": 1}, {"epoch": 1, "seq": 1},
                                             {"epoch": "e", "seq": "1"}, {"epoch": "e", "seq": -1},
                                             {"epoch": "e", "seq": 1.5}, {"epoch": None, "seq": 1})],
        "publish": [{"data": 1, "key": v} for v in (1, True, [], {}, "", "k" * 257)] + [{}],
        "history": [{"from": a, "to": b} for a, b in ((0, 1), (-1, 5), (2, 1), ("1", 2), (1, "2"), (1.5, 2), (None, 1),
                                                      (1, None), ([], 1), (1, True))] + [{"from": 1}, {"to": 1}, {}],
        "auth": [{"token": v} for v in (1, None, True, [], {})] + [{}],
    }
    with node() as server:
        ws = server.ws()
        ws.subscribe("c")
        for kind, rows in wrong.items():
            for fields in rows:
                refuse(ws, {"type": kind, "channel": "c", "id": 8, **fields}, "bad_request", 8)
        for kind in ("subscribe", "unsubscribe", "publish", "history"):
            refuse(ws, {"type": kind, "id": 8, "data": 1, "from": 1, "to": 2}, "bad_request", 8)  # no channel
        for fields in ({}, {"seq": "1"}, {"seq": -1}, {"seq": 1.5}, {"seq": None}, {"seq": []}, {"channel": 1, "seq": 1},
                       {"channel": "a b", "seq": 1}, {"channel": None, "seq": 1}):
            refuse(ws, {"type": "ack", "channel": "c", **fields}, "bad_request")
        refuse(ws, {"type": "ack", "seq": 1}, "bad_request")
        ws.nothing()


@test
def null_key_and_null_since_are_absent():
    with node() as server:
        ws = server.ws()
        got = ws.ask(type="subscribe", channel="c", since=None)
        assert got["type"] == "subscribed" and "recovered" not in got, got
        assert [ws.publish("c", 1, key=None)["seq"] for _ in "ab"] == [1, 2]


@test
def an_error_without_an_id_and_an_answer_without_one():
    with node() as server:
        ws = server.ws()
        refuse(ws, {"type": "subscribe"}, "bad_request")
        ws.say({"type": "ping"})
        got = ws.next()
        assert got.get("id") is None and got["type"] in ("pong", "error"), got


@test
def too_large():
    with node("--channel-max-data", "100B") as server:
        ws = server.ws()
        assert ws.publish("c", "x" * 90)["seq"] == 1
        refuse(ws, a_publish("c", "x" * 120, id=1), "too_large", 1)
        assert ws.publish("c", 2)["seq"] == 2
        assert server.http("/publish/c", "POST", {"data": "x" * 120}).status == 413
        assert server.http("/publish/c", "POST", {"data": 3}).json["seq"] == 3


@test
def auth_without_a_key_is_unauthorized():
    with node() as server:
        refuse(server.ws(), {"type": "auth", "id": 5, "token": "a.b.c"}, "unauthorized", 5)


@test
def permessage_deflate():
    with node() as server:
        ws, plain = server.ws(deflate=True), server.ws()
        assert ws.deflate
        plain.subscribe("c")
        ws.subscribe("c")
        big = ["abc" * 10000, {"ü": list(range(500))}]
        before = ws.deflated
        for data in (big, 1, "", big):
            ws.say(a_publish("c", data, id=1))
            assert ws.expect("message")["data"] == data
            ws.expect("published", id=1)
            assert plain.expect("message")["data"] == data
        assert ws.deflated > before, "nothing came compressed"
        echo = server.ws("/echo", deflate=True)
        forgets = "client_no_context_takeover" in echo.headers["sec-websocket-extensions"]
        packer = zlib.compressobj(wbits=-15)
        for text in (b"hello hello hello", b"hello hello hello", b"x"):  # in fragments
            packed = (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
            echo.send(wire.frame(1, packed[:3], fin=False, rsv1=True) + wire.frame(0, packed[3:]))
            assert echo.message() == (1, text)
            packer = zlib.compressobj(wbits=-15) if forgets else packer
        echo.send(wire.frame(1, b"\0", rsv1=True))  # RFC 7692 7.2.3.6: an empty message
        assert echo.message() == (1, b"")
        echo.send(wire.frame(1, b"as it is"))
        assert echo.message() == (1, b"as it is")


if __name__ == "__main__":
    rig.main()

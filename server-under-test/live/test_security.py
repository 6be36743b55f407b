#!/usr/bin/python3 -B
"""Who may come in and what they may do: Origin, tokens, channels, proxies; and that no secret is ever written down.

usage: test_security.py wsquall-server [WORD...]
"""
import contextlib
import json
import tempfile
import time

import plain
import rig
import ws as wire
from rig import NO_LIMITS, Keys, Server, base64url, bearer, test


@contextlib.contextmanager
def guarded(algorithm="HS256", *options):
    """(server, keys); at the end nothing that was secret stands in the log, in the metrics or on standard error."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(folder, algorithm)
        shown = []

        def token(*args, **claims):
            shown.append(rig.Keys.token(keys, *args, **claims))
            return shown[-1]

        keys.token = token
        with Server(*NO_LIMITS, *keys.options, *options) as server:
            yield server, keys
            written = json.dumps(server.lines) + server.http("/metrics").body.decode() + server.said()
            for secret in shown:
                for part in secret.split("."):
                    assert len(part) < 20 or part not in written, "a part of a token was written down"
            if algorithm == "HS256":
                assert keys.secret.decode() not in written, "the key was written down"


def status(server, path="/ws", headers=(), **options):
    try:
        server.ws(path, headers=headers, **options)
        return 101
    except wire.Refused as refused:
        if refused.status == 401:
            assert "x-wsquall-conn" in refused.headers, refused.headers
        return refused.status


@test
def origins():
    with Server(*NO_LIMITS, "--origins", "https://app.example,https://two.example:8443") as server:
        for origin, wanted in ((None, 101), ("https://app.example", 101), ("https://two.example:8443", 101),
                               ("https://evil.example", 403), ("null", 403), ("http://app.example", 403),
                               ("https://app.example.evil.example", 403), ("https://app.example:444", 403),
                               ("https://sub.app.example", 403), ("https://xapp.example", 403), ("", 403),
                               ("https://app.example/", 403), ("https://two.example", 403)):
            headers = {} if origin is None else {"Origin": origin}
            # An empty Origin is none that is allowed; a server may also call it malformed.
            allowed = (wanted, 400) if origin == "" else (wanted,)
            assert status(server, headers=headers) in allowed, origin
            if origin:
                http = 200 if wanted == 101 else 403
                assert server.http("/poll/c?wait=0", headers=headers).status == http, origin
                assert server.http("/publish/c", "POST", {"data": 1}, headers=headers).status == http, origin
                with plain.Sse(server.port, "c", headers=headers) as sse:
                    assert sse.status == http, origin
                assert status(server, "/echo", headers=headers) == 101, origin
        line = server.log("ws.refused", status=403)
        assert line["why"] and line["conn"], line
    with Server(*NO_LIMITS) as server:
        assert status(server, headers={"Origin": "https://any.example"}) == 101


@test
def credentials_are_needed_on_everything_but():
    with guarded() as (server, keys):
        assert status(server) == 401
        assert server.http("/publish/c", "POST", {"data": 1}).status == 401
        assert server.http("/sse/c").status == 401
        assert server.http("/poll/c?wait=0").status == 401
        for path in ("/healthz", "/readyz", "/metrics"):
            assert server.http(path).status == 200, path
        assert status(server, "/echo") == 101
        good = bearer(keys.token())
        assert status(server, headers=good) == 101
        assert server.http("/publish/c", "POST", {"data": 1}, headers=good).json["seq"] == 1
        assert server.http("/poll/c?wait=0", headers=good).json["seq"] == 1
        with plain.Sse(server.port, "c", headers=good) as sse:
            assert sse.event()["data"]["seq"] == 1
        answer = server.http("/poll/c")
        assert answer.status == 401 and "www-authenticate" in answer.headers, "RFC 9110 15.5.2 wants WWW-Authenticate"


@test
def header_query_and_cookie():
    with guarded() as (server, keys):
        good, bad = keys.token("alice"), keys.token("mallory")[:-6] + "AAAAAA"
        cookie = {"Cookie": f"x=y; wsquall_token={good}"}
        assert status(server, headers=bearer(good)) == 101
        assert status(server, headers={"Authorization": "bearer " + good}) == 101, "the scheme has no case"
        assert status(server, f"/ws?window=5&token={good}") == 101
        assert status(server, "/ws?token=" + good.replace(".", "%2E")) == 101
        assert status(server, headers=cookie) == 101
        assert status(server, f"/ws?token={good}", headers=bearer(bad)) == 401, "the header decides"
        assert status(server, f"/ws?token={bad}", headers=bearer(good)) == 101
        assert status(server, f"/ws?token={bad}", headers=cookie) == 401, "the query decides over the cookie"
        assert status(server, headers={"Cookie": f"wsquall_token={bad}"}) == 401
        assert status(server, headers={"Cookie": f"xwsquall_token={good}"}) == 401
        assert status(server, headers={"Authorization": "Basic " + good}) == 401
        assert status(server, headers={"Authorization": "Bearer"}) == 401
        assert server.http(f"/publish/c?token={good}", "POST", {"data": 1}).status == 200
        assert server.http(f"/poll/c?wait=0&token={good}").status == 200
        for line in server.logged("ws.connect"):
            assert "?" not in line["path"] and line["user"] == "alice", line


@test
def bad_tokens():
    now = int(time.time())
    with guarded() as (server, keys):
        good = keys.token()
        head, claims, signature = good.split(".")
        none = base64url(b'{"alg":"none"}')
        other = base64url(json.dumps({"sub": "root", "exp": now + 600}).encode())
        tokens = {
            "another signature": keys.token()[:-4] + "AAAA", "no signature": f"{head}.{claims}.", "two parts": f"{head}.{claims}",
            "other claims": f"{head}.{other}.{signature}", "alg none": f"{none}.{claims}.", "alg none, signed": f"{none}.{claims}.{signature}",
            "alg HS512": keys.token(header={"alg": "HS512"}), "alg RS256": keys.token(header={"alg": "RS256"}),
            "no alg": keys.token(header={"typ": "JWT"}), "alg null": keys.token(header={"alg": None}),
            "no sub": keys.token(sub=None), "sub a number": keys.token(sub=5), "no exp": keys.token(exp=None),
            "exp a text": keys.token(exp=str(now + 600)), "expired": keys.token(exp=now - 60), "exp 0": keys.token(exp=0),
            "exp negative": keys.token(exp=-1), "exp null in effect": keys.token(exp={}),
            "not yet": keys.token(nbf=now + 60), "nbf a text": keys.token(nbf="x"),
            "garbage": "garbage", "dots": "...", "empty": "", "not base64": "a.b!.c", "a list": "W10.W10.W10",
            "four parts": good + ".x", "long": "x" * 7000, "a quote": good + '"',
        }
        for name, token in tokens.items():
            assert status(server, headers=bearer(token)) == 401, name
        assert status(server, headers=bearer(keys.token(exp=now - 2))) == 101, "within the leeway of 5 s"
        assert status(server, headers=bearer(keys.token(nbf=now + 2))) == 101, "within the leeway of 5 s"
        assert status(server, headers=bearer(keys.token(nbf=now - 60))) == 101
        assert status(server, headers=bearer(keys.token(exp=now + 600.5))) == 101, "a NumericDate may have a fraction"
        assert status(server, headers=bearer(keys.token(sub="ü" * 20))) == 101
        assert status(server, headers=bearer(good)) == 101


@test
def another_key_and_public_keys():
    with tempfile.TemporaryDirectory() as folder:
        stranger = Keys(folder)
        with guarded() as (server, keys):
            assert status(server, headers=bearer(stranger.token())) == 401
        for algorithm in ("RS256", "ES256"):
            stranger = Keys(folder, algorithm)
            with guarded(algorithm) as (server, keys):
                assert status(server, headers=bearer(keys.token())) == 101, algorithm
                assert status(server, headers=bearer(stranger.token())) == 401, algorithm
                assert status(server, headers=bearer(keys.token(exp=int(time.time()) - 60))) == 401, algorithm
                forged = Keys(folder)  # the public key as if it were the secret of HS256
                with open(keys.file, "rb") as file:
                    forged.secret = file.read()
                for secret in (forged.secret, forged.secret.strip()):
                    forged.secret = secret
                    assert status(server, headers=bearer(forged.token())) == 401, algorithm
                    assert status(server, headers=bearer(forged.token(header={"alg": algorithm}))) == 401, algorithm
                token = keys.token()
                assert status(server, headers=bearer(token[:-8] + "AAAAAAAA")) == 401, algorithm


@test
def expiry_on_the_open_connection_and_again():
    with guarded() as (server, keys):
        soon = int(time.time()) - 2  # and the leeway of 5 s
        dies, lives, tries = (server.ws(headers=bearer(keys.token(exp=soon))) for _ in range(3))
        later = int(time.time()) + 600
        got = lives.ask(type="auth", id=5, token=keys.token(exp=later))
        assert got == {"type": "authenticated", "id": 5, "expires_at": later}, got
        for bad, code in ((keys.token()[:-4] + "AAAA", "unauthorized"), (keys.token(exp=soon - 60), "unauthorized"),
                          ("", "unauthorized"), (keys.token("bob", exp=later), "forbidden")):
            error = tries.ask(type="auth", token=bad)
            assert (error["type"], error["code"]) == ("error", code), error
        assert dies.ended()[0] == 4001
        assert time.time() > soon + 5, "closed before exp and leeway"
        assert tries.ended()[0] == 4001, "a refused token has extended it"
        lives.nothing()
        end = server.log("ws.disconnect", conn=dies.conn)
        assert (end["code"], end["initiator"], end["clean"]) == (4001, "server", True), end
        assert lives.ask(type="auth", token=keys.token("bob"))["code"] == "forbidden"
        lives.nothing()
        again = int(time.time()) - 4
        assert lives.ask(type="auth", token=keys.token(exp=again))["type"] == "authenticated"
        assert lives.ended()[0] == 4001, "a shorter token holds as well"


@test
def channels_claim():
    with guarded() as (server, keys):
        token = bearer(keys.token(channels=["a", "room/*"]))
        ws = server.ws(headers=token)
        for channel, allowed in (("a", True), ("room/", True), ("room/1/2", True), ("b", False), ("room", False),
                                 ("aa", False), ("A", False), ("rooms/1", False)):
            for message in ({"type": "subscribe"}, {"type": "publish", "data": 1}, {"type": "history", "from": 1, "to": 2}):
                got = ws.ask(channel=channel, **message)
                if allowed:
                    assert got["type"] != "error", got
                else:
                    assert (got["type"], got["code"]) == ("error", "forbidden"), (channel, message, got)
            path = channel.replace("/", "%2F")
            wanted = 200 if allowed else 403
            assert server.http("/publish/" + path, "POST", {"data": 1}, headers=token).status == wanted, channel
            assert server.http(f"/poll/{path}?wait=0", headers=token).status == wanted, channel
            with plain.Sse(server.port, path, headers=token) as sse:
                assert sse.status == wanted, channel
        free = server.ws(headers=bearer(keys.token()))
        assert free.subscribe("b")["seq"] == 0, "something forbidden was stored"
        assert free.subscribe("anything")["seq"] == 0
        none = server.ws(headers=bearer(keys.token(channels=[])))
        assert none.ask(type="subscribe", channel="a")["code"] == "forbidden"
        star = server.ws(headers=bearer(keys.token(channels=["*"])))
        assert star.subscribe("b")["type"] == "subscribed"


@test
def a_narrower_token_takes_subscriptions_away():
    with guarded() as (server, keys):
        ws, pub = server.ws(headers=bearer(keys.token())), server.ws(headers=bearer(keys.token("bob")))
        ws.subscribe("a")
        ws.subscribe("b")
        ws.say({"type": "auth", "id": 5, "token": keys.token(channels=["a"])})
        got = [ws.next() for _ in range(3)]
        kinds = sorted((m["type"], m.get("channel"), m.get("code")) for m in got if m["type"] != "error")
        assert kinds == [("authenticated", None, None), ("unsubscribed", "b", None)], got
        assert [m["code"] for m in got if m["type"] == "error"] == ["forbidden"], got
        pub.publish("b", 1)
        pub.publish("a", 2)
        assert [(m["channel"], m["data"]) for m in ws.barrier()] == [("a", 2)]
        assert ws.ask(type="subscribe", channel="b")["code"] == "forbidden"
        ws.drop()
        again = server.ws(f"/ws?session={ws.welcome['session']}", headers=bearer(keys.token(channels=["x"])))
        pub.publish("a", 3)
        assert not [m for m in again.barrier() if m["type"] == "message"], "a session brought back what the token forbids"


@test
def forwarded_for():
    # what proxies are trusted, what the field says, the address in the log
    rows = [
        (None, "203.0.113.7", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.0/8", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1,10.0.0.0/8", "198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "garbage", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7, garbage", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
    ]
    for trusted, field, wanted in rows:
        with Server(*NO_LIMITS, *(("--trusted-proxies", trusted) if trusted else ())) as server:
            ws = server.ws(headers={"X-Forwarded-For": field})
            line = server.log("ws.connect", conn=ws.conn)
            assert line["ip"] == wanted, (trusted, field, line["ip"])


@test
def limits_go_by_the_believed_address():
    with Server("--limit-per-address", "1", "--trusted-proxies", "127.0.0.2") as server:
        server.ws()
        assert server.refused(headers={"X-Forwarded-For": "203.0.113.9"}).status == 429, "anyone may claim an address"
        server.ws(headers={"X-Forwarded-For": "203.0.113.1"}, source="127.0.0.2")
        server.ws(headers={"X-Forwarded-For": "203.0.113.2"}, source="127.0.0.2")
        assert server.refused(headers={"X-Forwarded-For": "203.0.113.1"}, source="127.0.0.2").status == 429


@test
def no_secret_of_a_refused_request_is_logged():
    with guarded("HS256", "--node", "x") as (server, keys):
        marks = [f"mark{n}" + "Z" * 30 for n in range(6)]
        status(server, "/ws?token=" + marks[0])
        status(server, headers=bearer(marks[1]))
        status(server, headers={"Cookie": "wsquall_token=" + marks[2]})
        status(server, "/nope?token=" + marks[3])
        server.http("/publish/c?token=" + marks[4], "POST", {"data": 1})
        ws = server.ws(headers=bearer(keys.token()))
        error = ws.ask(type="auth", token=marks[5])
        assert marks[5] not in json.dumps(error)
        server.log("ws.refused", count=4)
        written = json.dumps(server.lines) + server.http("/metrics").body.decode() + server.said()
        assert not [mark for mark in marks if mark in written]


if __name__ == "__main__":
    rig.main()

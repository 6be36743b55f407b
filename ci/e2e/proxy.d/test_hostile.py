"""Input that nobody should send: a clear 4xx, nothing changed, and the process lives."""
import contextlib
import random
import socket
import time

from rig import Echo, Proxy, SANITIZED, test, until

RSS_MAX = 200 << 20           # octets of memory, whatever is sent
MANY = 10000
NUMBERS = ("-1", "1e308", "-1e308", "1e999", "99999999999999999999999", "-9223372036854775809", "0.0000001", "NaN",
           "Infinity", "0x10", "01", "+1", "1.", ".5", "--1", "1e", "nan")


@contextlib.contextmanager
def standing(*options):
    """A proxy with a connection and a toxic, which are the same afterwards, and live."""
    with Echo() as echo, Proxy(*options) as p:
        made = p.create("a", echo.port)
        p.toxic("a", "latency", attributes={"latency": 1, "jitter": 0})
        client = p.connect(made)
        client.echo(b"before")
        before = p.ask("GET", "/proxies")
        yield p
        assert p.ask("GET", "/proxies") == before
        client.echo(b"after")
        assert len(p.ask("GET", "/proxies/a/connections")) == 1
        assert SANITIZED or p.rss() < RSS_MAX, p.rss()


def is_4xx(got):
    assert 400 <= got.status < 500, got
    if "json" in got.headers.get("Content-Type", ""):
        said = got.json()
        assert said["status"] == got.status and said["error"] and "\n" not in said["error"], said
        assert all(ord(c) >= 32 and ord(c) != 127 for c in said["error"]), said
    return got


ROUTES = (("POST", "/proxies"), ("POST", "/populate"), ("POST", "/proxies/a"), ("PATCH", "/proxies/a"),
          ("POST", "/proxies/a/toxics"), ("POST", "/proxies/a/toxics/latency_downstream"),
          ("PATCH", "/proxies/a/toxics/latency_downstream"))


@test
def bodies_that_are_no_JSON():
    bodies = [b"", b" ", b"{", b"}", b"[", b"{]", b"nul", b"tru", b"'a'", b"{'a': 1}", b'{"a" 1}', b'{"a": 1,}', b"[1,]",
              b'{"name": "b", "upstream": "127.0.0.1:1"} {}', b'{"name": "a", "name": "b", "upstream": "127.0.0.1:1"}',
              b'"\xff"', b'"\xc3"', b'{"name": "\xed\xa0\x80", "upstream": "127.0.0.1:1"}', b'"\\ud800"', b'"\\u0000"',
              b'{"name": "a\\u0000b", "upstream": "127.0.0.1:1"}', b'"a\x00b"', b"\x00", b"\xef\xbb\xbf{}", b"\xfe\xff\x00{",
              b"<xml/>", b"name=b&upstream=127.0.0.1%3A1", b'"\x1b[31m"', b'{"\n": 1}']
    with standing() as p:
        for method, path in ROUTES:
            for body in bodies:
                is_4xx(p.http(method, path, raw=body))


@test
def huge_and_deep_bodies():
    with standing() as p:
        for method, path in ROUTES:
            for body in (b"[" * 1000, b"[" * 1000000, b"[" * 65 + b"]" * 65, b"[" * 500000 + b"]" * 500000, b'{"a":' * 200000,
                         b'{"a":' * 100 + b"1" + b"}" * 100, b"[" + b"0," * 500000 + b"0]", b" " * 1000000,
                         b'{"name": "' + b"x" * 1000000 + b'", "upstream": 7, "attributes": 7}',
                         b"{" + b",".join(b'"%d": 0' % i for i in range(60000)) + b', "attributes": {"latncy": 1}, '
                         b'"name": "' + b"y" * 200 + b'", "enabled": 3}'):
                assert len(body) <= 1 << 20
                is_4xx(p.http(method, path, raw=body))
            got = is_4xx(p.http(method, path, raw=b" " * ((1 << 20) + 1)))
            assert got.status == 413, got


@test
def a_body_without_end_is_not_read_for_ever():
    with standing() as p:
        conn = p.raw()
        conn.send(b"POST /proxies HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent, ended = 0, False
        with contextlib.suppress(ConnectionError):
            while sent < 256 << 20:
                conn.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
                sent += 65536
        ended = sent < 256 << 20
        assert ended, "256 MiB were taken"
        conn = p.raw()
        conn.send(b"POST /proxies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551615\r\n\r\n")
        assert b" 413 " in conn.read(64) or conn.read_all() == b""


@test
def wrong_types_in_every_place():
    wrong = ["null", "true", "7", "-1", "1.5", '""', '"x"', "[]", "{}", "[[]]", '[{"a": {}}]']
    with standing() as p:
        for key in ("name", "listen", "upstream", "enabled", "toxics", "tls", "connect_timeout"):
            for value in wrong:
                fields = {"name": '"b"', "listen": '"127.0.0.1:0"', "upstream": '"127.0.0.1:1"', "enabled": "false",
                          key: value}
                body = "{" + ",".join(f'"{k}": {v}' for k, v in fields.items()) + "}"
                got = p.http("POST", "/proxies", raw=body.encode())
                if got.status == 201:  # null is what is not there, and some of these are right
                    p.ask("DELETE", "/proxies/" + got.json()["name"], status=204)
                else:
                    is_4xx(got)
        for key in ("name", "type", "stream", "toxicity", "duration", "attributes"):
            for value in wrong:
                fields = {"type": '"slicer"', "name": '"t"', key: value}
                body = "{" + ",".join(f'"{k}": {v}' for k, v in fields.items()) + "}"
                got = p.http("POST", "/proxies/a/toxics", raw=body.encode())
                if got.status == 200:
                    p.ask("DELETE", "/proxies/a/toxics/" + got.json()["name"], status=204)
                else:
                    is_4xx(got)


@test
def every_attribute_of_every_fault_with_hostile_values():
    values = [*NUMBERS, "true", "null", '""', '"x"', "[]", "{}", '"-5ms"', '"99999999999999d"', '"1e9s"', '"\\u202e"', "[{}]",
              '"' + "x" * 100000 + '"', "[" + '"a",' * 1000 + '"a"]']
    with standing() as p:
        taken = refused = 0
        for fault in p.ask("GET", "/faults")["faults"]:
            for attribute in fault["attributes"]:
                for value in values:
                    # toxicity 0: what is taken must not touch the connection.
                    body = f'{{"type": "{fault["type"]}", "name": "t", "toxicity": 0, ' \
                           f'"attributes": {{"{attribute["name"]}": {value}}}}}'
                    got = p.http("POST", "/proxies/a/toxics", raw=body.encode())
                    if got.status == 200:
                        taken += 1
                        shown = p.ask("GET", "/proxies/a/toxics/t")
                        # What is shown can be sent again.
                        p.ask("PATCH", "/proxies/a/toxics/t", {"attributes": shown["attributes"]})
                        p.ask("DELETE", "/proxies/a/toxics/t", status=204)
                    else:
                        refused += 1
                        is_4xx(got)
            p.refused("POST", "/proxies/a/toxics", {"type": fault["type"], "name": "t", "attributes": {"no_such": 1}},
                      says='unknown key "no_such"')
        assert taken > 10 and refused > 100, (taken, refused)


@test
def numbers_out_of_all_bounds():
    with standing() as p:
        for number in NUMBERS:
            for body in ('{"type": "latency", "name": "t", "attributes": {"latency": %s}}',
                         '{"type": "limit_data", "name": "t", "attributes": {"bytes": %s}}',
                         '{"type": "none", "name": "t", "duration": %s}'):
                is_4xx(p.http("POST", "/proxies/a/toxics", raw=(body % number).encode()))
            if number not in ("0.0000001",):
                is_4xx(p.http("POST", "/proxies/a/toxics", raw=('{"type": "none", "toxicity": %s}' % number).encode()))


@test
def names_and_addresses_that_are_none():
    with standing() as p, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for listen in ("nowhere", "127.0.0.1", "127.0.0.1:", ":x", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:99999999999",
                       "[::1", "256.0.0.1:0", "127.0.0.1:0 ", "\u0661:0", "a" * 5000 + ":1", "127.0.0.1:0x50",
                       f"127.0.0.1:{port}", f"127.0.0.1:{p.port}", "203.0.113.7:0", p.ask("GET", "/proxies/a")["listen"]):
            body = {"name": "b", "listen": listen, "upstream": "127.0.0.1:1"}
            got = is_4xx(p.http("POST", "/proxies", body))
            assert got.status in (400, 409), got
            is_4xx(p.http("POST", "/populate", [body]))
            if listen != p.ask("GET", "/proxies/a")["listen"]:
                is_4xx(p.http("POST", "/proxies/a", {"listen": listen}))
        for upstream in ("nowhere", "127.0.0.1", ":1", "127.0.0.1:0", "127.0.0.1:65536", "host:port", "a" * 5000 + ":1"):
            is_4xx(p.http("POST", "/proxies", {"name": "b", "upstream": upstream}))
            is_4xx(p.http("PATCH", "/proxies/a", {"upstream": upstream}))
        for name in ("a/b", "\n", "\u0000", "x" * 129, "x" * 100000):
            is_4xx(p.http("POST", "/proxies", {"name": name, "upstream": "127.0.0.1:1"}))
        for name in ("a/b", "\n", "x" * 129, "\u202e"):
            is_4xx(p.http("POST", "/proxies/a/toxics", {"name": name, "type": "none"}))
        for path in ("/proxies/%00", "/proxies/%ff", "/proxies/%", "/proxies/a%2", "/proxies//a", "/proxies/a/", "//",
                     "/proxies/" + "x" * 9000, "/proxies/..%2f..%2fetc", "/../etc/passwd", "/1/2/3/4/5/6/7/8/9/10"):
            is_4xx(p.http("DELETE", path))


@test
def limits_of_what_there_may_be():
    with Echo() as echo, Proxy() as p:
        p.create("a", echo.port)
        for i in range(64):
            p.toxic("a", "none", f"t{i}")
        p.refused("POST", "/proxies/a/toxics", {"type": "none", "name": "more"}, status=409)
        assert len(p.ask("GET", "/proxies/a/toxics")) == 64
        many = [{"name": f"p{i}", "upstream": "127.0.0.1:1", "enabled": False} for i in range(1024)]
        before = p.ask("GET", "/proxies")
        got = p.http("POST", "/populate", many)  # with the one there is, one too many
        assert got.status == 409 and p.ask("GET", "/proxies") == before, got
        is_4xx(p.http("POST", "/populate", [*many, {"name": "p", "upstream": "127.0.0.1:1"}]))
        p.ask("POST", "/populate", many[1:], 201)
        p.refused("POST", "/proxies", {"name": "more", "upstream": "127.0.0.1:1"}, status=409)
        assert len(p.ask("GET", "/proxies")) == 1024


@test
def requests_that_are_no_HTTP():
    rng = random.Random(1)
    good = (b'POST /proxies/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n'
            b'{"upstream": 7}  ')
    with standing("--api-timeout", "300ms") as p:
        heads = [b"\r\n\r\n", b"\x00" * 64 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET /proxies\r\n\r\n", b"GET /proxies HTTP/9.9\r\n\r\n",
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /proxies HTTP/1.1\r\n\r\n",
                 b"GET /proxies HTTP/1.1\r\nHost\r\n\r\n", b"GET /nothing\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"DELETE /proxies/a\x00 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
                 b"DELETE /proxies/a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
                 b"DELETE http://evil.example/proxies/a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
                 b"POST /reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                 b"POST /reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
                 b"POST /proxies HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET /proxies HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100000 + b"\r\n\r\n",
                 b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"GET /proxies HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"]
        harmless = len(heads)
        for _ in range(200):  # some of these ask for nothing but keys that are ignored
            damaged = bytearray(good)
            for _ in range(rng.randrange(1, 6)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            heads.append(bytes(damaged))
        heads += [rng.randbytes(rng.randrange(1, 400)) for _ in range(100)]
        for at in range(0, len(heads), 50):
            conns = [p.raw() for _ in heads[at:at + 50]]
            for conn, head in zip(conns, heads[at:]):
                with contextlib.suppress(OSError):
                    conn.send(head)
                    conn.finish()
            for i, conn in enumerate(conns, at):
                got = b""
                with contextlib.suppress(OSError):
                    got = conn.read_all()
                if got and i < harmless:
                    assert got.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 5")), (heads[i][:200], got[:200])
                conn.close()


@test
def requests_in_pieces_and_in_rows():
    with standing() as p:
        whole = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
        conn = p.raw()
        for octet in whole:
            conn.send(bytes([octet]))
        assert conn.read(15) == b"HTTP/1.1 200 OK"
        conn.close()
        conn = p.raw()
        conn.send(whole * 50 + b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert conn.read_all().count(b"HTTP/1.1 200 OK") == 51
        body = b'{"attributes": {"latency": 1}}'
        conn = p.raw()
        conn.send(b"PATCH /proxies/a/toxics/latency_downstream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body))
        for octet in body:
            conn.send(bytes([octet]))
        assert conn.read_all().startswith(b"HTTP/1.1 200 OK")
        halves = [p.raw() for _ in range(50)]
        for i, conn in enumerate(halves):
            conn.send(whole[:i % len(whole)])
        for conn in halves:
            conn.reset()


@test
def who_asks_slowly_is_sent_away_and_holds_nobody_up():
    with standing("--api-timeout", "1s") as p:
        slow = [p.raw() for _ in range(300)]  # more than may be connected at once
        since = time.monotonic()
        for conn in slow:
            with contextlib.suppress(ConnectionError):
                conn.send(b"POST /proxies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        silent = p.raw()
        # Octets now and then do not keep a connection.
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - since < 30:
                slow[0].send(b" ")
                time.sleep(0.05)
        assert 0.9 <= time.monotonic() - since < 30
        assert p.ask("GET", "/version")
        assert silent.read_all() == b""
        for conn in slow:
            conn.close()


@test
def many_requests():
    with standing() as p:
        conn = p.raw()
        request = b"GET /proxies/a/toxics HTTP/1.1\r\nHost: localhost\r\n\r\n"
        bad = b'POST /proxies/a/toxics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\n{"type": "latncy"'
        conn.send(request)
        rss, seen = None, b""
        for i in range(MANY // 100):
            conn.send((request + bad) * 50)
            wanted = (50 * (i + 1)) + 1
            while seen.count(b" 200 OK") < wanted or seen.count(b" 400 ") < wanted - 1 or not seen.endswith(b"}\n"):
                more = conn.socket.recv(1 << 16)
                assert more, "the connection ended"
                seen += more
            if i == 10:
                rss = p.rss()
        assert SANITIZED or p.rss() - rss < 8 << 20, (rss, p.rss())


@test
def nobody_reads_the_answers():
    with standing() as p:
        conn = p.raw()
        conn.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        conn.socket.settimeout(1)
        with contextlib.suppress(OSError):
            while True:
                conn.send(b"GET /faults HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        assert p.ask("GET", "/version")
        conn.reset()


@test
def a_listing_that_changes_under_traffic():
    """Toxics come and go while octets flow, and every octet arrives."""
    with Echo() as echo, Proxy() as p:
        made = p.create("a", echo.port)
        client = p.connect(made)
        for i in range(100):
            p.toxic("a", ("slicer", "latency", "none")[i % 3], "t", stream=("upstream", "downstream", "both")[i % 3])
            client.send(bytes([i]) * 1000)
            p.ask("DELETE", "/proxies/a/toxics/t", status=204)
        got = client.read(100000)
        assert got == b"".join(bytes([i]) * 1000 for i in range(100))
        client.close()
        until(lambda: p.ask("GET", "/proxies/a/connections") == [], "the end")

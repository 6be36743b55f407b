"""What ci/e2e/stream_faults stands on: a started `wsquall proxy` with a client before it and a server behind it, both
of this process, so that what a toxic does to octets and endings is seen on both sides.

Nothing waits to see that nothing comes: absence is looked at behind a barrier, something later that has come.
"""
import concurrent.futures
import contextlib
import errno
import fcntl
import functools
import pathlib
import random
import re
import socket
import struct
import sys
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "proxy.d"), str(pathlib.Path(__file__).resolve().parent)]
from rig import Echo, Proxy, main, test, until  # noqa: E402,F401
from stream_tls import Inside, authority  # noqa: E402
from wire_server import DEADLINE_S, Conn, Target, frame_octets  # noqa: E402

STREAMS = ("upstream", "downstream")
OTHER = {"upstream": "downstream", "downstream": "upstream"}
MUCH = 1 << 20
KEY = b"\x01\x82\x03\xc4"  # masks what clients send
REQUEST = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # its answer, RFC 6455 1.3
SIOCOUTQ = 0x5411  # <linux/sockios.h>: octets of a socket that are not acknowledged
tested = set()  # faults
here = threading.local()  # tls: the test that this thread runs has its ways through TLS


def of(fault, through_tls=False):
    """A test of this fault; with through_tls it is done a second time through a proxy that ends TLS."""
    def keep(function):
        tested.add(fault)
        if through_tls:
            @functools.wraps(function)
            def again():
                here.tls = True
                try:
                    function()
                finally:
                    here.tls = False
            again.__name__ += "_through_TLS"
            test(again)
        return test(function)
    return keep


def frame(stream, opcode, payload=b"", fin=True):
    return frame_octets(opcode, payload, fin, KEY if stream == "upstream" else None)


class Pair:
    """A connection through the proxy, by both its ends."""

    def __init__(self, way):
        self.way, self.opened = way, time.monotonic()
        sock = socket.socket()
        sock.settimeout(DEADLINE_S)
        error = sock.connect_ex(("127.0.0.1", way.port))
        assert error in (0, errno.ECONNRESET), errno.errorcode[error]
        self.reset_at_once = error != 0  # before connect() came back
        self.client = Conn(Inside(sock, authority().trusting()) if way.tls else sock)
        self.server = way.target.accept()
        way.connections += 1
        self.number = way.connections
        for conn in (self.client, self.server):
            conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def began(self):
        """Before the toxic was on it."""
        return max(self.opened, self.way.put_at)

    def sender(self, stream):
        return self.client if stream == "upstream" else self.server

    def receiver(self, stream):
        return self.server if stream == "upstream" else self.client

    def handshake(self):
        self.client.sock.sendall(REQUEST)
        self.server.upgrade()
        self.client.head()
        self.way.sent["upstream"] += len(REQUEST)
        self.way.sent["downstream"] += len(self.client.request)
        assert self.server.request.encode() == REQUEST and ACCEPT in self.client.request
        return self

    def send(self, stream, octets):
        self.way.sent[stream] += len(octets)
        self.sender(stream).sock.sendall(octets)

    def gets(self, stream, octets):
        got = self.receiver(stream).take(len(octets))
        assert got == octets, f"{stream}: {got[:60]!r} ({len(got)} octets) came, not {octets[:60]!r}"

    def gets_all(self, stream, octets):
        """These, and then a FIN."""
        assert (got := self.receiver(stream).rest()) == (octets, "fin"), f"{stream}: {got}"

    def exchange(self, stream, octets):
        """Sends and receives; the seconds that it took."""
        since = time.monotonic()
        self.send(stream, octets)
        self.gets(stream, octets)
        return time.monotonic() - since

    def exchanges_much(self, size=MUCH):
        """Both directions at once carry so many octets, cut at random, and not one of them is another."""
        def carry(stream):
            rng = random.Random(stream)
            octets, at = rng.randbytes(size), 0
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                got = pool.submit(self.receiver(stream).take, size)
                while at < size:
                    n = rng.randint(1, 1 << rng.randint(0, 17))
                    self.send(stream, octets[at:at + n])
                    at += n
                assert got.result() == octets, f"{stream}: other octets came"
            self.receiver(stream).pieces.clear()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(carry, STREAMS))

    def nothing(self, *streams):
        """Nothing has come there, neither octets nor an end, though the proxy has read all that was sent."""
        self.way.has_read()
        self.still_nothing(*streams)

    def still_nothing(self, *streams):
        """The same where the proxy does not read: another connection of it went round in the meantime."""
        self.way.turn()
        for stream in streams or STREAMS:
            conn = self.receiver(stream)
            assert conn.left == b"", f"{stream}: {conn.left[:60]!r} came"
            conn.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                got = conn.sock.recv(60)
                raise AssertionError(f"{stream}: {got!r} came" if got else f"{stream}: a FIN came")
            conn.sock.settimeout(DEADLINE_S)

    def ends(self, how, took_s=0):
        """It ends on both sides in this way, without another octet, so long after the toxic came, or later."""
        if how == "blackhole":
            until(lambda: self.state() == "silent", "silence")
        else:
            how = {"rst": "reset", "fin": "fin"}[how]
            seen = "reset" if self.reset_at_once else self.end_of(self.client), self.end_of(self.server)
            assert seen == (how, how), f"{seen}, not {how}"
            assert how != "fin" or getattr(self.client.sock, "clean", True), "a FIN without close_notify"
        took = time.monotonic() - self.began
        assert took >= took_s, f"it ended after {took:.3f} s, too early"
        if how == "blackhole":
            for stream in STREAMS:
                self.sender(stream).sock.sendall(b"unheard")
            self.still_nothing()
            self.way.when_off.append(lambda: self.ends("rst"))

    def end_of(self, conn):
        """How it ended, without another octet. One side is asked for SO_ERROR, the other one read from."""
        how = conn.error_of_end() if (conn is self.client) == self.number % 2 else None
        octets, told = conn.rest()
        assert octets == b"" and (how is None or told == "fin"), f"{octets[:60]!r}, {told} behind {how}"
        return how or told

    def state(self):
        return self.way.p.ask("GET", f"/proxies/way/connections/{self.number}")["state"]

    def has_ended(self):
        return self.client.has_ended() or self.server.has_ended()

    def close(self):
        self.client.sock.close()
        self.server.sock.close()


class Way:
    """A `wsquall proxy` with two proxies: "way", on which toxics are put, and "plain", on which never."""

    def __init__(self, seed=1, tls=False):
        self.p = Proxy("--seed", str(seed))
        self.stack = contextlib.ExitStack()
        self.pairs, self.when_off = [], []
        self.connections, self.put_at, self.sent = 0, 0, {"upstream": 0, "downstream": 0}
        self.tls = tls or getattr(here, "tls", False)

    def __enter__(self):
        self.stack.enter_context(self.p)
        self.target = self.stack.enter_context(Target())
        tls = {"tls": authority().tls()} if self.tls else {}
        self.port = int(self.p.create("way", self.target.port, **tls)["listen"].rpartition(":")[2])
        self.other = self.p.connect(self.p.create("plain", self.stack.enter_context(Echo()).port))
        return self

    def __exit__(self, *why):
        for pair in self.pairs:
            pair.close()
        return self.stack.__exit__(*why)

    def open(self, ws=False):
        self.pairs.append(Pair(self))
        return self.pairs[-1].handshake() if ws else self.pairs[-1]

    def put(self, fault, stream="both", **attributes):
        self.put_at = time.monotonic()
        self.p.toxic("way", fault, "it", stream=stream, attributes=attributes)

    def change(self, **attributes):
        self.p.ask("PATCH", "/proxies/way/toxics/it", {"attributes": attributes})

    def off(self):
        self.p.ask("DELETE", "/proxies/way/toxics/it", status=204)
        checks, self.when_off = self.when_off, []
        for check in checks:
            check()

    def each(self, fault, streams=STREAMS, ws=False, lives=False, **attributes):
        """
        For each of the streams: a connection that is open when the toxic comes, and one that comes later. Before it
        the toxic `none` changes nothing; when it has gone, all is as before: on these connections, too, if they live.
        Through TLS those that do not read frames have only the first one: of later ones they hurt the TLS handshake.
        """
        for stream in streams:
            pairs = [self.open(ws)]
            self.put("none", stream)
            pairs[0].exchanges_much()
            self.off()
            self.put(fault, stream, **attributes)
            yield stream, pairs[0]
            if ws or not self.tls:
                pairs.append(self.open(ws))
                yield stream, pairs[1]
            self.off()
            for pair in [*(pairs if lives else []), self.open()]:
                pair.exchanges_much()

    def young(self, count, fault, **attributes):
        """So many connections that the toxic finds young: it was there first. Through TLS as soon as their handshakes are
        over, which it would hurt on a slow machine."""
        if self.tls:
            pairs = [self.open() for _ in range(count)]
            for pair in pairs:
                pair.exchange("upstream", b"open")
        self.put(fault, **attributes)
        return pairs if self.tls else [self.open() for _ in range(count)]

    def has_read(self):
        if self.tls:  # of what is held below the TLS the proxy counts nothing: it came, and the loop turned since
            for pair in self.pairs:
                until(lambda conn=pair.client: fcntl.ioctl(conn.sock, SIOCOUTQ, bytes(4)) == bytes(4) or
                      conn.has_ended(), "that all has come")
            self.turn()
            self.turn()

        def received():
            rows = re.findall(r'\ntoxiproxy_proxy_received_bytes_total\{direction="(\w+)",[^}]*proxy="way",[^}]*\}'
                              r' (\d+)', self.p.http("GET", "/metrics").body.decode())
            counted = {stream: int(count) for stream, count in rows}
            return counted["downstream"] == self.sent["downstream"] and (self.tls or counted == self.sent)
        until(received, f"that the proxy has read {self.sent}")

    def turn(self):
        self.other.echo(b"turn")

    def told(self, what, fault, stream):
        """The details of what this toxic told, in the order of the connections."""
        events = [e for e in self.p.ask("GET", "/events")["events"]
                  if e["event"] == "toxic." + what and e["type"] == fault]
        return [e.get("detail") for e in sorted(events, key=lambda e: e["connection"]) if e["stream"] == stream]

"""The part of ci/e2e/stream_faults with the faults that know of heads and frames: buffer, handshake, frame_*."""
import time

from stream_rig import ACCEPT, OTHER, REQUEST, Way, frame, of
from wire_server import BINARY, CLOSE, PING, PONG, TEXT

ONE = b"0123456789" * 100
KINDS = {"text": TEXT, "binary": BINARY, "ping": PING, "pong": PONG}
SPOKEN = ("text", "ping", "binary", "pong", "text", "ping", "binary", "text")
UPGRADE_FIELDS = ("upgrade:", "connection:", "sec-websocket-")


def frames(stream):
    """One of each of SPOKEN, no two alike; one is long and one is empty."""
    sizes = {3: 0, 4: 70_000}
    return [frame(stream, KINDS[kind], b"%d" % at * sizes.get(at, 9)) for at, kind in enumerate(SPOKEN)]


@of("buffer")
def buffer_holds_until_there_is_enough():
    with Way() as way:
        for stream, pair in way.each("buffer", lives=True, size=1000):
            for at in range(0, 999, 37):
                pair.send(stream, ONE[at:min(at + 37, 999)])
            pair.nothing(stream)
            pair.send(stream, ONE[999:] + ONE + ONE[:500])
            pair.gets(stream, ONE + ONE)
            pair.nothing(stream)
            assert [len(octets) % 1000 for _, octets in pair.receiver(stream).pieces if len(octets) % 1000] == []
            way.when_off.append(lambda stream=stream, pair=pair: pair.gets(stream, ONE[:500]))
        for stream, pair in way.each("buffer", lives=True, size="1MiB", hold="80ms"):
            assert pair.exchange(stream, ONE) >= 0.08


@of("buffer", through_tls=True)
def buffer_holds_until_a_frame_is_complete():
    with Way() as way:
        for stream, pair in way.each("buffer", ws=True, lives=True, until="frame"):
            whole = b"".join(frames(stream))
            pair.exchange(stream, whole)
            one = frame(stream, TEXT, ONE)
            for piece in (one[:1], one[1:3], one[3:500], one[500:-1]):
                pair.send(stream, piece)
                pair.nothing(stream)
            pair.send(stream, one[-1:] + one[:9])
            pair.gets(stream, one)
            pair.nothing(stream)
            way.when_off.append(lambda stream=stream, pair=pair, one=one: pair.gets(stream, one[:9]))


def asked(way):
    """A new connection whose client has sent its request, with when."""
    pair = way.open()
    begin = time.monotonic()
    pair.client.sock.sendall(REQUEST)
    return pair, begin


def undone(way):
    way.off()
    way.open(ws=True).exchanges_much()


@of("handshake", through_tls=True)
def handshake_is_answered_by_the_proxy():
    with Way() as way:
        for attributes, fields in (
                ({"status": 503, "retry_after": "7s"}, (b"Retry-After: 7",)), ({"status": 403}, ()),
                ({"status": 301, "location": "http://a.example/b"}, (b"Location: http://a.example/b",)),
                ({"status": 429, "delay": 80}, ())):
            pair = way.open(ws=True)
            way.put("handshake", **attributes)
            pair.exchanges_much()  # what is open has shaken hands
            pair, begin = asked(way)
            answer, how = pair.client.rest()
            assert time.monotonic() - begin >= attributes.get("delay", 0) / 1000
            lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
            assert lines[0].startswith(b"HTTP/1.1 %d " % attributes["status"]) and how == "fin", (answer, how)
            assert set(fields) <= set(lines), lines
            assert pair.server.rest() == (b"", "fin"), "the server got the request"
            undone(way)


@of("handshake", through_tls=True)
def handshake_is_delayed():
    with Way() as way:
        behind = frame("downstream", TEXT, b"right behind")
        for delay, heal in ((80, False), ("1h", True)):
            way.put("handshake", delay=delay)
            pair, begin = asked(way)
            pair.server.upgrade().sock.sendall(behind)
            if heal:
                pair.exchange("upstream", frame("upstream", TEXT, b"already"))
                pair.still_nothing("downstream")
                undone(way)
            assert ACCEPT in pair.client.head().request
            assert heal or time.monotonic() - begin >= 0.08
            pair.gets("downstream", behind)
            pair.exchanges_much()
            if not heal:
                undone(way)


def without(fields, head):
    return [line for line in head.split("\r\n") if not line.lower().startswith(fields)]


@of("handshake")
def handshake_is_spoiled_or_stripped():
    with Way() as way:
        right = way.open(ws=True)
        for attributes, stripped in (({"bad_accept": True}, ()), ({"strip": "request"}, ("request",)),
                                     ({"strip": "reply"}, ("reply",)), ({"strip": "both"}, ("request", "reply"))):
            way.put("handshake", **attributes)
            pair, _ = asked(way)
            pair.server.head()
            pair.server.sock.sendall(right.client.request.encode())
            request, reply = pair.server.request, pair.client.head().request
            for name, got, was in (("request", request, right.server.request), ("reply", reply, right.client.request)):
                fields = UPGRADE_FIELDS if name in stripped else ("sec-websocket-accept:",)
                assert without(fields, got) == without(fields, was), (attributes, got)
                has_none = without(UPGRADE_FIELDS, got) == got.split("\r\n")
                assert has_none == (name in stripped), (attributes, got)
            if not stripped:
                (accept,) = [line[22:] for line in reply.split("\r\n") if line.startswith("Sec-WebSocket-Accept: ")]
                assert accept != ACCEPT and len(accept) == len(ACCEPT), accept
            pair.exchanges_much()
            undone(way)


@of("handshake", through_tls=True)
def handshake_is_cut():
    with Way() as way:
        reply = way.open(ws=True).client.request.encode()
        for how in ("fin", "rst", "blackhole"):
            way.put("handshake", cut=how)
            pair, _ = asked(way)
            pair.server.upgrade()
            pair.gets("downstream", reply[:len(reply) // 2])
            pair.ends(how)
            undone(way)


def carry(way, fault, rows):
    """rows: options, and for each of SPOKEN how often it arrives."""
    for attributes, times in rows:
        for stream, pair in way.each(fault, ws=True, lives=True, **attributes):
            sent = frames(stream)
            pair.send(stream, b"".join(sent))
            pair.gets(stream, b"".join(octets * n for octets, n in zip(sent, times, strict=True)))
            pair.nothing(stream)
            pair.exchange(OTHER[stream], b"".join(frames(OTHER[stream])))


@of("frame_drop", through_tls=True)
def frames_are_dropped():
    with Way() as way:
        carry(way, "frame_drop", (
            ({"opcode": "ping"}, (1, 0, 1, 1, 1, 0, 1, 1)), ({"opcode": "control"}, (1, 0, 1, 0, 1, 0, 1, 1)),
            ({"opcode": "data", "after": 1, "every": 2}, (1, 1, 1, 1, 0, 1, 1, 0)),
            ({"count": 2}, (0, 0, 1, 1, 1, 1, 1, 1)), ({"probability": 0}, (1,) * 8)))


@of("frame_duplicate", through_tls=True)
def frames_are_duplicated():
    with Way() as way:
        carry(way, "frame_duplicate", (
            ({"opcode": "text"}, (2, 1, 1, 1, 2, 1, 1, 2)),
            ({"opcode": "pong", "copies": 4}, (1, 1, 1, 5, 1, 1, 1, 1)),
            ({"opcode": "any", "after": 6}, (1, 1, 1, 1, 1, 1, 2, 2))))


@of("frame_delay", through_tls=True)
def frames_are_delayed():
    def three(stream):
        return [frame(stream, opcode, payload) for opcode, payload in ((TEXT, b"1"), (PING, b"2"), (TEXT, b"3"))]
    with Way() as way:
        for stream, pair in way.each("frame_delay", ws=True, lives=True, opcode="ping", delay=80):
            first, ping, last = three(stream)
            begin = time.monotonic()
            pair.send(stream, first + ping + last)
            pair.gets(stream, first + ping)
            assert time.monotonic() - begin >= 0.08
            pair.gets(stream, last)
        for overtake in (False, True):
            options = {"opcode": "ping", "delay": "1h", "overtake": overtake}
            for stream, pair in way.each("frame_delay", ws=True, lives=True, **options):
                first, ping, last = three(stream)
                pair.send(stream, first + ping + last)
                pair.gets(stream, first + last if overtake else first)
                pair.nothing(stream)
                held = ping if overtake else ping + last
                way.when_off.append(lambda stream=stream, pair=pair, held=held: pair.gets(stream, held))


@of("frame_close", through_tls=True)
def a_close_is_put_behind_a_frame():
    with Way() as way:
        for attributes, to, spoken in (
                ({}, ("client", "server"), "upstream"), ({"to": "client"}, ("client",), "downstream"),
                ({"to": "server", "from": "server"}, ("server",), "downstream"),
                ({"from": "client"}, ("client", "server"), "upstream")):
            options = {"opcode": "text", "code": 1001, "reason": "moved", "grace": "60ms", **attributes}
            for _, pair in way.each("frame_close", ("both",), ws=True, **options):
                for stream in ("upstream", "downstream"):
                    pair.exchange(stream, frame(stream, PING, b"no text"))
                if "from" in attributes:
                    pair.exchange(OTHER[spoken], frame(OTHER[spoken], TEXT, b"not from there"))
                begin = time.monotonic()
                pair.exchange(spoken, frame(spoken, TEXT, b"text"))
                for name, conn in (("client", pair.client), ("server", pair.server)):
                    if name in to:
                        close = conn.frame()
                        assert (close.opcode, close.fin, close.payload) == (CLOSE, 1, b"\x03\xe9moved"), vars(close)
                        assert close.masked == (name == "server")
                pair.ends("fin")
                assert time.monotonic() - begin >= 0.06
        for _, pair in way.each("frame_close", ("both",), ws=True, lives=True, opcode="text", after=1):
            pair.exchange("upstream", frame("upstream", TEXT, b"the first"))

"""An RFC 6455 echo server in plain asyncio, written from the text of the RFC and from nothing of ours, with twists.

It is the third opinion of ci/e2e/robustness: without a twist the suite must find nothing wrong with it; with one, exactly
what the twist spoils. Run as `echo_server.py [--port N] [--twist NAME]...`; it prints its port as the first line and ends
with its standard input, so that it cannot outlive the test that started it.
"""
import argparse
import asyncio
import base64
import binascii
import codecs
import collections
import ctypes
import hashlib
import os
import re
import signal
import socket
import struct
import sys
import threading
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD_MAX = 32 << 10           # octets of a request head
MESSAGE_MAX = 64 << 20        # octets of a message
LINGER_S = 2.0                # how long TCP may stay open after our FIN
PR_SET_PDEATHSIG = 1          # of <sys/prctl.h>
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(:[0-9]*)?\Z")
QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    """The opening handshake is answered with a status."""

    def __init__(self, status, *fields):
        super().__init__(status)
        self.status, self.fields = status, fields


class Violation(Exception):
    """The connection is failed with a close code."""


def frame(opcode, payload=b"", fin=True):
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + struct.pack("!BH", 126, len(payload)) + payload
    return head + struct.pack("!BQ", 127, len(payload)) + payload


def unmask(key, octets):
    if not octets:
        return b""
    n = len(octets)
    pad = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(octets, "big") ^ int.from_bytes(pad, "big")).to_bytes(n, "big")


def sendable(code):
    """7.4: codes that may be on the wire; 1012 to 1014 are registered since."""
    return code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014) or 3000 <= code <= 4999


# Opening handshake ------------------------------------------------------------------------------------------------------------

def parse_head(head):
    """The fields of a request head, by lower-case name, or Refused."""
    lines = head.split(b"\r\n")
    if any(b"\n" in line or b"\r" in line or b"\0" in line for line in lines):
        raise Refused(400)
    words = lines[0].split(b" ")
    if len(words) != 3:
        raise Refused(400)
    method, target, version = words
    if not re.match(rb"HTTP/[0-9]\.[0-9]\Z", version):
        raise Refused(400)
    fields = collections.defaultdict(list)
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise Refused(400)
        fields[name.lower()].append(value.strip(b" \t"))
    if not TOKEN.match(method) or not target or any(c <= 0x20 or c >= 0x7f or c == 0x23 for c in target):
        raise Refused(400)
    if version < b"HTTP/1.1":
        raise Refused(426, b"Upgrade: websocket")
    if method != b"GET":
        raise Refused(405, b"Allow: GET")
    return target, fields


def elements(fields, name):
    joined = b",".join(fields.get(name, ()))
    return [e.strip(b" \t").lower() for e in joined.split(b",") if e.strip(b" \t")]


def check_host(target, fields):
    if len(fields[b"host"]) != 1 or not HOST.match(fields[b"host"][0]):
        raise Refused(400)
    if not target.startswith(b"/") and not re.match(rb"(?i)(https?|wss?)://[^/?]+", target):
        raise Refused(400)


def check_request(head):
    """4.2.1; the Accept value of a correct request."""
    target, fields = parse_head(head)
    check_host(target, fields)
    if b"websocket" not in elements(fields, b"upgrade"):
        raise Refused(426, b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    if b"upgrade" not in elements(fields, b"connection"):
        raise Refused(400)
    versions = fields[b"sec-websocket-version"]
    if versions != [b"13"]:
        raise Refused(426, b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    keys = fields[b"sec-websocket-key"]
    if len(keys) != 1 or not re.match(rb"[A-Za-z0-9+/]{22}==\Z", keys[0]):
        raise Refused(400)
    try:
        if len(base64.b64decode(keys[0], validate=True)) != 16:
            raise Refused(400)
    except binascii.Error:
        raise Refused(400) from None
    check_offers(fields)
    return base64.b64encode(hashlib.sha1(keys[0] + GUID).digest())


def check_offers(fields):
    """9.1 and 4.1 (10): what is not an offer by the grammar is refused; a good one is not taken up."""
    for value in fields.get(b"sec-websocket-extensions", ()):
        for offer in QUOTED.sub(unquoted, value).split(b","):
            parts = [p.strip(b" \t") for p in offer.split(b";")]
            if parts == [b""]:
                continue
            if not TOKEN.match(parts[0]) or not all(parameter_ok(p) for p in parts[1:]):
                raise Refused(400)
    if b"sec-websocket-protocol" not in fields:
        return
    names = [n.strip(b" \t") for n in b",".join(fields[b"sec-websocket-protocol"]).split(b",")]
    names = [n for n in names if n]
    if not names or any(not TOKEN.match(n) for n in names) or len(set(names)) != len(names):
        raise Refused(400)


def unquoted(quoted):
    """What a quoted string stands for has to be a token; a blank, which is none, where it is not."""
    word = re.sub(rb"\\(.)", rb"\1", quoted.group()[1:-1])
    return word if TOKEN.match(word) else b" "


def parameter_ok(text):
    name, equals, value = text.partition(b"=")
    return bool(TOKEN.match(name.strip())) and (not equals or bool(TOKEN.match(value.strip())))


# A connection -------------------------------------------------------------------------------------------------------------------

class Connection(asyncio.Protocol):
    """Octets in, octets out. Twists are subclasses that override a few of the small methods."""

    require_mask = minimal_only = refuse_top_bit = True

    def __init__(self, server):
        self.server = server
        self.transport = None
        self.buffer = bytearray()
        self.open = self.closed = self.gone = False
        self.opcode = None        # of the message being received
        self.message = bytearray()
        self.utf8 = None

    # What twists override
    def send(self, octets):
        self.transport.write(octets)

    def end(self):
        """FIN; TCP goes when the client's FIN comes, or after a while."""
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.server.loop.call_later(LINGER_S, self.transport.abort)

    def opened(self):
        pass

    def answer(self, opcode, payload):
        self.send(frame(opcode, payload))

    def before_frame(self, opcode, payload):
        pass

    # asyncio
    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc):
        self.gone = True

    def eof_received(self):
        if not self.open or self.closed:
            return False
        self.closed = True
        self.end()
        return True

    def data_received(self, data):
        if self.closed:
            return
        self.buffer += data
        if not self.open:
            self.read_request()
        if self.open:
            self.read_frames()

    # The opening handshake
    def read_request(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 and len(self.buffer) <= HEAD_MAX:
            if b"\n\n" in self.buffer or b"\n\r\n" in self.buffer:
                self.refuse(Refused(400))
            return
        try:
            if end < 0 or end > HEAD_MAX:
                raise Refused(431)
            accept = check_request(bytes(self.buffer[:end]))
        except Refused as why:
            self.refuse(why)
            return
        del self.buffer[:end + 4]
        self.open = True
        self.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self.opened()

    def refuse(self, why):
        fields = b"".join(f + b"\r\n" for f in why.fields)
        self.closed = True
        self.send(b"HTTP/1.1 %d Refused\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n" % (why.status, fields))
        self.end()

    # Frames
    def read_frames(self):
        try:
            while not self.closed and self.read_frame():
                pass
        except Violation as why:
            self.finish(struct.pack("!H", why.args[0]))

    def finish(self, body):
        self.closed = True
        self.buffer.clear()
        self.message.clear()
        self.send(frame(CLOSE, body))
        self.end()

    def check_first_octets(self):
        first, opcode = self.buffer[0], self.buffer[0] & 15
        if first & 0x70 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise Violation(1002)
        if opcode & 8 and (not first & 0x80 or (len(self.buffer) > 1 and self.buffer[1] & 127 > 125)):
            raise Violation(1002)
        if opcode in (TEXT, BINARY) and self.opcode is not None or opcode == CONTINUATION and self.opcode is None:
            raise Violation(1002)
        if len(self.buffer) > 1 and not self.buffer[1] & 0x80 and self.require_mask:
            raise Violation(1002)

    def read_length(self):
        """Payload length and where it ends, or None when octets are missing."""
        short = self.buffer[1] & 127
        size = {126: 4, 127: 10}.get(short, 2)
        if len(self.buffer) < size:
            return None
        cut = False
        length = int.from_bytes(self.buffer[2:size], "big") if size > 2 else short
        if length >> 63:
            if self.refuse_top_bit:
                raise Violation(1002)
            length &= (1 << 63) - 1
            cut = True
        if self.minimal_only and not cut and (size == 4 and length < 126 or size == 10 and length < 65536):
            raise Violation(1002)
        return length, size

    def read_frame(self):
        if not self.buffer:
            return False
        self.check_first_octets()
        if len(self.buffer) < 2:
            return False
        got = self.read_length()
        if got is None:
            return False
        length, at = got
        masked = self.buffer[1] & 0x80
        start = at + (4 if masked else 0)
        opcode, fin = self.buffer[0] & 15, bool(self.buffer[0] & 0x80)
        if not opcode & 8 and len(self.message) + length > self.server.max_message:
            raise Violation(1009)
        whole = len(self.buffer) >= start + length
        if not whole and len(self.buffer) > start:
            self.look_ahead(opcode, bytes(self.buffer[at:start]) if masked else bytes(4), start)
        if not whole:
            return False
        payload = bytes(self.buffer[start:start + length])
        if masked:
            payload = unmask(bytes(self.buffer[at:start]), payload)
        del self.buffer[:start + length]
        self.before_frame(opcode, payload)
        self.control(opcode, payload) if opcode & 8 else self.data(opcode, fin, payload)
        return True

    def look_ahead(self, opcode, key, start):
        """Text that is wrong already fails before its frame is complete (8.1)."""
        if opcode & 8 or (self.opcode if opcode == CONTINUATION else opcode) != TEXT or len(self.buffer) > 65536:
            return
        utf8 = codecs.getincrementaldecoder("utf-8")()
        if opcode == CONTINUATION:
            utf8.setstate(self.utf8.getstate())
        try:
            utf8.decode(unmask(key, bytes(self.buffer[start:])))
        except UnicodeDecodeError:
            raise Violation(1007) from None

    def data(self, opcode, fin, payload):
        if opcode != CONTINUATION:
            self.opcode = opcode
            self.utf8 = codecs.getincrementaldecoder("utf-8")()
        if self.opcode == TEXT:
            try:
                self.utf8.decode(payload, final=fin)
            except UnicodeDecodeError:
                raise Violation(1007) from None
        self.message += payload
        if fin:
            message, opcode = bytes(self.message), self.opcode
            self.message.clear()
            self.opcode = None
            self.answer(opcode, message)

    def control(self, opcode, payload):
        if opcode == PING:
            self.send(frame(PONG, payload))
        elif opcode == CLOSE:
            self.finish(self.close_body(payload))

    @staticmethod
    def close_body(body):
        if not body:
            return b""
        code = int.from_bytes(body[:2], "big")
        if len(body) == 1 or not sendable(code):
            raise Violation(1002)
        try:
            body[2:].decode("utf-8")
        except UnicodeDecodeError:
            raise Violation(1007) from None
        return body[:2]


# Twists: correct but unusual ---------------------------------------------------------------------------------------------------

class Delayed(Connection):
    """Everything that is written waits, in order; nothing blocks."""

    delay_s = 0.2

    def connection_made(self, transport):
        super().connection_made(transport)
        self.queue = collections.deque()

    def later(self, what, *args):
        self.queue.append((self.server.loop.time() + self.delay_s, what, args))
        if len(self.queue) == 1:
            self.server.loop.call_later(self.delay_s, self.pump)

    def pump(self):
        now = self.server.loop.time()
        while self.queue and self.queue[0][0] <= now + 0.001:
            _, what, args = self.queue.popleft()
            if not self.gone:
                what(*args)
        if self.queue:
            self.server.loop.call_later(self.queue[0][0] - now, self.pump)

    def send(self, octets):
        self.later(super().send, octets)

    def end(self):
        self.later(super().end)


class Octets(Connection):
    """Each write goes out one octet a segment, the rest of a long one in a piece."""

    single_max = 2000

    def send(self, octets):
        if self.transport.is_closing():
            return
        for i in range(min(len(octets), self.single_max)):
            super().send(octets[i:i + 1])
        super().send(octets[self.single_max:])


class Blocking(Connection):
    """20 ms of thought for every message, and nobody else is served meanwhile."""

    def answer(self, opcode, payload):
        time.sleep(0.02)
        super().answer(opcode, payload)


class Brief(Connection):
    """No connection lives longer than 3 s; ends with Close 1001."""

    life_s = 3.0

    def connection_made(self, transport):
        super().connection_made(transport)
        self.server.loop.call_later(self.life_s, self.expire)

    def expire(self):
        if self.gone or self.closed:
            return
        if self.open:
            self.finish(struct.pack("!H", 1001))
        else:
            self.closed = True
            self.end()


class BriefFin(Brief):
    """The same, ends with a FIN and no Close frame."""

    def expire(self):
        if not self.gone and not self.closed:
            self.closed = True
            self.end()


class DelayedBrief(Brief, Delayed):
    """Slow, and no connection lives longer than 3 s."""


# Twists: endless ----------------------------------------------------------------------------------------------------------------

class Endless(Connection):
    """Correct for the first connection (the look at the target); later ones pour without end from `opened` on."""

    def __init__(self, server):
        super().__init__(server)
        self.behaves = server.count <= server.behave
        self.paused = False

    def head(self):
        return b""

    def chunk(self):
        raise NotImplementedError

    def opened(self):
        if not self.behaves:
            self.send(self.head())
            self.pour()

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False
        self.pour()

    def pour(self):
        if not self.gone and not self.paused and not self.transport.is_closing():
            self.send(self.chunk())
            self.server.loop.call_soon(self.pour)


class EndlessHeader(Endless):
    def read_request(self):
        if self.behaves:
            super().read_request()
        elif b"\r\n\r\n" in self.buffer:
            self.closed = True
            self.send(b"HTTP/1.1 101 Switching Protocols\r\n")
            self.pour()

    def chunk(self):
        return b"X-Endless: header\r\n" * 500


class EndlessFrames(Endless):
    def chunk(self):
        return frame(PONG) * 5000


class EndlessTexts(Endless):
    def chunk(self):
        return frame(TEXT, b"x") * 5000


class EndlessMessage(Endless):
    def head(self):
        return frame(BINARY, b"", fin=False)

    def chunk(self):
        return frame(CONTINUATION, bytes(60000), fin=False)


class Huge(Endless):
    """A frame that declares 2^62 octets and brings as many as are taken."""

    def head(self):
        return struct.pack("!BBQ", 0x82, 127, 1 << 62)

    def chunk(self):
        return bytes(65536)


class Trickle(Endless):
    """A frame that declares 2^31 octets and brings one every 20 ms."""

    declared = 1 << 31

    def head(self):
        return struct.pack("!BBQ", 0x82, 127, self.declared)

    def pour(self):
        if not self.gone and not self.transport.is_closing():
            self.send(b"\0")
            self.server.loop.call_later(0.02, self.pour)


class TrickleSmall(Trickle):
    """The same with a length that is small enough to be waited for."""

    declared = 1 << 20


class Pings(Trickle):
    """No answer to anything, but a Ping every 20 ms: a heartbeat that works in a server that does not."""

    def head(self):
        return b""

    def pour(self):
        if not self.gone and not self.transport.is_closing():
            self.send(b"\x89\0")
            self.server.loop.call_later(0.02, self.pour)

    def read_frames(self):
        if self.behaves:
            super().read_frames()
        else:
            self.buffer.clear()


# Twists: planted bugs ---------------------------------------------------------------------------------------------------------

class Unmasked(Connection):
    require_mask = False


class NotMinimal(Connection):
    minimal_only = False


class TopBit(Connection):
    refuse_top_bit = False


class Dies(Connection):
    """The process ends on a Ping with the payload of one certain case."""

    def before_frame(self, opcode, payload):
        if opcode == PING and payload == self.server.poison:
            os._exit(3)


TWISTS = {
    "none": Connection, "delay": Delayed, "octets": Octets, "block": Blocking, "brief": Brief, "brief-fin": BriefFin,
    "delay-brief": DelayedBrief, "endless-header": EndlessHeader, "endless-frames": EndlessFrames,
    "endless-texts": EndlessTexts, "endless-message": EndlessMessage, "huge": Huge, "trickle": Trickle,
    "trickle-small": TrickleSmall, "pings": Pings, "unmasked": Unmasked, "not-minimal": NotMinimal, "top-bit": TopBit, "dies": Dies,
}


class Server:
    def __init__(self, options):
        self.twist = TWISTS[options.twist]
        self.poison = bytes.fromhex(options.poison)
        self.behave = options.behave
        self.max_message = options.max_message
        self.count = 0
        self.loop = None

    def connection(self):
        self.count += 1
        return self.twist(self)

    async def run(self, listening):
        self.loop = asyncio.get_running_loop()
        server = await self.loop.create_server(self.connection, sock=listening)
        await server.serve_forever()


def end_with_stdin():
    while os.read(0, 4096):
        pass
    os._exit(0)


def fork_for_ever():
    """Returns in a child that ends with its parent; there is always one, and who connects meanwhile waits in the backlog."""
    parent = os.getpid()
    while True:
        child = os.fork()
        if not child:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(0)
            return
        os.waitpid(child, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--twist", choices=sorted(TWISTS), default="none")
    parser.add_argument("--poison", default="", help="Ping payload, in hex, that ends the process of the twist `dies`")
    parser.add_argument("--behave", type=int, default=1, help="connections that the endless twists serve well first")
    parser.add_argument("--max-message", type=int, default=MESSAGE_MAX, help="octets of a message; a larger one is answered by 1009")
    parser.add_argument("--forked", action="store_true", help="serve from a process that is forked again whenever it has ended")
    options = parser.parse_args()
    listening = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    print(listening.getsockname()[1], flush=True)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    if options.forked:
        fork_for_ever()
    asyncio.run(Server(options).run(listening))


if __name__ == "__main__":
    sys.exit(main())

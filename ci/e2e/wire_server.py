"""The wire without a library: one end of a WebSocket connection that is told what to send and writes down what comes,
octet for octet and when, and a server that accepts such ends. Nothing is checked here: what is on the wire may be as
wrong as a test wants it.
"""
import base64
import errno
import hashlib
import select
import socket
import struct
import time

DEADLINE_S = 60  # a guard against hanging, no measure
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame_octets(opcode, payload=b"", fin=True, key=None):
    """One frame (RFC 6455 5.2); with a key it is masked, as a client's is."""
    size, mask = len(payload), 128 if key else 0
    head = bytes([opcode | 128 * fin])
    if size < 126:
        head += bytes([mask | size])
    else:
        short = size < 1 << 16
        head += bytes([mask | (126 if short else 127)]) + struct.pack(">H" if short else ">Q", size)
    return head + (key + masked(payload, key) if key else payload)


def masked(payload, key):
    size = len(payload)
    number = int.from_bytes(payload, "big") ^ int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return number.to_bytes(size, "big")


class Frame:
    def __init__(self, first, masked, payload, at):
        self.fin, self.rsv, self.opcode = first >> 7, first >> 4 & 7, first & 15
        self.masked, self.payload, self.at = masked, payload, at


class Conn:
    """One end of a connection. `request` is the head as it came; frames are taken with frame()."""

    def __init__(self, sock):
        self.sock, self.left, self.pieces = sock, b"", []
        self.accepted = time.monotonic()
        sock.settimeout(DEADLINE_S)

    def take(self, size):
        while len(self.left) < size:
            octets = self.sock.recv(65536)
            if not octets:
                raise EOFError
            self.pieces.append((time.monotonic(), octets))
            self.left += octets
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        self.request = head.decode()
        return self

    def upgrade(self, *fields):
        self.head()
        lines = self.request.split("\r\n")
        key = next(line[18:].strip() for line in lines if line.lower().startswith("sec-websocket-key:"))
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        reply = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Accept: " + base64.b64encode(digest).decode(), *fields)
        self.sock.sendall("".join(line + "\r\n" for line in (*reply, "")).encode())
        return self

    def frame(self):
        first, second = self.take(2)
        size = second & 127
        if size > 125:
            size = struct.unpack(">H" if size == 126 else ">Q", self.take(2 if size == 126 else 8))[0]
        key = self.take(4) if second & 128 else bytes(4)
        payload = self.take(size)
        if key != bytes(4):
            payload = masked(payload, key)
        return Frame(first, second >> 7, payload, time.monotonic())

    def say(self, opcode, payload=b"", fin=True):
        self.sock.sendall(frame_octets(opcode, payload, fin))

    def rest(self):
        """What still comes, and how the other side ended it: "fin" or "reset"."""
        rest, self.left = self.left, b""
        try:
            while octets := self.sock.recv(65536):
                rest += octets
            return rest, "fin"
        except ConnectionResetError:
            return rest, "reset"

    def ended(self):
        return self.rest()[1]

    def has_ended(self, within_s=0):
        """The kernel knows of an end; octets before it may not have been read yet."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return bool(poll.poll(within_s * 1000))

    def error_of_end(self):
        """How it ended, asked another way: by SO_ERROR, once the kernel knows of an end."""
        assert self.has_ended(DEADLINE_S), "no end came"
        return {0: "fin", errno.ECONNRESET: "reset"}[self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]


class Target:
    def __init__(self, send_buffer=None):
        self.listener = socket.socket()
        if send_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)
        self.listener.settimeout(DEADLINE_S)
        self.port = self.listener.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/path?x=1"

    def accept(self):
        return Conn(self.listener.accept()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def tcp_info(sock, at, form="I"):
    return struct.unpack_from(form, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), at)[0]


def fill(sock):
    """Sends until the kernel takes no more and the other side's window is shut: it was probed and stayed so."""
    sent = 0
    sock.setblocking(False)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            sent += sock.send(bytes(65536))
        except BlockingIOError:
            if tcp_info(sock, 4, "B") >= 3:  # tcpi_backoff: the window was shut at the third probe, too
                return sent
            time.sleep(0.01)
    raise AssertionError(f"it took {sent} octets and more")

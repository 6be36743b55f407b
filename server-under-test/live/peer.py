"""A WebSocket client for many at once, on asyncio: frames are cut out of what came in one pass, JSON is read once."""
import asyncio
import base64
import json
import os
import struct

import ws as wire


class Peer(asyncio.Protocol):
    """One connection to /ws. heard(message) is called for each message, gone(code) once, also when it never opened."""

    def __init__(self, path, heard, gone):
        self.path, self.heard, self.gone = path, heard, gone
        self.transport, self.data, self.open, self.code = None, b"", False, 1006

    def connection_made(self, transport):
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(wire.upgrade(self.path, key=key))

    def data_received(self, data):
        data = self.data = self.data + data if self.data else data
        if not self.open:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self.code = int(head.split()[1])
                self.transport.close()
                self.data = b""
                return
            self.open = True
        at, size = 0, len(data)
        while size - at >= 2:
            length, begin = data[at + 1], at + 2
            if length == 126:
                if size - at < 4:
                    break
                length, begin = data[at + 2] << 8 | data[at + 3], at + 4
            elif length == 127:
                if size - at < 10:
                    break
                (length,), begin = struct.unpack_from(">Q", data, at + 2), at + 10
            if size - begin < length:
                break
            at_opcode, at = data[at], begin + length
            self.frame(at_opcode, data[begin:at])
        self.data = data[at:]

    def frame(self, first, payload):
        if first == 0x81:
            self.heard(json.loads(payload))
        elif first == 0x89:
            self.transport.write(wire.frame(wire.PONG, payload))
        elif first == 0x88:
            self.code = struct.unpack(">H", payload[:2])[0] if payload else 1005
            self.transport.write(wire.frame(wire.CLOSE, payload[:2]))
            self.transport.close()
        elif first != 0x8a:
            raise AssertionError(f"a frame that begins with {first:#x}")

    def say(self, message):
        if self.transport and not self.transport.is_closing():
            self.transport.write(wire.frame(wire.TEXT, json.dumps(message).encode()))

    def connection_lost(self, _):
        self.gone(self.code)

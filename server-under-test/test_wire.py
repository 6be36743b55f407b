#!/usr/bin/python3
"""The libwebsockets engine on the wire: half-sent frames, permessage-deflate, limits, the fragment timeout, the log.

usage: test_wire.py wsquall-server
"""
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest
import zlib

import test_live
from test_live import DEADLINE_S, REQUEST, Conn, Server, frame

OFFER = REQUEST + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
RSV1 = 0x40
FREE = ("--rate-messages", "0", "--limit-handshakes", "0", "--limit-per-address", "0")


def head_of(first, length):
    """A client's frame head with an announced length and a mask of zeros."""
    if length < 126:
        return bytes([first, 0x80 | length]) + b"\0\0\0\0"
    if length < 65536:
        return bytes([first, 0xfe]) + struct.pack(">H", length) + b"\0\0\0\0"
    return bytes([first, 0xff]) + struct.pack(">Q", length) + b"\0\0\0\0"


def deflated(payload):
    compress = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compress.compress(payload) + compress.flush(zlib.Z_SYNC_FLUSH))[:-4]


def packed(opcode, data, fin=True):
    """A frame with RSV1 around octets that are compressed already."""
    octets = bytearray(frame(opcode, data, fin))
    octets[0] |= RSV1
    return bytes(octets)


def unpacked(first, payload):
    if first & RSV1:
        payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
    return first & 0xf, payload


class Wire(unittest.TestCase):
    def start(self, *options):
        return Server(*FREE, "--drain-notice", "0", "--drain-spread", "0", *options)

    def closed_with(self, conn, code):
        first, body = conn.frame()
        self.assertEqual((first, struct.unpack(">H", body[:2])[0]), (0x88, code), body)

    def test_pongs_between_frames_that_leave_in_parts(self):
        rng = random.Random(3)
        messages = [rng.randbytes(rng.choice((10, 200, 1000, 70000, 300000))) for _ in range(60)]
        with self.start() as server, server.connect() as conn:
            conn.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100000)
            conn.head()
            started = threading.Event()

            def write():
                for i, message in enumerate(messages):
                    conn.send(frame(2, message) + frame(9, b"%d" % i))
                    if i == 3:
                        started.set()
                conn.send(frame(8, b"\x03\xe8"))

            writer = threading.Thread(target=write)
            writer.start()
            started.wait()
            echoes, pongs, first = [], [], 0
            while first != 0x88:
                first, payload = conn.frame()
                self.assertIn(first, (0x82, 0x8a, 0x88))
                (echoes if first == 0x82 else pongs).append(payload)
            writer.join()
            self.assertEqual(echoes, messages)
            self.assertEqual(pongs.pop(), b"\x03\xe8")  # the Close
            numbers = [int(pong) for pong in pongs]
            self.assertTrue(numbers and numbers == sorted(set(numbers)))
            end = server.log_until("ws.disconnect")
            self.assertEqual((end["code"], end["clean"], end["sent"], end["received"]), (1000, True, 60, 60))

    def test_deflate(self):
        with self.start() as server, server.connect() as conn:
            self.assertIn(b"\r\nSec-WebSocket-Extensions: permessage-deflate", conn.head(OFFER))
            for size in (0, 1, 127, 128, 5000, 1 << 20, 5000000):
                message = (b"abcdefgh" * (size // 8 + 1))[:size]
                conn.send(packed(1, deflated(message)))
                self.assertEqual(unpacked(*conn.frame()), (1, message))
            noise = random.Random(1).randbytes(100000)
            conn.send(packed(2, deflated(noise)))
            self.assertEqual(unpacked(*conn.frame()), (2, noise))
            conn.send(frame(1, b"not compressed"))
            self.assertEqual(unpacked(*conn.frame()), (1, b"not compressed"))
            message = b"hello " * 300
            data = deflated(message)
            conn.send(packed(1, data[:5], False) + frame(9, b"within") + frame(0, data[5:9], False) + frame(0, b"", False) +
                      frame(0, data[9:]))
            self.assertEqual(conn.frame(), (0x8a, b"within"))
            self.assertEqual(unpacked(*conn.frame()), (1, message))
            for octet in packed(1, data):
                conn.send(bytes([octet]))
            self.assertEqual(unpacked(*conn.frame()), (1, message))
            compress = zlib.compressobj(9, zlib.DEFLATED, -15)  # RFC 7692 7.2.3.4: BFINAL is 1
            conn.send(packed(1, compress.compress(b"final") + compress.flush() + b"\0"))
            self.assertEqual(unpacked(*conn.frame()), (1, b"final"))

    def test_deflate_refusals(self):
        cases = ((packed(1, b"\xff\xff\xff"), 1007), (packed(1, deflated(b"\xff" * 200)), 1007),
                 (packed(2, deflated(b"\0" * 2000000)), 1009), (packed(1, b"", False) + packed(0, b""), 1002))
        with self.start("--echo-max", "1MiB") as server:
            for octets, code in cases:
                with server.connect() as conn:
                    conn.head(OFFER)
                    conn.send(octets)
                    self.closed_with(conn, code)
                    self.assertEqual(conn.rest(), b"")

    def test_deflate_parameters_are_repeated(self):
        ours = b"permessage-deflate; client_no_context_takeover"
        message = b"abcdefgh" * 1000
        answers = {  # the offer: what is answered, and whether we compress then
            b"permessage-deflate; server_no_context_takeover": (ours + b"; server_no_context_takeover", True),
            b"permessage-deflate; server_max_window_bits=15": (ours + b"; server_max_window_bits=15", True),
            b"permessage-deflate; server_max_window_bits=8; client_max_window_bits=12":
                (ours + b"; server_max_window_bits=8", False),
            b"permessage-deflate; server_max_window_bits=16, permessage-deflate": (ours, True),
        }
        with self.start() as server:
            for offer, (answer, compressed) in answers.items():
                with server.connect() as conn:
                    head = conn.head(REQUEST + b"Sec-WebSocket-Extensions: " + offer + b"\r\n\r\n")
                    self.assertIn(b"\r\nSec-WebSocket-Extensions: " + answer + b"\r\n", head)
                    conn.send(packed(1, deflated(message)))
                    first, body = conn.frame()
                    self.assertEqual(first, 0x81 | (RSV1 if compressed else 0), offer)
                    self.assertEqual(unpacked(first, body), (1, message))

    def test_announced_length(self):
        cases = (head_of(0x82, 1001), head_of(0x82, 1 << 62), frame(1, b"x" * 600, False) + head_of(0x80, 401))
        with self.start("--echo-max", "1000") as server:
            for octets in cases:
                with server.connect() as conn:
                    conn.head()
                    conn.send(octets)
                    self.closed_with(conn, 1009)
                    self.assertEqual(conn.rest(), b"")

    def test_close_survives_octets_that_nobody_reads(self):
        with self.start("--echo-max", "1000") as server, server.connect() as conn:
            conn.head()
            try:
                conn.send(head_of(0x82, 50 << 20) + b"x" * 3000000)
            except ConnectionError:
                pass  # the end came first; the Close is there all the same
            self.closed_with(conn, 1009)

    def test_fragment_timeout(self):
        cases = (frame(1, b"x", False), frame(2, b"x" * 100)[:50], frame(2, b"x" * 100)[:6], frame(1, b"", False))
        with self.start("--fragment-timeout", "50ms") as server:
            for octets in cases:
                with server.connect() as conn:
                    conn.head()
                    conn.send(octets)
                    self.closed_with(conn, 4009)
                    conn.send(frame(8, b"\x0f\xa9"))
                    conn.socket.shutdown(socket.SHUT_WR)
                    conn.rest()
                end = server.log_until("ws.disconnect")
                self.assertEqual((end["code"], end["reason"], end["initiator"]), (4009, "fragment timeout", "server"))

    def test_fragments_do_not_prolong(self):
        with self.start("--fragment-timeout", "100ms") as server, server.connect() as conn:
            conn.head()
            conn.send(frame(1, b"x", False))
            conn.socket.settimeout(0.01)
            while len(conn.data) < 4:  # a server that renews the timeout is never heard
                try:
                    conn.send(frame(0, b"y", False))
                    conn.fill(4)
                except TimeoutError:
                    pass
            conn.socket.settimeout(DEADLINE_S)
            self.closed_with(conn, 4009)

    def test_peer_that_reads_nothing(self):
        with self.start("--close-timeout", "200ms") as server, server.connect() as conn:
            conn.head()
            conn.socket.settimeout(1)
            sent = 0
            try:
                while sent < 400:
                    conn.send(frame(2, b"z" * 100000))
                    sent += 1
            except TimeoutError:
                pass
            self.assertLess(sent, 400)  # the echoes push back
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(DEADLINE_S), 0)
            ends = [line for line in map(json.loads, server.process.stdout) if line["event"] == "ws.disconnect"]
            self.assertEqual([(e["code"], e["clean"], e["initiator"]) for e in ends], [(1001, False, "server")])

    def test_rate_on_echo(self):
        with Server("--rate-messages", "1", "--rate-burst", "3") as server, server.connect() as conn:
            conn.head()
            conn.send(frame(1, b"x") * 10)
            self.assertEqual([conn.frame() for _ in range(3)], [(0x81, b"x")] * 3)
            self.closed_with(conn, 4029)


class Log(unittest.TestCase):
    """Standard output is a pipe that is not read, then one that is gone."""

    def visit(self, port):
        with Conn(port) as conn:
            conn.head()
            conn.send(frame(8, b"\x03\xe8"))
            self.assertEqual(conn.frame(), (0x88, b"\x03\xe8"))
            conn.rest()

    def test_reader(self):
        reader, writer = os.pipe()
        process = subprocess.Popen([test_live.SERVER, "--port", "0", *FREE], stdout=writer)
        os.close(writer)
        try:
            line = b""
            while not line.endswith(b"\n"):
                line += os.read(reader, 1)
            port = json.loads(line)["port"]
            for _ in range(400):
                self.visit(port)
            os.set_blocking(reader, False)
            kept = b""
            try:
                while True:
                    kept += os.read(reader, 65536)
            except BlockingIOError:
                os.set_blocking(reader, True)
            for part in kept.splitlines():
                json.loads(part)
            self.visit(port)
            self.assertEqual(json.loads(os.read(reader, 65536).splitlines()[0])["event"], "log.lost")
            os.close(reader)
            self.visit(port)
            self.visit(port)
            process.terminate()
            self.assertEqual(process.wait(DEADLINE_S), 0)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


if __name__ == "__main__":
    unittest.main()

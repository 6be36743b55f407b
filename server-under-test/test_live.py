#!/usr/bin/python3
"""The server as a process: both engines on a free port, spoken to by raw sockets and by Debian's websockets client.

usage: test_live.py wsquall-server
"""
import asyncio
import json
import os
import random
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest

SERVER = sys.argv.pop(1) if len(sys.argv) > 1 else "./wsquall-server"
REQUEST = (b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n")
ACCEPT = b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
DEADLINE_S = 30  # for anything that should come at once: only a hang reaches it


def frame(opcode, payload=b"", fin=True):
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
    return head + b"\0\0\0\0" + payload


class Server:
    """A started server; log() reads its next line."""

    def __init__(self, *options):
        self.process = subprocess.Popen([SERVER, "--port", "0", *options], stdout=subprocess.PIPE)
        self.lines = []
        ready = self.log()
        assert ready["event"] == "server.ready" and ready["conn"] is None, ready
        self.port = ready["port"]

    def log(self):
        line = json.loads(self.process.stdout.readline())
        self.lines.append(line)
        return line

    def log_until(self, event):
        while True:
            line = self.log()
            if line["event"] == event:
                return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def connect(self):
        return Conn(self.port)


class Conn:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def fill(self, size):
        while len(self.data) < size:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(self.data)
            self.data += more

    def take(self, size):
        self.fill(size)
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def head(self, request=REQUEST + b"\r\n"):
        self.send(request)
        while b"\r\n\r\n" not in self.data:
            self.fill(len(self.data) + 1)
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def frame(self):
        first, second = self.take(2)
        length = second & 0x7f
        if length == 126:
            length, = struct.unpack(">H", self.take(2))
        elif length == 127:
            length, = struct.unpack(">Q", self.take(8))
        assert not second & 0x80, "a masked frame"
        return first, self.take(length)

    def message(self):
        """The frames up to a final one, joined; opcode of the first."""
        opcode, whole = None, b""
        while True:
            first, payload = self.frame()
            opcode = first & 0x7f if opcode is None else opcode
            whole += payload
            if first & 0x80:
                return opcode, whole

    def rest(self):
        while True:
            more = self.socket.recv(65536)
            if not more:
                return self.data
            self.data += more


class Engine:
    """Tests that hold for both engines; the classes below say which."""
    engine = None

    def start(self, *options):
        return Server("--engine", self.engine, "--drain-notice", "0", "--drain-spread", "0", *options)

    def stop(self, server, number=signal.SIGTERM):
        server.process.send_signal(number)
        self.assertEqual(server.process.wait(DEADLINE_S), 0)

    def test_echo(self):
        with self.start() as server:
            with server.connect() as conn:
                self.assertIn(ACCEPT, conn.head())
                for size in (0, 1, 125, 126, 127, 65535, 65536, 1000000):
                    conn.send(frame(2, b"\xff" * size))
                    self.assertEqual(conn.message(), (2, b"\xff" * size))
                conn.send(frame(1, "zwölf".encode()))
                self.assertEqual(conn.frame(), (0x81, "zwölf".encode()))
                conn.send(frame(1, b"a", False) + frame(9, b"ping") + frame(0, b"", False) + frame(0, b"b"))
                self.assertEqual([conn.frame(), conn.frame()], [(0x8a, b"ping"), (0x81, b"ab")])
            self.stop(server)

    def test_largest_message_and_limit(self):
        with self.start() as server:
            with server.connect() as conn:
                conn.head()
                whole = random.Random(1).randbytes(16 * 1024 * 1024)
                conn.send(frame(2, whole))
                self.assertEqual(conn.message(), (2, whole))
                conn.send(frame(2, b"x" * 10, False) + frame(0, whole)[:1000])
                first, body = conn.frame()
                self.assertEqual((first, body[:2]), (0x88, struct.pack(">H", 1009)))
                self.assertEqual(conn.rest(), b"")
            self.assertEqual(server.log_until("ws.disconnect")["code"], 1009)
            self.stop(server)

    def test_frames_behind_the_request(self):
        with self.start() as server:
            with server.connect() as conn:
                conn.head(REQUEST + b"\r\n" + frame(1, b"early"))
                self.assertEqual(conn.frame(), (0x81, b"early"))
            with server.connect() as conn:
                for octet in REQUEST + b"\r\n" + frame(1, b"slow"):
                    conn.send(bytes([octet]))
                self.assertIn(b" 101 ", conn.head(b""))
                self.assertEqual(conn.frame(), (0x81, b"slow"))
            self.stop(server)

    def test_close_is_answered_and_logged(self):
        cases = [(b"", b"", 1005, ""), (b"\x03\xe8bye", b"\x03\xe8", 1000, "bye"), (b"\x0f\xa0", b"\x0f\xa0", 4000, "")]
        with self.start() as server:
            for sent, answer, code, reason in cases:
                with server.connect() as conn:
                    head = conn.head()
                    conn.send(frame(1, b"x") + frame(8, sent))
                    self.assertEqual(conn.frame(), (0x81, b"x"))
                    self.assertEqual(conn.frame(), (0x88, answer))
                    self.assertEqual(conn.rest(), b"")
                connect, end = server.log_until("ws.connect"), server.log_until("ws.disconnect")
                self.assertIn(b"\r\nx-wsquall-conn: " + connect["conn"].encode() + b"\r\n", head.lower())
                self.assertEqual(connect["path"], "/echo")
                keys = ("conn", "code", "reason", "clean", "initiator", "sent", "received")
                self.assertEqual({k: end[k] for k in keys},
                                 {"conn": connect["conn"], "code": code, "reason": reason, "clean": True,
                                  "initiator": "client", "sent": 1, "received": 1})
            self.stop(server)

    def test_ends_without_close(self):
        with self.start() as server:
            with server.connect() as conn:
                conn.head()
                conn.send(b"\x82")
            self.check_end(server, 1006, "network")
            with server.connect() as conn:
                conn.head()
                conn.send(frame(2, b"x" * 70000)[:-1])
                conn.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.check_end(server, 1006, "network")
            with server.connect() as conn:
                conn.head()
                conn.send(frame(3, b"x"))
                first, body = conn.frame()
                self.assertEqual((first, body[:2]), (0x88, struct.pack(">H", 1002)))
                self.assertEqual(conn.rest(), b"")
            self.check_end(server, 1002, "server")
            self.stop(server)

    def check_end(self, server, code, initiator):
        end = server.log_until("ws.disconnect")
        self.assertEqual((end["code"], end["clean"], end["initiator"]), (code, False, initiator))

    def drain(self, number, code):
        with self.start("--close-timeout", "1s") as server:
            conns = [server.connect() for _ in range(5)]
            for conn in conns:
                conn.head()
            server.process.send_signal(number)
            for i, conn in enumerate(conns):
                first, body = conn.frame()
                self.assertEqual((first, body[:2]), (0x88, struct.pack(">H", code)))
                if i > 0:  # the first one never answers
                    conn.send(frame(8, body[:2]))
            for conn in conns:
                self.assertEqual(conn.rest(), b"")
                conn.socket.close()
            self.assertEqual(server.process.wait(DEADLINE_S), 0)
            lines = [json.loads(line) for line in server.process.stdout]
            ends = [line for line in lines if line["event"] == "ws.disconnect"]
            self.assertEqual(sorted((end["code"], end["clean"], end["initiator"]) for end in ends),
                             [(code, False, "server")] + [(code, True, "server")] * 4)
            self.assertEqual([line["conn"] for line in lines if line["event"] == "server.drain"], [None])

    def test_drain(self):
        self.drain(signal.SIGTERM, 1001)

    def test_drain_for_restart(self):
        self.drain(signal.SIGUSR2, 1012)

    def test_second_signal_ends_at_once(self):
        with Server("--engine", self.engine, "--drain-notice", "1m") as server:
            with server.connect() as conn:
                conn.head()
                server.process.send_signal(signal.SIGTERM)
                server.log_until("server.drain")
                conn.send(frame(1, b"still served"))
                self.assertEqual(conn.frame(), (0x81, b"still served"))
                self.stop(server)

    def test_refusals(self):
        requests = {
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n": 200,
            REQUEST.replace(b"/echo", b"/nope") + b"\r\n": 404,
            REQUEST.replace(b"GET", b"POST") + b"\r\n": 405,
            REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n": 400,
            REQUEST.replace(b"Host: localhost\r\n", b"") + b"\r\n": 400,
            REQUEST.replace(b"ZQ==", b"ZQ=") + b"\r\n": 400,
            REQUEST.replace(b": 13", b": 8") + b"\r\n": 426,
            REQUEST + b"X: " + b"y" * 9000 + b"\r\n\r\n": 431,
            REQUEST + b"Origin: https://evil.example\r\n\r\n": 403,
            REQUEST + b"X-A: \x00\r\n\r\n": 400,
        }
        with self.start("--origins-echo=checked", "--origins-denied", "https://evil.example") as server:
            for request, status in requests.items():
                with server.connect() as conn:
                    head = conn.head(request)
                    self.assertEqual(int(head.split()[1]), status, request[:200])
                    if status == 426:
                        self.assertIn(b"\r\nSec-WebSocket-Version: 13\r\n", head)
                    conn.rest()
                if status != 200:
                    refused = server.log_until("ws.refused")
                    self.assertEqual(refused["status"], status)
                    self.assertIn(b"X-Wsquall-Conn: " + refused["conn"].encode(), head)
            self.stop(server)

    def test_handshake_timeout(self):
        with self.start("--handshake-timeout", "50ms") as server:
            with server.connect() as conn:
                self.assertIn(b" 408 ", conn.head(b"GET /echo"))
            with server.connect() as conn:
                self.assertEqual(conn.rest(), b"")
            self.stop(server)

    def test_subprotocol(self):
        for offer, chosen in ((b"x, two", b"two"), (b"x", None), (b"one,two", b"one")):
            with self.start("--subprotocols", "one,two") as server, server.connect() as conn:
                head = conn.head(REQUEST + b"Sec-WebSocket-Protocol: " + offer + b"\r\n\r\n")
                self.assertIn(b" 101 ", head)
                if chosen:
                    self.assertIn(b"\r\nSec-WebSocket-Protocol: " + chosen + b"\r\n", head)
                else:
                    self.assertNotIn(b"Sec-WebSocket-Protocol", head)
                conn.send(frame(2, b"x"))
                self.assertEqual(conn.frame(), (0x82, b"x"))

    def test_garbage(self):
        rng = random.Random(7)
        with self.start() as server:
            for i in range(150):
                with server.connect() as conn:
                    if i % 2:
                        conn.head()
                    try:
                        conn.send(rng.randbytes(rng.randrange(1, 3000)))
                        conn.socket.shutdown(socket.SHUT_WR)
                        conn.rest()
                    except OSError:
                        pass
            with server.connect() as conn:
                conn.head()
                conn.send(frame(1, b"alive"))
                self.assertEqual(conn.frame(), (0x81, b"alive"))
            self.stop(server)

    def test_real_client(self):
        import websockets

        async def talk(port):
            uri = f"ws://127.0.0.1:{port}/echo"
            async with websockets.connect(uri, subprotocols=["x", "wsquall.v1"], max_size=None) as ws:
                self.assertEqual(ws.subprotocol, "wsquall.v1")
                for message in ("", "grüße", b"\0\xff", "x" * 70000, b"y" * 3000000):
                    await ws.send(message)
                    self.assertEqual(await ws.recv(), message)
                await ws.send(iter(["frag", "ment", "ed"]))
                self.assertEqual(await ws.recv(), "fragmented")
                await (await ws.ping())
            self.assertEqual(ws.close_code, 1000)

        with self.start() as server:
            asyncio.run(asyncio.wait_for(talk(server.port), DEADLINE_S))
            end = server.log_until("ws.disconnect")
            self.assertEqual((end["code"], end["clean"], end["sent"]), (1000, True, 6))
            self.stop(server)

    def test_tls(self):
        import websockets
        with tempfile.TemporaryDirectory() as folder:
            cert, key = folder + "/cert.pem", folder + "/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-days", "1", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                            "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
            context = ssl.create_default_context(cafile=cert)

            async def talk(port):
                async with websockets.connect(f"wss://127.0.0.1:{port}/echo", ssl=context, subprotocols=["zzz"]) as ws:
                    self.assertIsNone(ws.subprotocol)
                    for message in ("hello", b"\0" * 300000):
                        await ws.send(message)
                        self.assertEqual(await ws.recv(), message)
                self.assertEqual(ws.close_code, 1000)
                with self.assertRaises(websockets.InvalidStatusCode) as refused:
                    await websockets.connect(f"wss://127.0.0.1:{port}/nope", ssl=context)
                self.assertEqual(refused.exception.status_code, 404)

            with self.start("--tls-cert", cert, "--tls-key", key) as server:
                self.assertTrue(server.lines[0]["tls"])
                asyncio.run(asyncio.wait_for(talk(server.port), DEADLINE_S))
                end = server.log_until("ws.disconnect")
                self.assertEqual((end["code"], end["clean"]), (1000, True))
                self.stop(server)
            result = subprocess.run([SERVER, "--tls-cert", key, "--tls-key", key], capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr.count("\n")), (64, 1))


class Lws(Engine, unittest.TestCase):
    engine = "lws"


class Naive(Engine, unittest.TestCase):
    engine = "naive"

    def test_defect(self):
        with self.start("--defect", "pong_payload_empty,echo_binary_as_text") as server, server.connect() as conn:
            conn.head()
            conn.send(frame(9, b"abc") + frame(2, b"x"))
            self.assertEqual([conn.frame(), conn.frame()], [(0x8a, b""), (0x81, b"x")])


class CommandLine(unittest.TestCase):
    def run_server(self, *options):
        return subprocess.run([SERVER, *options], capture_output=True, text=True, timeout=DEADLINE_S)

    def test_usage_errors(self):
        for options in (["--nope"], ["--port"], ["--port", "65536"], ["--port", "1x"], ["--echo-max", "-1"], ["stray"],
                        ["--drain-spread", "x"], ["--engine", "x"], ["--defect", "nope"],
                        ["--engine", "lws", "--defect", "rsv_ignored"], ["--bind", "localhost"], ["--tls-cert", "x"],
                        ["--log", "/nonexistent/log"]):
            result = self.run_server(*options)
            self.assertEqual(result.returncode, 64, options)
            self.assertEqual((result.stdout, result.stderr.count("\n")), ("", 1), options)
            self.assertTrue(result.stderr.startswith("wsquall-server: "), result.stderr)

    def test_port_in_use(self):
        for engine in ("lws", "naive"):
            with Server("--engine", engine) as server:
                result = self.run_server("--port", str(server.port), "--engine", engine)
                self.assertEqual(result.returncode, 69)
                self.assertIn(str(server.port), result.stderr)

    def test_help_and_version(self):
        result = self.run_server("--help")
        self.assertEqual(result.returncode, 0)
        for option in ("--port", "--tls-cert", "--drain-timeout", "--list-defects"):
            self.assertIn(option, result.stdout)
        self.assertRegex(self.run_server("--version").stdout, r"^wsquall-server \d+\.\d+\.\d+\n$")

    def test_defects_are_listed(self):
        rows = json.loads(self.run_server("--list-defects").stdout)
        self.assertGreaterEqual(len(rows), 60)
        for row in rows:
            self.assertTrue(row["name"] and row["about"] and row["catches"], row)

    def test_log_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/log"
            process = subprocess.Popen([SERVER, "--port", "0", "--log", path, "--drain-notice", "0", "--node", "b"])
            try:
                while not os.path.exists(path) or not os.path.getsize(path):
                    self.assertIsNone(process.poll())
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(DEADLINE_S), 0)
            finally:
                if process.poll() is None:
                    process.kill()
            with open(path) as lines:
                events = [json.loads(line) for line in lines]
            self.assertEqual([(e["event"], e["node"]) for e in events], [("server.ready", "b"), ("server.drain", "b")])


if __name__ == "__main__":
    unittest.main()

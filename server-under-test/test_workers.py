#!/usr/bin/python3
"""Several processes, configuration files and drains, seen from outside; starts a redis-server of its own.

usage: test_workers.py wsquall-server
"""
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SERVER = sys.argv.pop(1) if len(sys.argv) > 1 else "./wsquall-server"
DEADLINE_S = 30  # for anything that should come at once: only a hang reaches it
WORKERS = 3


class Server:
    def __init__(self, *options):
        self.process = subprocess.Popen([SERVER, "--port", "0", *options], stdout=subprocess.PIPE)
        self.ready = self.log_until("server.ready")
        self.port = self.ready["port"]

    def log_until(self, event):
        for line in self.process.stdout:
            found = json.loads(line)
            if found["event"] == event:
                return found
        raise EOFError(event)

    def rest(self):
        """The other lines; the server has ended."""
        return [json.loads(line) for line in self.process.stdout]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(DEADLINE_S)

    def pids(self):
        """Of the workers."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            return [int(pid) for pid in children.read().split()]

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    def get(self, path):
        with self.connect() as conn:
            conn.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            answer = b""
            while more := conn.recv(65536):
                answer += more
        head, body = answer.decode().split("\r\n\r\n", 1)
        return int(head.split()[1]), body

    def metric(self, name):
        return float(re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.M)[1])

    def upgrade(self, path="/echo"):
        """An open WebSocket, or the status that refused it."""
        conn = self.connect()
        key = base64.b64encode(os.urandom(16)).decode()
        conn.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            more = conn.recv(1)
            if not more:
                raise EOFError(head)
            head += more
        status = int(head.split()[1])
        if status == 101:
            return conn
        conn.close()
        return status


def close_code(conn):
    """Reads up to the Close and answers it."""
    data = b""
    while True:
        more = conn.recv(65536)
        if not more:
            raise EOFError(data)
        data += more
        at = 0
        while len(data) - at >= 2 and len(data) - at >= 2 + (data[at + 1] & 0x7f) and data[at + 1] < 126:
            length = data[at + 1]
            if data[at] == 0x88:
                conn.sendall(b"\x88\x82\0\0\0\0" + data[at + 2:at + 4])
                return int.from_bytes(data[at + 2:at + 4], "big")
            at += 2 + length
        data = data[at:]


def until(condition):
    """Polls what nothing announces."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)


class Workers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        path = cls.folder.name + "/redis.sock"
        cls.redis = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir",
                                      cls.folder.name], stdout=subprocess.DEVNULL)
        cls.options = ["--store", "redis", "--redis-address", "unix:" + path, "--workers", str(WORKERS)]
        until(lambda: os.path.exists(path))

    @classmethod
    def tearDownClass(cls):
        cls.redis.terminate()
        cls.redis.wait()
        cls.folder.cleanup()

    def start(self, *options):
        server = Server(*self.options, *options)
        until(lambda: server.get("/metrics")[1].count("\nws_backplane_up 1\n"))
        return server

    def test_serve_and_drain(self):
        for number, code in ((signal.SIGTERM, 1001), (signal.SIGINT, 1001), (signal.SIGUSR2, 1012)):
            with self.start("--drain-notice", "200ms", "--drain-spread", "0") as server:
                self.assertEqual((server.ready["workers"], len(server.pids())), (WORKERS, WORKERS))
                conns = [server.upgrade() for _ in range(20)]
                # a worker counts after its 101 is written, and another may answer for /metrics
                until(lambda: server.metric("ws_connections_active") == 20)
                until(lambda: server.metric("ws_connections_total") == 20)
                server.signal(signal.SIGHUP)  # without TLS nothing
                server.signal(number)
                drain = server.log_until("server.drain")
                self.assertEqual((drain["connections"], drain["code"]), (20, code))
                self.assertEqual([close_code(conn) for conn in conns], [code] * 20)
                for conn in conns:
                    conn.close()
                self.assertEqual(server.wait(), 0)
                lines = server.rest()
                self.assertEqual([line for line in lines if line["event"].startswith("server.")], [])
                ends = [line for line in lines if line["event"] == "ws.disconnect"]
                self.assertEqual([(end["code"], end["clean"]) for end in ends], [(code, True)] * 20)
                self.assertEqual(len({end["conn"] for end in ends}), 20)

    def test_connections_are_spread(self):
        with self.start() as server:
            conns = [server.upgrade() for _ in range(60)]
            ids = {server.log_until("ws.connect")["conn"].split("-")[0] for _ in conns}
            self.assertGreater(len(ids), 1)
            for conn in conns:
                conn.close()

    def test_crash(self):
        with self.start("--limit-per-address", "8", "--limit-handshakes", "0") as server:
            conns = []
            while len(conns) < 8:
                conns.append(server.upgrade())
            self.assertEqual(server.upgrade(), 429)
            victims = server.pids()
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
                died = server.log_until("server.worker_died")
                self.assertEqual((died["pid"], died["signal"], died["conn"]), (victim, 9, None))
            until(lambda: len(set(server.pids()) - set(victims)) == WORKERS)
            for conn in conns:
                self.assertEqual(conn.recv(1), b"")
                conn.close()
            until(lambda: server.metric("ws_connections_active") == 0)
            self.assertEqual(server.metric("ws_connections_total"), 8)
            again = [server.upgrade() for _ in range(8)]
            self.assertNotIn(429, again)
            for conn in again:
                conn.close()
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)

    def test_crashing_for_ever(self):
        with self.start() as server:
            for _ in range(10):
                victim = server.pids()[0]
                os.kill(victim, signal.SIGKILL)
                until(lambda: len(set(server.pids()) - {victim}) == WORKERS)
            os.kill(server.pids()[0], signal.SIGKILL)
            self.assertEqual(server.wait(), 70)

    def test_parent_killed(self):
        with self.start() as server:
            pids = server.pids()
            server.signal(signal.SIGKILL)
            server.wait()
            until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))

    def test_second_signal(self):
        with self.start("--drain-notice", "1m") as server:
            server.signal(signal.SIGTERM)
            server.log_until("server.drain")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)

    def test_signal_to_a_group(self):
        """A terminal or a service manager signals the workers, too: that is no second signal."""
        with self.start("--drain-notice", "300ms", "--drain-spread", "0") as server, server.upgrade() as conn:
            for pid in [*server.pids(), server.process.pid]:
                os.kill(pid, signal.SIGTERM)
            self.assertEqual(close_code(conn), 1001)
            self.assertEqual(server.wait(), 0)

    def test_port_taken(self):
        with self.start() as server:
            result = subprocess.run([SERVER, *self.options, "--port", str(server.port)], capture_output=True, text=True,
                                    timeout=DEADLINE_S)
            self.assertEqual((result.returncode, result.stderr.count("\n")), (69, 1))

    def test_bad_key(self):
        result = subprocess.run([SERVER, *self.options, "--port", "0", "--auth-key", "/nonexistent"], capture_output=True,
                                text=True, timeout=DEADLINE_S)
        self.assertEqual((result.returncode, result.stderr.count("\n")), (64, 1), result.stderr)


class Drain(unittest.TestCase):
    def test_phases(self):
        with Server("--drain-notice", "1s", "--drain-spread", "0") as server, server.upgrade() as first:
            server.signal(signal.SIGTERM)
            server.log_until("server.drain")
            self.assertEqual(server.get("/readyz")[0], 503)
            self.assertEqual(server.get("/healthz")[0], 200)
            with server.upgrade() as second:
                self.assertEqual((close_code(first), close_code(second)), (1001, 1001))
            self.assertEqual(server.wait(), 0)

    def test_late_upgrade(self):
        """A request that began before the listener closed, and came after."""
        with Server("--drain-notice", "0", "--drain-spread", "0") as server, server.upgrade() as held, \
                server.connect() as late:
            late.sendall(b"GET /echo HTTP/1.1\r\n")
            self.assertEqual(server.get("/readyz")[0], 200)  # late has been accepted
            server.signal(signal.SIGTERM)
            server.log_until("server.drain")
            data = b""
            while b"\x88\x02" not in data and b"\x88" not in data:
                data += held.recv(100)
            late.sendall(b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
            self.assertIn(b" 503 ", late.recv(4096).split(b"\r\n")[0] + b" ")
            held.close()
            self.assertEqual(server.wait(), 0)

    def test_timeout_runs_from_the_signal(self):
        with Server("--drain-notice", "200ms", "--drain-spread", "0", "--drain-timeout", "400ms", "--close-timeout",
                    "1m") as server, server.upgrade() as held:
            begun = time.monotonic()
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            self.assertGreaterEqual(time.monotonic() - begun, 0.4)
            held.close()


class File(unittest.TestCase):
    def run_server(self, *options):
        return subprocess.run([SERVER, *options], capture_output=True, text=True, timeout=DEADLINE_S)

    def test_print_config_is_a_config(self):
        with tempfile.TemporaryDirectory() as folder:
            first = self.run_server("--print-config", "--node", 'x "ü', "--origins", "a,b", "--window", "9")
            self.assertEqual((first.returncode, first.stderr), (0, ""))
            with open(folder + "/c.yaml", "w") as file:
                file.write(first.stdout)
            second = self.run_server("--config", folder + "/c.yaml", "--print-config", "--auth-key", "k")
            self.assertEqual(second.stdout.replace('key: "k"', "key: null"), first.stdout)

    def test_bad_file(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/c.yaml", "w") as file:
                file.write("tls:\n  crt: x\n")
            result = self.run_server("--config", folder + "/c.yaml")
            self.assertEqual(result.returncode, 64)
            self.assertEqual(result.stderr, f'wsquall-server: {folder}/c.yaml:2:3: there is no option "tls.crt"; '
                                            'the nearest is "tls.cert"\n')

    def test_list_options(self):
        rows = json.loads(self.run_server("--list-options").stdout)
        help_text = self.run_server("--help").stdout
        for row in rows:
            self.assertIn(f"  --{row['flag']} {row['value']}\n", help_text)


if __name__ == "__main__":
    unittest.main()

"""What the tests of `wsquall proxy` stand on: the proxy as a process, upstreams, HTTP, and the runner.

Everything listens on a free port of loopback and is stopped by its process. WSQUALL_BUILD is the build folder (default:
build).
"""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from urllib.parse import quote

BUILD = pathlib.Path(os.environ.get("WSQUALL_BUILD", "build")).absolute()
WSQUALL = os.environ.get("WSQUALL", str(BUILD / "wsquall"))
TESTS_ROOT = str(pathlib.Path(__file__).resolve().parent.parent)
DEADLINE_S = 60.0  # nothing that is awaited takes this long, but on a machine that hangs
SANITIZED = os.path.isfile(WSQUALL) and b"__asan_init" in pathlib.Path(WSQUALL).read_bytes()


def until(true, what="it"):
    end = time.monotonic() + DEADLINE_S
    while not (got := true()):
        assert time.monotonic() < end, f"{what} did not come true"
        time.sleep(0.005)
    return got


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Proxy:
    """A started `wsquall proxy`. Its end is checked: exit status 0 after SIGTERM, and nothing on standard error."""

    def __init__(self, *options, log=None, token=None, env=None):
        self.errors = tempfile.TemporaryFile("w+")
        self.token, self.killed, self.sockets = token, False, []
        words = [WSQUALL, "proxy", "--listen-api", "127.0.0.1:0", *options]
        if log:
            words += ["--event-log", str(log)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
                                        env={**os.environ, **(env or {})}, text=True)
        self.line = self.process.stdout.readline()
        found = re.search(r"http://(\S+):(\d+),", self.line)
        if not found:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the proxy did not get ready: {self.line} {self.said()}")
        self.port = int(found[2])
        self.url = f"http://127.0.0.1:{self.port}"

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[:4000].strip()

    def http(self, method, path, body=None, raw=None, headers=None):
        """One request on a connection of its own; body is JSON, raw are octets."""
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        given = dict(headers or {})
        if self.token:
            given.setdefault("Authorization", "Bearer " + self.token)
        octets = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        try:
            conn.request(method, path, octets, given)
            got = conn.getresponse()
            return Answer(got.status, got.headers, got.read())
        finally:
            conn.close()

    def ask(self, method, path, body=None, status=200):
        """The JSON of an answer that has this status."""
        got = self.http(method, path, body)
        assert got.status == status, f"{method} {path}: {got}"
        return got.json() if got.body else None

    def refused(self, method, path, body=None, status=400, says="", **more):
        """The sentence of a refusal, in Toxiproxy's shape."""
        got = self.http(method, path, body, **more)
        assert got.status == status, f"{method} {path} {str(body)[:200]}: {got}"
        said = got.json()
        assert said["status"] == status and isinstance(said["error"], str), said
        assert says in said["error"], f"{method} {path}: {said['error']!r} does not say {says!r}"
        return said["error"]

    def create(self, name, upstream, **fields):
        return self.ask("POST", "/proxies", {"name": name, "listen": "127.0.0.1:0",
                                             "upstream": f"127.0.0.1:{upstream}", **fields}, 201)

    def toxic(self, proxy, kind, name=None, **fields):
        body = {"type": kind, **fields}
        return self.ask("POST", f"/proxies/{proxy}/toxics", {**body, "name": name} if name else body)

    def connect(self, proxy):
        """A client of the proxy that is described by its JSON or its address."""
        listen = proxy if isinstance(proxy, str) else proxy["listen"]
        client = Client(int(listen.rpartition(":")[2]))
        self.sockets.append(client)
        return client

    def raw(self):
        """A bare connection to the API."""
        client = Client(self.port)
        self.sockets.append(client)
        return client

    def quiet(self, proxy):
        """Waits until no connection is left."""
        until(lambda: self.ask("GET", f"/proxies/{quote(proxy)}/connections") == [], "the end of all connections")

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE_S)
        said = self.said()
        self.killed = True
        assert status == 0, f"exit status {status}: {said}"
        assert not said, f"on standard error: {said}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for client in self.sockets:
            client.close()
        try:
            if kind is None and not self.killed:
                self.stop()
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            if kind is not None and (said := self.said()):
                print("  | the proxy's standard error: " + said.replace("\n", "\n  | "), flush=True)
            self.errors.close()


class Client:
    """A TCP client: octets out, octets in."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, octets):
        self.socket.sendall(octets)

    def read(self, count):
        """Exactly this many octets, or fewer when the other side ended."""
        got = b""
        while len(got) < count and (more := self.socket.recv(count - len(got))):
            got += more
        return got

    def read_all(self):
        got = b""
        while more := self.socket.recv(65536):
            got += more
        return got

    def echo(self, octets):
        """Sends, and reads as many; the seconds that it took."""
        since = time.monotonic()
        self.send(octets)
        got = self.read(len(octets))
        assert got == octets, f"{got[:80]!r} came back, not {octets[:80]!r}"
        return time.monotonic() - since

    def end(self):
        """How the other side ends: "fin" or "rst"."""
        try:
            self.read_all()
            return "fin"
        except ConnectionResetError:
            return "rst"

    def finish(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


class Echo:
    """An upstream that sends back what it gets, and FIN for FIN."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.listener.accept()
                threading.Thread(target=self.carry, args=(conn,), daemon=True).start()

    @staticmethod
    def carry(conn):
        with contextlib.suppress(OSError), conn:
            while octets := conn.recv(65536):
                conn.sendall(octets)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def is_refused(listen):
    """Nobody listens there."""
    try:
        socket.create_connection(("127.0.0.1", int(listen.rpartition(":")[2])), DEADLINE_S).close()
        return False
    except ConnectionRefusedError:
        return True


def run(*words, status=0, env=None):
    """`wsquall proxy` that ends by itself: (standard output, standard error)."""
    got = subprocess.run([WSQUALL, "proxy", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=DEADLINE_S, env={**os.environ, **(env or {})})
    assert got.returncode == status, f"{words}: exit status {got.returncode}: {got.stdout}{got.stderr}"
    return got.stdout, got.stderr


# The runner.

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def run_one(function):
    since = time.monotonic()
    try:
        function()
        failure = None
    except BaseException as error:  # pylint: disable=broad-except
        frames = [f for f in traceback.extract_tb(error.__traceback__)
                  if os.path.abspath(f.filename).startswith(TESTS_ROOT)]
        where = ", ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in frames[-3:])
        failure = f"{where}: {type(error).__name__}: {error}"
    name = function.__name__.replace("_", " ")
    sys.stdout.write(f"{'FAIL' if failure else 'ok  '}  {name} ({time.monotonic() - since:.1f} s)" +
                     (f": {failure}\n" if failure else "\n"))
    sys.stdout.flush()
    return failure is None


def main(words, jobs=4):
    if not os.access(WSQUALL, os.X_OK):
        sys.exit(f"{WSQUALL} is not there: build it, or name the build folder with WSQUALL_BUILD")
    wanted = [word.replace(" ", "_") for word in words]
    chosen = [t for t in TESTS if not wanted or any(word in t.__name__ for word in wanted)]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        passed = sum(pool.map(run_one, chosen))
    print(f"{passed} passed, {len(chosen) - passed} failed")
    return 0 if passed == len(chosen) and chosen else 1

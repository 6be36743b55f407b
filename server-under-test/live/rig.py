"""What the live tests stand on: the server as a process, Redis, certificates, tokens, and the runner of tests.

Each is started on a free port or in a folder of its own and stopped by its process; nothing is shared between tests, so
that they run side by side.
"""
import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import plain
import ws as wire

SERVER = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
SANITIZED = bool(SERVER) and os.path.isfile(SERVER) and b"__asan_init" in open(SERVER, "rb").read()
DEADLINE_S = wire.DEADLINE_S
DRAIN_NOW = ("--drain-notice", "0", "--drain-spread", "0")
NO_LIMITS = ("--rate-messages", "0", "--limit-handshakes", "0", "--limit-per-address", "0")


class Server:
    """A started server. Its end is checked: exit status 0 and no word on standard error, unless killed or said."""

    def __init__(self, *options, port=0, drain=DRAIN_NOW, ready=True, program=None):
        self.clients, self.lines, self.over = [], [], False
        self.news = threading.Condition()
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [program or SERVER, "--port", str(port), "--bind", "127.0.0.1", *drain, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors)
        self.pid, self.killed, self.quiet = self.process.pid, False, True
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        try:
            self.port = self.log("server.ready")["port"] if ready else port
        except AssertionError:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not get ready: {self.said()}") from None

    def read(self):
        for line in self.process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                said = {"event": "(not JSON)", "line": line.decode(errors="replace")}
            with self.news:
                self.lines.append(said)
                self.news.notify_all()
        with self.news:
            self.over = True
            self.news.notify_all()

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[:4000].strip()

    def logged(self, event, **fields):
        """The lines there are so far of an event with these fields."""
        with self.news:
            return [line for line in self.lines
                    if line.get("event") == event and all(line.get(k) == v for k, v in fields.items())]

    def log(self, event, count=1, **fields):
        """The count-th line of an event with these fields, awaited."""
        end = time.monotonic() + DEADLINE_S
        with self.news:
            while True:
                found = [line for line in self.lines
                         if line.get("event") == event and all(line.get(k) == v for k, v in fields.items())]
                if len(found) >= count:
                    return found[count - 1]
                assert not self.over, f"the server ended without logging {event} {fields}: {self.said()}"
                assert time.monotonic() < end, (f"{event} {fields} was not logged, only " +
                                                str([x for x in self.lines if x.get("event") == event])[-1500:])
                self.news.wait(1)

    def ws(self, path="/ws", **options):
        """A welcomed connection; on /echo just a connection."""
        opened = wire.open_ws if path.startswith("/ws") else wire.Ws
        client = opened(self.port, path, **options)
        self.clients.append(client)
        return client

    def raw(self, **options):
        client = wire.Raw(self.port, **options)
        self.clients.append(client)
        return client

    def refused(self, path="/ws", **options):
        """The refusal of an upgrade that must be refused."""
        try:
            client = wire.Ws(self.port, path, **options)
        except wire.Refused as refused:
            return refused
        client.drop()
        raise AssertionError("the upgrade was accepted")

    def sse(self, channel, **options):
        client = plain.Sse(self.port, channel, **options)
        self.clients.append(client)
        return client

    def http(self, path, method="GET", body=None, **options):
        return plain.request(self.port, path, method, body, **options)

    def metrics(self, **options):
        """{"name" or 'name{label="value"}': number}"""
        answer = self.http("/metrics", **options)
        assert answer.status == 200, answer
        return parse_metrics(answer.body.decode())

    def metric(self, name, value):
        """Waits for a metric: a scrape may be one event late."""
        last = []
        try:
            wire.until(lambda: last.append(self.metrics().get(name, 0)) or last[-1] == value)
        except AssertionError:
            raise AssertionError(f"{name} is {last[-1]}, not {value}") from None

    def rss(self):
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.killed = True
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def wait(self, status=0):
        """Waits for its end by itself."""
        try:
            got = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError("the server does not end") from None
        self.reader.join(DEADLINE_S)
        said = self.said()
        assert got == status, f"exit status {got}, not {status}: {said}"
        assert not said or not self.quiet, f"on standard error: {said}"
        assert not self.logged("(not JSON)"), self.logged("(not JSON)")
        self.killed = True

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.drop()
        try:
            if kind is None and not self.killed:
                self.signal(signal.SIGTERM)
                self.wait()
        finally:
            self.kill()
            self.reader.join(DEADLINE_S)
            if kind is not None and (said := self.said()):
                print("  | the server's standard error: " + said.replace("\n", "\n  | "), flush=True)
            self.process.stdout.close()
            self.errors.close()


def node(*options):
    """A server that does not limit how fast a test is."""
    return Server(*NO_LIMITS, *options)


def parse_metrics(text):
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name not in found, f"{name} stands there twice"
            found[name] = float(value)
    return found


class Redis:
    """redis-server on a Unix socket in a folder of its own; append-only, every write on disk before it is answered."""

    def __init__(self, *options, append=True):
        self.folder = tempfile.mkdtemp(prefix="live-redis-")
        self.path = self.folder + "/socket"
        self.options = ["--appendonly", "yes" if append else "no", "--appendfsync", "always", *options]
        self.process = None
        self.start()

    @property
    def address(self):
        return "unix:" + self.path

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder, "--save", "",
             "--daemonize", "no", *self.options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wire.until(self.is_up)

    def is_up(self):
        try:
            return self.say("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def say(self, *words):
        """One command, the raw answer."""
        with socket.socket(socket.AF_UNIX) as conn:
            conn.settimeout(DEADLINE_S)
            conn.connect(self.path)
            conn.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
            return conn.recv(65536)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Forwarder:
    """A stretch of cable between a server and Redis's socket that can be cut and mended."""

    def __init__(self, target):
        self.folder = tempfile.mkdtemp(prefix="live-cable-")
        self.path, self.target, self.whole, self.pairs = self.folder + "/socket", target, True, []
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self):
        return "unix:" + self.path

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                with self.lock:
                    far = socket.socket(socket.AF_UNIX)
                    if not self.whole or far.connect_ex(self.target) != 0:
                        near.close()
                        far.close()
                        continue
                    self.pairs.append((near, far))
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    @staticmethod
    def carry(a, b):
        with contextlib.suppress(OSError):
            while octets := a.recv(65536):
                b.sendall(octets)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        with self.lock:
            self.whole = False
            for pair in self.pairs:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
            self.pairs = []

    def mend(self):
        with self.lock:
            self.whole = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# Certificates and tokens, made by the openssl program.

def openssl(*arguments, octets=b""):
    return subprocess.run(["openssl", *arguments], input=octets, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def certificate(folder, name="localhost"):
    """(certificate file, key file), self-signed; written over what was there."""
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
            f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", key + ".new", "-out", cert + ".new")
    os.rename(key + ".new", key)
    os.rename(cert + ".new", cert)
    return cert, key


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Keys:
    """A key of one algorithm: `file` is what the server gets, token() makes what a client shows."""

    def __init__(self, folder, algorithm="HS256"):
        self.algorithm, self.file = algorithm, f"{folder}/{algorithm}.key"
        self.private = f"{folder}/{algorithm}.private"
        if algorithm == "HS256":
            self.secret = base64url(os.urandom(48)).encode()
            with open(self.file, "wb") as file:
                file.write(self.secret)
            return
        kind = (["RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if algorithm == "RS256" else
                ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        openssl("genpkey", "-algorithm", *kind, "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.file)

    @property
    def options(self):
        return ("--auth-key", self.file, "--auth-algorithm", self.algorithm)

    def token(self, sub="alice", lasts_s=600, header=None, **claims):
        """A good one, but for what the arguments say: a claim of None is left out."""
        claims = {"sub": sub, "exp": int(time.time()) + lasts_s, **claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        header = header or {"alg": self.algorithm, "typ": "JWT"}
        text = base64url(json.dumps(header).encode()) + "." + base64url(json.dumps(claims).encode())
        return text + "." + base64url(self.sign(text.encode()))

    def sign(self, octets):
        if self.algorithm == "HS256":
            return hmac.new(self.secret, octets, hashlib.sha256).digest()
        signature = openssl("dgst", "-sha256", "-sign", self.private, octets=octets)
        if self.algorithm == "RS256":
            return signature
        # DER: 30 len 02 len r 02 len s
        size = signature[3]
        r, s = signature[4:4 + size], signature[4 + size + 2:]
        return b"".join(int.from_bytes(n, "big").to_bytes(32, "big") for n in (r, s))


def bearer(token):
    return {"Authorization": "Bearer " + token}


# The runner.

TESTS = []


def test(function):
    """A test of its file: it takes no arguments and is its own rig."""
    TESTS.append(function)
    return function


def run_one(function):
    since = time.monotonic()
    try:
        function()
        failure = None
    except BaseException as error:  # pylint: disable=broad-except
        frames = traceback.extract_tb(error.__traceback__)
        here = [f for f in frames if os.path.basename(f.filename).startswith("test_")] or frames
        where = ", ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in here[-3:])
        failure = f"{where}: {type(error).__name__}: {error or here[-1].line}"
    name = re.sub("_", " ", function.__name__)
    sys.stdout.write(f"{'FAIL' if failure else 'ok  '}  {name} ({time.monotonic() - since:.1f} s)" +
                     (f": {failure}\n" if failure else "\n"))  # one write: lines of threads do not mix
    sys.stdout.flush()
    return failure is None


def main(jobs=6):
    """usage: test_x.py wsquall-server [WORD...]: the tests whose name holds one of the words, else all."""
    if not SERVER or not os.access(SERVER, os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} PATH/TO/wsquall-server [WORD...]")
    words = [word.replace(" ", "_") for word in sys.argv[2:] if not word.startswith("-")]
    chosen = [t for t in TESTS if not words or any(word in t.__name__ for word in words)]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        passed = sum(pool.map(run_one, chosen))
    print(f"{passed} passed, {len(chosen) - passed} failed")
    sys.exit(0 if passed == len(chosen) and chosen else 1)

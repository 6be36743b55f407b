"""What ci/e2e/process stands on: `wsquall inject` as a process whose events are read as they come, the deployment
wsquall-haproxy, and nodes that the test starts and wsquall starts again. Imported with the server's path in sys.argv[1].
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

import plain
import rig
import ws as wire
from rig import NO_LIMITS, SERVER
from ws import until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WSQUALL = os.path.abspath(os.environ.get("WSQUALL", ROOT / "build" / "wsquall"))
HANG_S = 120
STAGGER_S = 2.0  # between two nodes; a look at all nodes that took longer says nothing
SERVER_OPTIONS = (*NO_LIMITS, "--drain-notice", "100ms", "--drain-spread", "200ms", "--redis-timeout", "1s")


class Inject:
    """A running `wsquall inject`; its events as they come."""

    def __init__(self, fault, *arguments, during="10m"):
        self.folder = tempfile.TemporaryDirectory(prefix="process-run-")
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [WSQUALL, "inject", fault, "--for", during, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.said, text=True, env={**os.environ, "WSQUALL_RUN_DIR": self.folder.name})
        self.events, self.over, self.news = [], False, threading.Condition()
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def listen(self):
        for line in self.process.stdout:
            with self.news:
                self.events.append(json.loads(line))
                self.news.notify_all()
        with self.news:
            self.over = True
            self.news.notify_all()

    def nodes(self, event):
        """The nodes of the events of this name so far, in order."""
        with self.news:
            return [e["node"] for e in self.events if e["event"] == "fault." + event]

    def event(self, name):
        """The first of this name, awaited."""
        end = time.monotonic() + HANG_S
        with self.news:
            while True:
                for event in self.events:
                    if event["event"] == "fault." + name:
                        return event
                assert not self.over, f"it ended without {name}: {self.errors()}"
                assert time.monotonic() < end, f"{name} did not come; {self.events}"
                self.news.wait(1)

    def errors(self):
        self.said.seek(0)
        return self.said.read().strip()

    def wait(self, status=0):
        got = self.process.wait(HANG_S)
        self.reader.join(HANG_S)
        assert got == status, f"exit status {got}, not {status}: {self.errors()} {self.events[-3:]}"

    def stop(self):
        self.process.terminate()
        self.wait(3)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(HANG_S)
        self.reader.join(HANG_S)
        self.process.stdout.close()
        self.said.close()
        self.folder.cleanup()


class Node:
    def __init__(self, name, port, pidfile):
        self.name, self.port, self.pidfile = name, port, pathlib.Path(pidfile)

    def pid(self):
        return int(self.pidfile.read_text())

    def ready(self):
        try:
            return plain.request(self.port, "/readyz", timeout_s=HANG_S).status == 200
        except OSError:
            return False


class Deployment:
    """wsquall-haproxy by `with`, which ends when its standard input does."""

    def __init__(self):
        say = 'printf "%s\\n%s\\n" "$WSQ_URL" "$WSQ_LOG"; exec cat'
        env = {**os.environ, "WSQ_SERVER": SERVER, "WSQ_SERVER_ARGS": " ".join(SERVER_OPTIONS), "WSQ_NODES": "3"}
        self.process = subprocess.Popen(
            [ROOT / "server-under-test/deployments/with", "wsquall-haproxy", "--", "/bin/sh", "-c", say], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        url = self.process.stdout.readline()
        assert url, "the deployment did not start"
        self.port = int(re.match(r"ws://127\.0\.0\.1:(\d+)/", url)[1])
        folder = pathlib.Path(self.process.stdout.readline().strip()).parent
        self.target = str(folder / "target.yaml")
        entries = json.loads((folder / "nodes.json").read_text())
        self.nodes = [Node(e["name"], int(re.search(r":(\d+)/", e["url"])[1]), e["pidfile"]) for e in entries if "url" in e]
        self.redis = next(pathlib.Path(e["pidfile"]) for e in entries if e["name"] == "redis")

    def inject(self, fault, *words, **options):
        return Inject(fault, "--target", self.target, *words, **options)

    def one_on_each(self):
        """{name: a welcomed client that came through the proxy}"""
        found = {}
        end = time.monotonic() + HANG_S
        while len(found) < len(self.nodes):
            assert time.monotonic() < end, f"the proxy led only to {sorted(found)}"
            client = wire.open_ws(self.port)
            if found.setdefault(client.welcome["node"], client) is not client:
                client.drop()
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(HANG_S)
        self.process.stdout.close()


class Looks:
    """Asks all nodes again and again whether they are ready; keeps the fewest that were at once."""

    def __init__(self, nodes):
        self.nodes, self.fewest, self.count, self.stop = nodes, len(nodes), 0, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.stop.is_set():
            since = time.monotonic()
            ready = sum(node.ready() for node in self.nodes)
            if time.monotonic() - since < STAGGER_S / 2:
                self.fewest = min(self.fewest, ready)
                self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(HANG_S)


def come_back(port, client):
    """What a client does whose connection ends: connects again until it is let in. Gives (close code, new client)."""
    code, _ = client.ended()
    client.drop()
    found = []

    def try_again():
        with contextlib.suppress(OSError, wire.Refused, wire.Closed, AssertionError):
            found.append(wire.open_ws(port))
        return found

    until(try_again)
    return code, found[0]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@contextlib.contextmanager
def own_nodes(count, broker="", **extra):
    """(target file, nodes) that the test starts first, and wsquall starts again."""
    with tempfile.TemporaryDirectory(prefix="process-nodes-") as folder:
        nodes, children, text = [], [], ""
        for name in "abc"[:count]:
            port = free_port()
            argv = [SERVER, "--port", str(port), *rig.NO_LIMITS, *rig.DRAIN_NOW, *extra.get("options", ())]
            start = ", ".join(json.dumps(word) for word in argv)
            text += (f'  - {{name: {name}, start: [{start}], ready: "http://127.0.0.1:{port}/readyz", pidfile: {name}.pid, '
                     f"log: {name}.log}}\n")
            node = Node(name, port, f"{folder}/{name}.pid")
            with open(f"{folder}/{name}.log", "ab") as log:
                children.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                 env={**os.environ, **extra.get("env", {})}))
            node.pidfile.write_text(f"{children[-1].pid}\n")
            nodes.append(node)
        target = f"{folder}/target.yaml"
        pathlib.Path(target).write_text(
            f"wsquall: 1\nurl: ws://127.0.0.1:{nodes[0].port}/ws\nnodes:\n{text}{broker}", encoding="ascii")
        try:
            until(lambda: all(node.ready() for node in nodes))
            yield target, nodes
        finally:
            for child in children:
                child.kill()
                child.wait()
            for node in nodes:
                pid = node.pid()
                if pid not in [child.pid for child in children] and alive(pid):
                    os.kill(pid, signal.SIGKILL)


def asked(port, path, method="GET", body=None):
    try:
        return plain.request(port, path, method, body).status
    except OSError:
        return 0

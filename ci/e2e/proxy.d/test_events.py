"""The event log: what it says of what happened, and that the same seed and traffic give the same octets."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading

from rig import WSQUALL, Client, Echo, Proxy, test, until

# 30 frames of a server: text, ping and binary in turn, each told apart by its first octets (RFC 6455 5.2).
FRAMES = b"".join(bytes([opcode, 20]) + b"%02d" % i + b"." * 18 for i in range(10) for opcode in (0x81, 0x89, 0x82))
HEAD = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
REQUEST = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


class Talker:
    """A WebSocket server that answers the upgrade, sends FRAMES and ends."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.listener.accept()
                with contextlib.suppress(OSError), conn:
                    got = b""
                    while not got.endswith(b"\r\n\r\n") and (more := conn.recv(4096)):
                        got += more
                    conn.sendall(HEAD + FRAMES)
                    conn.shutdown(socket.SHUT_WR)
                    while conn.recv(4096):
                        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()]


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield pathlib.Path(path)


@test
def events_tell_who_when_and_where():
    with folder() as at, Echo() as echo, Proxy("--seed", "3", log=at / "log") as p:
        made = p.create("ws", echo.port)
        client = p.connect(made)
        p.toxic("ws", "limit_data", "cut", attributes={"bytes": 7})
        client.send(b"0123456789")
        assert client.read_all() == b"0123456"
        client.close()
        p.quiet("ws")
        p.ask("PATCH", "/proxies/ws/toxics/cut", {"attributes": {"bytes": 9}})
        p.ask("DELETE", "/proxies/ws/toxics/cut", status=204)
        killed = p.connect(made)
        killed.echo(b"x")
        p.ask("DELETE", "/proxies/ws/connections/2", status=204)
        assert killed.end() == "rst"
        p.ask("POST", "/reset", status=204)
        p.ask("DELETE", "/proxies/ws", status=204)
        told = until(lambda: [e for e in [lines(at / "log")] if e[-1]["event"] in ("proxy.remove", "proxy.stop")])[0]
        names = [e["event"] for e in told]
        for name in ("proxy.ready", "proxy.add", "proxy.listen", "connection.open", "toxic.add", "connection.end",
                     "toxic.change", "toxic.remove", "connection.kill", "reset", "proxy.remove", "proxy.stop"):
            assert name in names, f"{name} is not among {names}"
        ready = told[names.index("proxy.ready")]
        assert ready["port"] == p.port and ready["seed"] == 3 and ready["proxies"] == 0, ready
        assert all(e["time"].endswith("Z") and len(e["time"]) == 24 and list(e)[-1] == "time" for e in told), told
        of_toxic = [e for e in told if e.get("toxic") == "cut" and "connection" in e]
        assert of_toxic and of_toxic[0]["type"] == "limit_data" and of_toxic[0]["connection"] == 1, told
        assert of_toxic[0]["stream"] == "downstream" and isinstance(of_toxic[0]["at"], int), of_toxic
        ends = [e["detail"] for e in told if e["event"] == "connection.end"]
        assert len(ends) == 2 and "by=toxic" in ends[0] and "by=user how=kill" in ends[1], ends
        recent = p.ask("GET", "/events")
        assert recent["lost"] == 0 and recent["events"][:len(told)] == told, recent


@test
def only_the_newest_events_are_kept_in_memory():
    with Echo() as echo, Proxy() as p:
        p.create("a", echo.port)
        for _ in range(600):
            p.toxic("a", "none", "t")
            p.ask("DELETE", "/proxies/a/toxics/t", status=204)
        recent = p.ask("GET", "/events")
        assert len(recent["events"]) == 1024 and recent["lost"] > 0, (len(recent["events"]), recent["lost"])


@test
def an_event_log_on_standard_output():
    with Echo() as echo:
        process = subprocess.Popen([WSQUALL, "proxy", "-l", "127.0.0.1:0", "-e", "-", "-p",
                                    f"a=127.0.0.1:0=127.0.0.1:{echo.port}"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        try:
            told = [json.loads(process.stdout.readline()) for _ in range(3)]
            assert told[-1]["event"] == "proxy.ready" and told[-1]["proxies"] == 1, told
            assert "API on http://127.0.0.1:" + str(told[-1]["port"]) in process.stderr.readline()
            process.terminate()
            rest = [json.loads(line) for line in process.stdout]
            assert process.wait() == 0 and [e["event"] for e in rest] == ["proxy.stop"], rest
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


@test
def an_event_log_that_takes_nothing_just_now():
    out, into = os.pipe()
    os.set_blocking(into, False)  # as some runners of programs leave it; and full
    filled = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filled += os.write(into, b"." * 4096)
    process = subprocess.Popen([WSQUALL, "proxy", "-l", "127.0.0.1:0", "-e", "-"], stdout=into, stderr=subprocess.PIPE,
                               text=True)
    os.close(into)
    try:
        assert "API on http://127.0.0.1:" in process.stderr.readline()
        with open(out, "rb") as log:
            assert log.read(filled) == b"." * filled
            process.terminate()
            told = [json.loads(line)["event"] for line in log]
            assert process.wait() == 0 and process.stderr.read() == "" and told == ["proxy.ready"], told
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


# Runs that repeat. Each row: toxics of a proxy, put on in this order.

OCTETS = bytes(range(256)) * 80  # 20,480
STEP = 1024
ECHOED = {
    "jitter": [{"type": "latency", "attributes": {"latency": 2, "jitter": 2}}],
    "slicer": [{"type": "slicer", "attributes": {"average_size": 500, "size_variation": 200, "delay": 10}}],
    "corrupt": [{"type": "corrupt", "attributes": {"probability": 0.01}},
                {"type": "corrupt", "stream": "upstream", "attributes": {"probability": "0.5%"}}],
    "limit": [{"type": "limit_data", "attributes": {"bytes": 4321}}],
    "half the connections": [{"type": "corrupt", "toxicity": 0.5, "attributes": {"probability": 0.02}}],
    "several": [{"type": "latency", "attributes": {"latency": 1, "jitter": 1}},
                {"type": "corrupt", "attributes": {"probability": 0.003}},
                {"type": "slicer", "attributes": {"average_size": 700, "size_variation": 300}},
                {"type": "limit_data", "attributes": {"bytes": 12345}}],
}
FRAMED = {
    "drop": [{"type": "frame_drop", "stream": "downstream", "attributes": {"opcode": "text", "probability": 0.5}}],
    "duplicate": [{"type": "frame_duplicate", "stream": "downstream", "attributes": {"opcode": "data", "probability": 0.3}}],
    "delay": [{"type": "frame_delay", "stream": "downstream",
               "attributes": {"opcode": "ping", "delay": "1ms", "probability": 0.5}}],
    "close": [{"type": "frame_close", "attributes": {"opcode": "binary", "after": 2}}],
}


def visit(p, made, framed):
    """One connection from its opening to its end, and what it got. Nobody sends or ends while another does."""
    client = Client(int(made["listen"].rpartition(":")[2]))
    got = b""
    with contextlib.closing(client), contextlib.suppress(ConnectionError):
        if framed:
            client.send(REQUEST)
            got = client.read_all()
        for at in range(0, 0 if framed else len(OCTETS), STEP):
            client.send(OCTETS[at:at + STEP])
            more = client.read(STEP)
            got += more
            if len(more) < STEP:
                break
        client.finish()
        got += client.read_all()
    p.quiet(made["name"])
    return got


def play(at, seed, echo, talker):
    """The log, and what every client got."""
    got = []
    with Proxy("--seed", str(seed), "--no-event-times", log=at) as p:
        known = {f["type"] for f in p.ask("GET", "/faults")["faults"]}
        for rows, upstream in ((ECHOED, echo), (FRAMED, talker)):
            for name, toxics in rows.items():
                if any(t["type"] not in known for t in toxics):
                    continue
                made = p.create(name, upstream.port, toxics=toxics)
                got += [(name, visit(p, made, rows is FRAMED)) for _ in range(6)]
                p.ask("DELETE", "/proxies/" + name.replace(" ", "%20"), status=204)
    return at.read_bytes(), got


@test
def the_same_seed_and_traffic_give_the_same_log():
    with folder() as at, Echo() as echo, Talker() as talker:
        first, seen = play(at / "1", 11, echo, talker)
        second, again = play(at / "2", 11, echo, talker)
        other, differs = play(at / "3", 12, echo, talker)
        for a, b in zip(first.splitlines(), second.splitlines()):
            assert a == b, f"{a} is not {b}"
        assert first == second and len(first.splitlines()) > 100, len(first.splitlines())
        assert b'"time"' not in first and b"127.0.0.1:0" not in first
        assert seen == again
        assert other != first and differs != seen
        hit = {json.loads(x)["type"] for x in first.splitlines() if b'"toxic.' in x and b'"connection"' in x}
        assert {"corrupt", "limit_data", "slicer", "latency"} <= hit, hit

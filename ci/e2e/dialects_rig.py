"""What ci/e2e/dialects stands on: clients whose conversation is a session of the harness (session_pipe) and whose sockets
belong to the test, and the story that every dialect must live through.
"""
import base64
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("WSQUALL_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(ROOT / "server-under-test" / "live"))
import plain  # noqa: E402
import ws as wire  # noqa: E402


class Pipe:
    """A process that answers each JSON line with lines, which are read one by one."""

    def __init__(self, *argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def write(self, **line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        assert line, f"{self.process.args[0]} ended, status {self.process.wait()}"
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        status = self.process.wait(wire.DEADLINE_S)
        assert status == 0, f"{self.process.args[0]} ended with status {status}"


class Stream:
    """An event stream as octets; message() gives them as they come."""

    def __init__(self, port, path, headers):
        self.conn = plain.connection(port)
        self.conn.request("GET", path, headers=headers)
        self.answer = self.conn.getresponse()
        assert self.answer.status == 200, (self.answer.status, self.answer.read())
        self.socket = self.answer.fp.raw._sock

    def message(self):
        octets = self.answer.read1(7)  # cut anywhere
        if not octets:
            raise wire.Closed(1006)
        return wire.TEXT, octets

    def drop(self, reset=False):
        self.answer.close()
        self.conn.close()


class Client:
    """One session; `told` is everything it told that is no request to send something."""

    def __init__(self, dialect, port, base="/", variables=()):
        self.name, self.port, self.base = dialect, port, base
        self.pipe = Pipe(BUILD / "harness/target/session_pipe", dialect, *(f"{k}={v}" for k, v in dict(variables).items()))
        self.about = self.do("about")
        self.adapter = Pipe(str(BUILD / self.about["adapter"][0]), *self.about["adapter"][1:]) if self.about["adapter"] else None
        self.ws, self.told, self.ops, self.resumed = None, [], 0, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()
        self.pipe.stop()
        if self.adapter:
            self.adapter.stop()

    def do(self, what, **fields):
        """A command; what the session wants done meanwhile is done. Gives its result."""
        self.pipe.write(do=what, **fields)
        later = []
        while "done" not in (line := self.pipe.read()):
            later.append(line)
        for tell in later:
            self.obey(tell)
        return line["done"]

    def obey(self, tell):
        if tell["tell"] == "say":
            self.send(tell["text"])
        elif tell["tell"] == "http":
            headers = {"Content-Type": tell["type"]} if tell["type"] else {}
            answer = plain.request(self.port, tell["target"], tell["method"], tell["body"].encode(), headers)
            self.do("http_done", op=tell["op"], status=answer.status, text=answer.body.decode())
        else:
            self.told.append(tell)

    def send(self, text):
        if self.adapter:
            self.translate(say=json.loads(text))
        else:
            self.ws.send_frame(wire.TEXT, text.encode())

    def translate(self, **line):
        """One line to the adapter, and what it wants done until it says that it is done."""
        self.adapter.write(connection=1, **line)
        while not (got := self.adapter.read()).get("done"):
            assert got["connection"] == 1, got
            if "send" in got:
                self.ws.send_frame(wire.BINARY, base64.b64decode(got["send"]))
            elif "heard" in got:
                self.do("receive", text=json.dumps(got["heard"]))
            else:
                raise AssertionError(f"the adapter says {got}")

    def up(self):
        """Connects, and waits until the session may be used."""
        request = self.do("request", base=self.base)
        assert isinstance(request, dict), f"no request: {request}"
        self.resumed = request["resumes"]
        if self.about["transport"] == "sse":
            self.ws = Stream(self.port, request["target"], request["headers"])
        else:
            self.ws = wire.Ws(self.port, request["target"], request["headers"], ", ".join(self.about["subprotocols"]))
        if self.adapter:
            self.translate(open=True)
        self.do("open")
        ready = self.wait("ready")
        assert ready["ok"], ready
        return ready

    def pump(self):
        """One message of the server's."""
        opcode, payload = self.ws.message()
        if self.adapter:
            self.translate(message=base64.b64encode(payload).decode(), binary=opcode == wire.BINARY)
        elif self.about["transport"] == "sse":
            self.do("receive", hex=payload.hex())
        else:
            self.do("receive", text=payload.decode())

    def wait(self, what):
        """The next that is told of this kind; nothing that is unknown or an error may come."""
        while True:
            for i, tell in enumerate(self.told):
                assert tell["tell"] not in ("unknown", "error"), tell
                if tell["tell"] == what:
                    return self.told.pop(i)
            self.pump()

    def subscribe(self, channel, name):
        assert self.do("subscribe", channel=channel, name=name) == 0
        if self.ws:
            return self.subscribed(channel)

    def subscribed(self, channel):
        got = self.wait("subscribed")
        assert got["ok"] and got["channel"] == channel, got
        return got

    def publish(self, channel, name, data):
        self.ops += 1
        r = self.do("publish", channel=channel, name=name, data=data, op=self.ops)
        assert r == 0, f"publish: {r}"
        got = self.wait("published")
        assert got["ok"] and got["op"] == self.ops, got
        return got

    def messages(self, wanted, channel=1):
        got = [self.wait("message") for _ in wanted]
        assert [m["data"] for m in got] == list(wanted), f"{[m['data'] for m in got]} instead of {list(wanted)}"
        assert {m["channel"] for m in got} <= {channel}, got
        return got

    def drop(self, reset=True, code=1006):
        """The connection goes without a Close; what the session would do next."""
        if not self.ws:
            return None
        self.ws.drop(reset=reset)
        self.ws = None
        if self.adapter:
            self.translate(closed=True)
        self.told = []
        return self.do("closed", code=code)


class Story:
    """What every dialect must live through, against a server that is as it should be."""

    def __init__(self, dialect, port, base="/", variables=(), channel="story", resumes=True, recovered=None, publisher_up=True,
                 publisher_subscribes=False):
        self.arguments = (dialect, port, base, variables)
        self.channel, self.resumes, self.recovered = channel, resumes, recovered
        self.publisher_up, self.publisher_subscribes = publisher_up, publisher_subscribes
        self.n = 0

    def texts(self, count):
        self.n += count
        return [f"m-{i} \"quoted\" \\ / <&> {{braces}} ü € \u2028 \U0001f600." for i in range(self.n - count + 1, self.n + 1)]

    def publish(self, publisher, count):
        texts = self.texts(count)
        for text in texts:
            publisher.publish(1, self.channel, text)
        return texts

    def back(self, subscriber):
        """Comes back after a cut, and is told what the protocol tells."""
        subscriber.up()
        got = subscriber.subscribed(1)
        if self.resumes:
            assert got["recovered"] == (self.recovered or "untold"), got

    def run(self):
        with Client(*self.arguments) as subscriber, Client(*self.arguments) as publisher:
            subscriber.subscribe(1, self.channel)
            subscriber.up()
            subscriber.subscribed(1)
            if self.publisher_subscribes:
                assert publisher.do("publish", channel=1, name=self.channel, data="x", op=1) < 0, "it has not joined"
                publisher.subscribe(1, self.channel)
            if self.publisher_up:
                publisher.up()
            subscriber.messages(self.publish(publisher, 3))
            for missed in (3, 0, 0, 2):
                assert subscriber.drop() == "reconnect"
                texts = self.publish(publisher, missed)
                self.back(subscriber)
                if self.resumes:
                    subscriber.messages(texts)
                subscriber.messages(self.publish(publisher, 1))
            for _ in range(2):  # twice with nothing in between
                subscriber.drop()
                self.back(subscriber)
            subscriber.messages(self.publish(publisher, 40))

"""HTTP beside the WebSocket: a request, and an event stream."""
import http.client
import json

from ws import DEADLINE_S


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:200]!r}"


def connection(port, tls=None, source=None):
    source = (source, 0) if source else None
    if tls:
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=DEADLINE_S, context=tls, source_address=source)
    return http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S, source_address=source)


def request(port, path, method="GET", body=None, headers=(), tls=None, timeout_s=None):
    """An HTTP request of its own connection. body: an object is sent as JSON, octets as they are."""
    conn = connection(port, tls)
    conn.timeout = timeout_s or DEADLINE_S
    try:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        conn.request(method, path, body, dict(headers))
        answer = conn.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())
    finally:
        conn.close()


class Sse:
    """An event stream, read event by event: {"event", "id", "data"} with data as an object; comments are counted."""

    def __init__(self, port, channel, last=None, headers=(), tls=None, query=""):
        headers = dict(headers)
        if last is not None:
            headers["Last-Event-ID"] = last
        self.conn = connection(port, tls)
        self.conn.request("GET", f"/sse/{channel}{query}", headers=headers)
        self.answer = self.conn.getresponse()
        self.status = self.answer.status
        self.headers = {name.lower(): value for name, value in self.answer.getheaders()}
        self.comments = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def drop(self):
        self.answer.close()
        self.conn.close()

    def line(self):
        line = self.answer.readline()
        if not line:
            raise EOFError
        return line.decode().rstrip("\r\n")

    def event(self):
        event = {}
        while True:
            line = self.line()
            if line == "" and event:
                event["data"] = json.loads(event["data"])
                return event
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                event[name] = event[name] + "\n" + value if name == "data" and name in event else value

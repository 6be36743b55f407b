"""Real Toxiproxy clients, unchanged and pinned: npm's, PyPI's, and Toxiproxy's own command line.

They are installed at the first run into a folder beside the build (or into WSQ_CACHE, as the deployments are).
"""
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

from rig import BUILD, DEADLINE_S, Echo, Proxy, is_refused, test

HERE = pathlib.Path(__file__).resolve().parent / "clients"
CACHE = pathlib.Path(os.environ.get("WSQ_CACHE") or BUILD / "proxy-clients")
CLI = "github.com/Shopify/toxiproxy/v2/cmd/cli@v2.12.0"
INSTALL_S = 600


def install(kind, pins, *commands):
    """The folder with what the pins name, made once for these pins; the commands run in it."""
    digest = hashlib.sha256(b"\0".join(p.encode() if isinstance(p, str) else p.read_bytes() for p in pins)).hexdigest()
    folder = CACHE / f"toxiproxy-client-{kind}-{digest[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"toxiproxy-client-{kind}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "installed").exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for pin in pins:
            if not isinstance(pin, str):
                shutil.copy(pin, folder)
        for command in commands:
            got = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S,
                                 stdin=subprocess.DEVNULL, env={**os.environ, "GOBIN": str(folder), "GOTOOLCHAIN": "local"})
            assert got.returncode == 0, f"{command[0]} could not install: {got.stdout[-500:]}{got.stderr[-1500:]}"
        (folder / "installed").touch()
    return folder


class Piped:
    """A client library behind a pipe; an operation is a method."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __getattr__(self, op):
        def call(**words):
            self.process.stdin.write(json.dumps({"op": op, **words}) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
            if "error" in answer:
                raise Refused(answer["error"])
            return answer["ok"]
        return call

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE_S)
        self.process.stdout.close()


class Refused(Exception):
    pass


class Node(Piped):
    knows = {"version", "populate", "update_toxic", "reset"}

    def __init__(self, p):
        folder = install("npm", [HERE / "package.json", HERE / "package-lock.json"],
                         ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"])
        super().__init__("node", str(HERE / "client.mjs"), str(folder), p.url)


class Python(Piped):
    knows = {"version", "populate", "reset"}

    def __init__(self, p):
        folder = install("pypi", [HERE / "requirements.txt"],
                         ["/usr/bin/python3", "-m", "venv", "venv"],
                         ["venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                          "--no-deps", "--target", "packages", "--requirement", "requirements.txt"])
        super().__init__("/usr/bin/python3", "-I", str(HERE / "client.py"), str(folder / "packages"), str(p.port))


class Cli:
    """toxiproxy-cli; what it prints is read back."""
    knows = {"update_toxic"}

    def __init__(self, p):
        self.program, self.url = install("cli", [CLI], ["nice", "go", "install", CLI]) / "cli", p.url

    def run(self, *words):
        got = subprocess.run([self.program, "--host", self.url, *words], capture_output=True, text=True,
                             timeout=DEADLINE_S, stdin=subprocess.DEVNULL)
        # It ends with status 0 whatever happens, and says what failed.
        if got.returncode or "Failed" in got.stdout + got.stderr or "panic" in got.stderr:
            raise Refused(got.stdout + got.stderr)
        return got.stdout

    def create(self, name, listen, upstream):
        assert name in self.run("create", "--listen", listen, "--upstream", upstream, name)
        return self.list()[name]

    def list(self):
        rows = [line.split() for line in self.run("list").splitlines() if "\t" in line]
        return {r[0]: {"name": r[0], "listen": r[1], "upstream": r[2], "enabled": r[3] == "enabled"} for r in rows}

    def show(self, proxy):
        """The attributes of its toxics."""
        found = {}
        for line in self.run("inspect", proxy).splitlines():
            if "type=" in line:
                attributes = re.findall(r"(\w+)=([\d.e+-]+)", line[line.index("attributes="):])
                found[line.split("\t")[0]] = {k: float(v) for k, v in attributes}
        return found

    def enable(self, proxy, enabled):
        if self.list()[proxy]["enabled"] != enabled:
            self.run("toggle", proxy)
        return self.list()[proxy]

    def add_toxic(self, proxy, type, attributes, stream="downstream", name=None, toxicity=1):
        name = name or f"{type}_{stream}"
        words = [x for k, v in attributes.items() for x in ("-a", f"{k}={v}")]
        self.run("toxic", "add", "--type", type, f"--{stream}", "--toxicName", name, "--toxicity", str(toxicity), *words,
                 proxy)
        return {"name": name, "type": type, "stream": stream, "toxicity": toxicity, "attributes": self.show(proxy)[name]}

    def update_toxic(self, proxy, name, attributes):
        self.run("toxic", "update", "--toxicName", name, *(x for k, v in attributes.items() for x in ("-a", f"{k}={v}")),
                 proxy)
        return {"name": name, "attributes": self.show(proxy)[name]}

    def remove_toxic(self, proxy, name):
        self.run("toxic", "remove", "--toxicName", name, proxy)

    def delete(self, proxy):
        self.run("delete", proxy)

    def close(self):
        pass


def refused(operation, **words):
    try:
        got = operation(**words)
    except Refused as error:
        return str(error)
    raise AssertionError(f"{words} was taken: {got}")


def tour(client, p, echo):
    """Everything that all clients know, with its effect on real connections."""
    up = f"127.0.0.1:{echo.port}"
    if "version" in client.knows:
        assert client.version()["version"] == "2.12.0"
    assert client.list() == {}
    made = client.create(name="a", listen="127.0.0.1:0", upstream=up)
    assert made["name"] == "a" and made["upstream"] == up and made["enabled"] is True, made
    refused(client.create, name="a", listen="127.0.0.1:0", upstream=up)
    conn = p.connect(made)
    conn.echo(b"through")
    toxic = client.add_toxic(proxy="a", type="latency", stream="downstream", name="slow",
                             attributes={"latency": 200, "jitter": 0}, toxicity=1)
    assert toxic["name"] == "slow" and toxic["stream"] == "downstream" and toxic["attributes"]["latency"] == 200, toxic
    assert conn.echo(b"late") >= 0.2
    if "update_toxic" in client.knows:
        assert client.update_toxic(proxy="a", name="slow", attributes={"latency": 350})["attributes"]["latency"] == 350
        assert conn.echo(b"later") >= 0.35
    refused(client.add_toxic, proxy="a", type="latency", name="slow", attributes={"latency": 1})
    client.remove_toxic(proxy="a", name="slow")
    assert p.ask("GET", "/proxies/a/toxics") == []
    conn.echo(b"on time")
    client.add_toxic(proxy="a", type="limit_data", stream="downstream", attributes={"bytes": 10})
    cut = p.connect(made)
    cut.send(b"0123456789abcdef")
    assert cut.read_all() == b"0123456789"
    client.remove_toxic(proxy="a", name="limit_data_downstream")
    client.add_toxic(proxy="a", type="latency", stream="upstream", attributes={"latency": 150})
    assert p.connect(made).echo(b"the other way") >= 0.15
    client.remove_toxic(proxy="a", name="latency_upstream")
    hurt = p.connect(made)
    hurt.echo(b"open already")
    client.add_toxic(proxy="a", type="reset_peer", attributes={"timeout": 0})
    assert hurt.end() == "rst"
    client.remove_toxic(proxy="a", name="reset_peer_downstream")
    conn = p.connect(made)
    conn.echo(b"whole again")
    assert client.enable(proxy="a", enabled=False)["enabled"] is False
    assert conn.read_all() == b"" and is_refused(made["listen"])
    assert client.enable(proxy="a", enabled=True)["enabled"] is True
    p.connect(made).echo(b"back")
    others(client, p, made, up)
    client.delete(proxy="a")
    assert is_refused(made["listen"]) and client.list() == {}
    refused(client.delete, proxy="a")


def others(client, p, made, up):
    """What some know."""
    if "populate" in client.knows:
        got = client.populate(proxies=[{"name": "a", "listen": made["listen"], "upstream": up},
                                       {"name": "b", "listen": "127.0.0.1:0", "upstream": up}])
        p.connect(got["b"]).echo(b"populated")
        assert set(client.list()) == {"a", "b"}
        client.delete(proxy="b")
    if "reset" in client.knows:
        client.add_toxic(proxy="a", type="timeout", attributes={"timeout": 0})
        client.enable(proxy="a", enabled=False)
        client.reset()
        assert p.ask("GET", "/proxies/a") == {**p.ask("GET", "/proxies/a"), "enabled": True, "toxics": []}
        p.connect(made).echo(b"reset")
    for kind, attributes in (("bandwidth", {"rate": 100}), ("slow_close", {"delay": 10}), ("timeout", {"timeout": 10}),
                             ("slicer", {"average_size": 64, "size_variation": 32, "delay": 10})):
        got = client.add_toxic(proxy="a", type=kind, attributes=attributes, toxicity=0)
        assert got["attributes"].items() >= attributes.items() and got["name"] == kind + "_downstream", got
        client.remove_toxic(proxy="a", name=got["name"])
    refused(client.add_toxic, proxy="a", type="no_such", attributes={})
    refused(client.add_toxic, proxy="a", type="latency", attributes={"latency": "soon"})
    assert p.ask("GET", "/proxies/a/toxics") == []


def take_tour(make):
    with Echo() as echo, Proxy() as p:
        client = make(p)
        try:
            tour(client, p, echo)
        finally:
            client.close()


@test
def the_client_of_npm_works_unchanged():
    take_tour(Node)


@test
def the_client_of_PyPI_works_unchanged():
    take_tour(Python)


@test
def toxiproxy_cli_works_unchanged():
    if not shutil.which("go"):
        print("      skipped: toxiproxy-cli is built by go, which is not installed", flush=True)
        return
    take_tour(Cli)

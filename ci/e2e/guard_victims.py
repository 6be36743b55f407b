"""What ci/e2e/guard hurts: one class a kind of victim, each with a snapshot of all that a fault could change."""
import contextlib
import glob
import http.client
import json
import os
import pathlib
import resource
import shutil
import subprocess
import threading

from guard_rig import HANG_S, SERVER, WSQUALL, Victim, family, kill, read, ready, run, until

FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
SLEEPER = ("/bin/sh", "-c", "sleep 100000 & exec sleep 100000")


@contextlib.contextmanager
def control_group(name):
    """A version 2 group with a process in it; None where none can be made."""
    mounts = [line.split()[1] for line in read("/proc/mounts").splitlines() if line.split()[2] == "cgroup2"]
    path = f"{mounts[0]}/{name}" if mounts else None
    try:
        os.mkdir(path)
    except (OSError, TypeError):
        yield None
        return
    with subprocess.Popen(["sleep", "100000"]) as process:
        try:
            pathlib.Path(path, "cgroup.procs").write_text(str(process.pid), encoding="ascii")
            yield path
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(FileNotFoundError):
                until("a group that stays", lambda: not read(f"{path}/cgroup.procs"))
                os.rmdir(path)


class Processes(Victim):
    """A process with another below it: states, limits, control groups."""
    plane = "process"

    def __init__(self, fault):
        super().__init__(fault)
        self.pid = self.popen(*SLEEPER).pid
        until("no child", lambda: len(family(self.pid)) == 2 and all(
            "sleep" in (read(f"/proc/{pid}/comm") or "") for pid in family(self.pid)))
        self.pids = family(self.pid)
        self.where = ("--pid", str(self.pid))

    def snapshot(self):
        return [{
            "stopped": read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] in "Tt",
            "files": resource.prlimit(pid, resource.RLIMIT_NOFILE),
            "data": resource.prlimit(pid, resource.RLIMIT_DATA),
            "cgroup": read(f"/proc/{pid}/cgroup"),
        } for pid in self.pids]


class Broker(Processes):
    plane = "backplane"


class Flickers(Processes):
    """Stopped and let go in turn: any moment may be one in which it runs."""

    def await_bite(self, inject, before):
        until("never stopped", lambda: self.snapshot() != before)


class Nodes(Victim):
    """Two nodes of a target file, which may be started again."""
    plane, key = "process", "nodes"
    bitten = "fault.node.ended"
    shows = False                  # who is away may be back already

    def __init__(self, fault):
        super().__init__(fault)
        self.names, self.first = ("alpha", "beta"), {}
        nodes = []
        for name in self.names:
            start = self.command(name)
            process = self.popen(*start)
            threading.Thread(target=process.wait, daemon=True).start()  # it is reaped when a fault ends it
            pathlib.Path(self.pidfile(name)).write_text(f"{process.pid}\n", encoding="ascii")
            self.first[name] = process.pid
            nodes.append({"name": name, "start": list(start), "pidfile": self.pidfile(name), **self.more(name)})
        self.stack.callback(self.end_all)
        until("no nodes", lambda: all(map(self.runs, self.names)))
        target = f"{self.folder}/target.yaml"
        pathlib.Path(target).write_text(
            json.dumps({"wsquall": 1, "url": "ws://127.0.0.1:1/", self.key: nodes}), encoding="ascii")
        self.where = ("--target", target)

    def command(self, name):
        return ("/bin/sh", "-c", f"exec sleep 10{len(name)}000")

    def more(self, name):  # pylint: disable=unused-argument
        return {}

    def pidfile(self, name):
        return f"{self.folder}/{name}.pid"

    def pid(self, name):
        return int((read(self.pidfile(name)) or "0").split()[0])

    def runs(self, name):
        pid = self.pid(name)
        alive = read(f"/proc/{pid}/stat")
        return bool(pid and alive and alive.rpartition(")")[2].split()[0] not in "ZX" and
                    read(f"/proc/{pid}/cmdline").replace("\0", " ").startswith("sleep 10"))

    def snapshot(self):
        return {name: self.runs(name) for name in self.names}

    def await_heal(self, before):
        """The guard is gone once they are started; the shell becomes what it runs a moment later."""
        until(f"not started again: {self.snapshot()}", lambda: self.snapshot() == before)
        assert any(self.pid(name) != self.first[name] for name in self.names), "nobody was ended at all"

    def end_all(self):
        for name in self.names:
            if (pid := self.pid(name)) and self.runs(name):
                kill(pid)


class Rolling(Nodes):
    """Each takes a while to end, so that there is a middle."""
    bitten = "fault.node.signal"

    def command(self, name):
        return ("/bin/sh", "-c", f"trap 'sleep 1; exit' TERM; sleep 10{len(name)}000 & while :; do wait; done")

    def runs(self, name):
        return any((read(f"/proc/{pid}/cmdline") or "").startswith("sleep\x0010") for pid in family(self.pid(name))
                   ) if self.pid(name) else False

    def end_all(self):
        for name in self.names:
            for pid in reversed(family(self.pid(name))):
                with contextlib.suppress(ProcessLookupError):
                    kill(pid)


class BrokerNode(Nodes):
    plane, key = "backplane", "backplane"


class Clock(Nodes):
    """Under libfaketime, by the file that says the offset."""
    bitten, shows = None, True
    options = ("by=1h",)

    def more(self, name):
        return {"clock": True}

    def popen(self, *argv, **options):
        name = self.names[len(self.first)]
        path = f"{self.folder}/{name}.pid.clock"
        pathlib.Path(path).write_text("+0\n", encoding="ascii")
        return super().popen(*argv, **options, env={
            **os.environ, "FAKETIME_TIMESTAMP_FILE": path, "LD_PRELOAD": " ".join(glob.glob(FAKETIME)[:1])})

    def snapshot(self):
        return {name: (self.runs(name), read(f"{self.folder}/{name}.pid.clock")) for name in self.names}

    def await_heal(self, before):
        Victim.await_heal(self, before)


class Hook(Victim):
    """Commands of the owner: a file that the one makes and the other removes."""
    plane = "hook"
    options = ("begin=make", "end=remove")

    def __init__(self, fault):
        super().__init__(fault)
        target = f"{self.folder}/target.yaml"
        pathlib.Path(target).write_text(json.dumps({
            "wsquall": 1, "url": "ws://127.0.0.1:1/",
            "hooks": {"make": "touch made", "remove": "rm -f made"}}), encoding="ascii")
        self.where = ("--target", target)

    def snapshot(self):
        return sorted(name for name in os.listdir(self.folder) if name == "made")


class RollingHook(Rolling):
    """Its nodes are restarted by a command of their owner. It is the owner's, too, when we end before it does."""
    plane = "hook"
    bitten = "fault.start"
    options = ("hook=again",)

    def __init__(self, fault):
        super().__init__(fault)
        path = pathlib.Path(self.where[1])
        path.write_text(json.dumps({**json.loads(path.read_text(encoding="ascii")), "hooks": {
            "again": "echo $$ >>hooks; exec sleep 100000"}}), encoding="ascii")
        self.stack.callback(self.end_hooks)

    def end_hooks(self):
        for pid in (read(f"{self.folder}/hooks") or "").split():
            with contextlib.suppress(ProcessLookupError):
                kill(int(pid))

    def await_heal(self, before):
        Victim.await_heal(self, before)


class Peer(Victim):
    """The reference server, and the connections that it has."""
    plane = "peer"

    def __init__(self, fault):
        super().__init__(fault)
        process = self.popen(SERVER, "--port", "0", "--bind", "127.0.0.1", "--limit-handshakes", "0",
                             "--limit-per-address", "0", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port = ready(process, "server.ready")["port"]
        self.where = ("--url", f"ws://127.0.0.1:{self.port}/echo")

    def snapshot(self):
        """Connections to it that a process of this machine holds open (tcp(7): 01 is ESTABLISHED)."""
        remote = f"0100007F:{self.port:04X}"
        return sum(line.split()[2] == remote and line.split()[3] == "01"
                   for line in read("/proc/net/tcp").splitlines()[1:])

    def await_bite(self, inject, before):
        """The server may have ended them already."""
        until(f"{self.fault} does nothing", lambda: self.snapshot() != before or inject.has_said("fault.hit"))

    def await_heal(self, before):
        until("connections of a process that is gone", lambda: self.snapshot() == before)


class Partition(Victim):
    """`wsquall proxy` before a broker that need not be there."""
    plane = "backplane"

    def __init__(self, fault):
        super().__init__(fault)
        process = self.popen(WSQUALL, "proxy", "--listen-api", "127.0.0.1:0", "--event-log", "-", stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        self.port = ready(process, "proxy.ready")["port"]
        self.ask("POST", "/proxies", {"name": "broker", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"})
        broker = self.popen(*SLEEPER)
        pathlib.Path(f"{self.folder}/pid").write_text(f"{broker.pid}\n", encoding="ascii")
        target = f"{self.folder}/target.yaml"
        pathlib.Path(target).write_text(json.dumps({
            "wsquall": 1, "url": "ws://127.0.0.1:1/",
            "backplane": [{"name": "redis", "pidfile": f"{self.folder}/pid", "proxy": "broker",
                           "proxy_api": f"http://127.0.0.1:{self.port}"}]}), encoding="ascii")
        self.where = ("--target", target)

    def ask(self, method, path, body=None):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_S)
        try:
            conn.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            return conn.getresponse().read()
        finally:
            conn.close()

    def snapshot(self):
        return json.loads(self.ask("GET", "/proxies"))["broker"]["toxics"]


class Link(Victim):
    """An interface of a namespace of the test's own: its queueing, addresses, routes, state and rules."""
    plane = "link"

    def __init__(self, fault):
        super().__init__(fault)
        self.netns = f"guard-{os.getpid()}-{id(self) % 100000}"
        run("ip", "netns", "add", self.netns)
        self.stack.callback(run, "ip", "netns", "delete", self.netns)
        for command in ("link add e0 type veth peer name e1", "addr add 10.9.0.1/24 dev e0", "addr add fd09::1/64 dev e0 nodad",
                        "link set e0 up", "link set e1 up", "link set lo up"):
            run("ip", "-n", self.netns, *command.split())
        until("no carrier", lambda: "LOWER_UP" in run("ip", "-n", self.netns, "link", "show", "dev", "e0") and
              "tentative" not in run("ip", "-n", self.netns, "addr"))
        self.where = ("--interface", "e0", "--netns", self.netns)

    def snapshot(self):
        seen = {name: run("ip", "-n", self.netns, *name.split()) for name in ("-o addr", "-o link", "-4 route", "-6 route")}
        seen["qdisc"] = run("tc", "-n", self.netns, "qdisc", "show")
        if shutil.which("nft"):
            seen["rules"] = run("ip", "netns", "exec", self.netns, "nft", "list", "ruleset")
        return seen


    def await_heal(self, before):
        """A link that comes up takes the kernel a moment: duplicate address detection, routes."""
        with contextlib.suppress(AssertionError):
            until("", lambda: self.snapshot() == before)
        super().await_heal(before)


class Connections(Link):
    """What is done to them is done: nothing is there to be healed."""
    bitten = "inject.in_force"
    shows = False

"""What ci/e2e/guard stands on: `wsquall inject` as a process whose guard can be awaited, and what every victim is.

A victim has
    plane       of the fault
    where       the arguments that name it to `wsquall inject`
    shows       whether its snapshot tells that the fault is in force
    bitten      an event after which it is, where the snapshot does not tell
    snapshot()  as seen from outside; the same before and after
"""
import contextlib
import fcntl
import json
import os
import pathlib
import queue
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

HANG_S = 90
WSQUALL = os.path.abspath(os.environ.get("WSQUALL", "build/wsquall"))
SERVER = os.path.abspath(os.environ.get("WSQ_SERVER", "build/wsquall-server"))


def until(what, condition):
    end = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def wsquall(*arguments, folder=None):
    env = {**os.environ, "WSQUALL_RUN_DIR": folder or os.environ.get("WSQUALL_RUN_DIR", "")}
    return subprocess.run([WSQUALL, *arguments], env=env, capture_output=True, text=True, timeout=HANG_S, check=False)


def rows(*arguments, **options):
    """JSON lines."""
    return [json.loads(line) for line in wsquall(*arguments, **options).stdout.splitlines()]


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None


def await_end(pid):
    """Of any process, ours or not."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(fd, closefd=True):
        assert select.select([fd], [], [], HANG_S)[0], f"process {pid} does not end"


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    await_end(pid)


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def octets_in(pipe):
    """That wait for its reader."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


class Inject:
    """A running `wsquall inject`."""

    def __init__(self, fault, victim, folder, *more, during="10m"):
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [WSQUALL, "inject", fault, *more, *victim.options, "--plane", victim.plane, "--for", during, *victim.where],
            env={**os.environ, "WSQUALL_RUN_DIR": folder}, stdout=subprocess.PIPE, stderr=self.said, text=True)
        self.events, self.news = [], queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()
        self.guard = self.event("inject.start")["guard"]

    def listen(self):
        for line in self.process.stdout:
            self.news.put(json.loads(line))
        self.news.put(None)

    def event(self, name):
        """The first of this name, awaited."""
        for event in self.events:
            if event["event"] == name:
                return event
        while (event := self.news.get(timeout=HANG_S)) is not None:
            self.events.append(event)
            if event["event"] == name:
                return event
        raise AssertionError(f"it ended without {name}: {self.errors() or self.events}")

    def has_said(self, name):
        """Without waiting."""
        with contextlib.suppress(queue.Empty):
            while event := self.news.get_nowait():
                self.events.append(event)
        return any(event["event"] == name for event in self.events)

    def errors(self):
        self.said.seek(0)
        return self.said.read().strip()

    def kill(self):
        """SIGKILL, and the end of all."""
        self.process.kill()
        self.process.wait()
        await_end(self.guard)

    def kill_both(self):
        """The guard first: else it is already undoing."""
        kill(self.guard)
        self.process.kill()
        self.process.wait()

    def wait(self):
        status = self.process.wait(HANG_S)
        await_end(self.guard)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()
        self.said.close()


def family(pid):
    """The process and those below it."""
    found = [pid]
    for one in found:
        found += [int(child) for child in (read(f"/proc/{one}/task/{one}/children") or "").split()]
    return found


def ready(process, name):
    """The line of its log that says so; the rest is read and thrown away, so that it never blocks."""
    found = next(line for line in map(json.loads, process.stdout) if line.get("event") == name)
    threading.Thread(target=lambda: all(process.stdout), daemon=True).start()
    return found


class Victim:
    options = ()                   # KEY=VALUE of the fault
    bitten = None
    shows = True                   # the snapshot differs while the fault is in force

    def __init__(self, fault):
        self.fault = fault
        self.stack = contextlib.ExitStack()
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="guard-victim-"))

    def await_bite(self, inject, before):
        if self.bitten:
            inject.event(self.bitten)
        elif self.shows:
            until(f"{self.fault} changes nothing", lambda: self.snapshot() != before)

    def await_heal(self, before):
        """What the guard did is there once it is gone; processes that it woke may need a moment to run."""
        assert self.snapshot() == before, f"{self.snapshot()} instead of {before}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def popen(self, *argv, **options):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **options)

        def end():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

        self.stack.callback(end)
        return process


if sys.version_info < (3, 9):
    sys.exit("os.pidfd_open() needs Python 3.9")

"""What makes the weather: tc as the witness, and `wsquall inject`, which is tested, for links and for processes."""

import contextlib
import json
import signal
import subprocess
import time

import rig

FOR = "120s"
HANG_S = 30
STOPPED = 3  # exit status of a command that a signal ended


def qdiscs(wire, side):
    """What stands on the interface now, in tc's words."""
    done = subprocess.run(["tc", "-n", wire.namespace[side], "qdisc", "show", "dev", wire.interface[side]], check=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    return done.stdout.decode()


def until(condition, what):
    """Waits for what must come; how long it takes is nobody's claim."""
    end = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < end, f"not in {HANG_S} s: {what}"
        time.sleep(0.01)


class Tc(contextlib.AbstractContextManager):
    """netem as tc sets it. The limit is large enough for every train: a queue that is full would lose, too."""

    who = "tc"

    def __init__(self, wire, side, words):
        self.place = ["dev", wire.interface[side], "root"]
        self.tc = ["tc", "-n", wire.namespace[side], "qdisc"]
        subprocess.run([*self.tc, "add", *self.place, "netem", *words.split(), "limit", "100000"], check=True)

    def __exit__(self, *_):
        subprocess.run([*self.tc, "del", *self.place], check=True)


class Inject(contextlib.AbstractContextManager):
    """`wsquall inject`, from when it is in force until it is stopped."""

    def __init__(self, words):
        self.words, self.events = ["inject", *words, "--for", FOR], []
        self.process = subprocess.Popen([rig.PROGRAM, *self.words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        while not self.events or self.events[-1]["event"] != "inject.in_force":
            line = self.process.stdout.readline()
            if not line:
                self.fail("it ended, or never was in force")
            self.events.append(json.loads(line))

    def fail(self, why):
        self.process.kill()
        said = self.process.communicate()[1].decode(errors="replace").strip()
        raise AssertionError(f"wsquall {' '.join(self.words)}: {why}; {said}")

    def detail(self, event):
        return next(e.get("detail", "") for e in self.events if e["event"] == event)

    def kill(self):
        """Dies in the middle of it. Then the guard heals."""
        self.process.kill()
        self.process.communicate()

    def __exit__(self, *_):
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            _, said = self.process.communicate(timeout=HANG_S)
        except subprocess.TimeoutExpired:
            self.fail(f"no end {HANG_S} s after SIGINT")
        assert self.process.returncode == STOPPED, (
            f"wsquall {' '.join(self.words)} ended with {self.process.returncode}: {said.decode(errors='replace')}")


class Ours(Inject):
    """A link fault, in force when this returns."""

    who = "wsquall"

    def __init__(self, wire, side, words):
        super().__init__([*words.split(), "--plane", "link", "--interface", wire.interface[side],
                          "--netns", wire.namespace[side]])

#!/usr/bin/python3 -B
"""CPU and memory limits by cgroup v2, seen on processes that know nothing of them.

usage: ci/netem-vm ci/vm/test_process.py build/wsquall [WORD...]
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import rig
from rig import on_time, test
from weather import Inject, until

CGROUPS = pathlib.Path("/sys/fs/cgroup")
MEASURE_S = 2
LIMIT = 0.2
OVER = 0.06  # a quota of 20 ms in 100 ms is handed out in slices of 5 ms and looked at in ticks of 4 ms
FREE = 0.5  # of a processor, at least, without a limit
BURN = "while True: pass"
# Takes as many MiB as each line of its input says, touches them, and answers.
TAKE = """
import sys
held = []
for line in sys.stdin:
    held.append(bytearray(b"x" * (int(line) << 20)))
    print("ok", flush=True)
"""


@contextlib.contextmanager
def child(program, count=1):
    """A process, or a parent with count - 1 children, each running the program."""
    fork = f"import os\nfor _ in range({count - 1}):\n    if not os.fork(): break\n"
    process = subprocess.Popen([sys.executable, "-I", "-c", fork + program], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    pids = []
    try:
        until(lambda: len(tree(process.pid)) == count, f"{count} processes")
        pids = tree(process.pid)
        yield process
    finally:
        for pid in [*pids[1:], process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def tree(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(c) for c in children)]


def cgroup(pid):
    return pathlib.Path(f"/proc/{pid}/cgroup").read_text()


def groups():
    return sorted(str(path) for path in CGROUPS.glob("**/") if path != CGROUPS)


def cpu_share(process):
    """Of one processor, by all of them together."""
    def used_ns():
        return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in tree(process.pid))

    since, before = time.monotonic(), used_ns()
    time.sleep(MEASURE_S)
    return (used_ns() - before) / 1e9 / (time.monotonic() - since)


def limited(fault, process, option):
    run = Inject([fault, option, "--plane", "process", "--pid", str(process.pid)])
    assert "by=cgroup" in run.detail("fault.node.limited"), run.events
    return run


def take(process, mib):
    """It took so much more: True; it was killed for it: False."""
    process.stdin.write(f"{mib}\n".encode())
    process.stdin.flush()
    return process.stdout.readline() == b"ok\n"


def healed(pids, was, groups_were):
    """All as before: the group is gone, and who was in it is where it was."""
    until(lambda: groups() == groups_were, f"the groups {groups_were}, now {groups()}")
    for pid in pids:
        assert cgroup(pid) == was, f"process {pid} is left in {cgroup(pid)}"


def a_share_of_a_processor(count, end):
    with child(BURN, count) as process:
        was, groups_were, before = cgroup(process.pid), groups(), cpu_share(process)
        on_time(before >= FREE, f"without a limit only {before:.2f} processors")
        with limited("cpu_limit", process, f"limit={LIMIT * 100:.0f}%") as run:
            during = cpu_share(process)
            assert during <= LIMIT + OVER, f"{during:.2f} processors, {LIMIT} are allowed"
            on_time(during >= LIMIT / 2, f"only {during:.2f} processors, {LIMIT} are allowed")
            end(run)
        healed(tree(process.pid), was, groups_were)
        after = cpu_share(process)
        on_time(after >= FREE, f"after the limit only {after:.2f} processors")
        return f"{before:.2f}, then {during:.2f}, then {after:.2f} processors"


def stop(_):
    """Leaving the block stops it."""


test(a_share_of_a_processor, 1, stop, name="cpu limit: one process")
test(a_share_of_a_processor, 3, stop, name="cpu limit: a process and its children, together")
test(a_share_of_a_processor, 1, Inject.kill, name="cpu limit: healed when the harness is killed")


@test
def memory_limit_lets_the_headroom_be_taken_and_then_kills():
    with child(TAKE) as process, child(TAKE) as bystander:
        assert take(process, 64) and take(bystander, 16), "memory is short without a limit"
        groups_were = groups()
        with limited("memory_limit", process, "headroom=32MiB"):
            assert take(process, 8), "8 of 32 MiB were not there"
            assert not take(process, 96), "96 MiB were there, 32 are allowed"
            assert process.wait(60) == -signal.SIGKILL, process.returncode
            assert take(bystander, 96), "another process was limited"
        healed([], "", groups_were)


def memory_is_back(end):
    with child(TAKE) as process:
        was, groups_were = cgroup(process.pid), groups()
        with limited("memory_limit", process, "headroom=16MiB") as run:
            assert take(process, 2), "2 of 16 MiB were not there"
            end(run)
        healed([process.pid], was, groups_were)
        assert take(process, 96), "96 MiB were not there after the limit"


test(memory_is_back, stop, name="memory limit: undone")
test(memory_is_back, Inject.kill, name="memory limit: healed when the harness is killed")

if __name__ == "__main__":
    rig.main()

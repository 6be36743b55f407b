#!/usr/bin/python3 -B
"""ci/netem-vm keeps what its opening comment says. Runs on this machine, not inside; the last line counts.

usage: ci/vm/test_machine.py
"""

import concurrent.futures
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VM = str(ROOT / "ci/netem-vm")
HANG_S = 240
AT_ONCE = 3
WORDS = ("two  words", "$HOME", "it's")
INSIDE_STATUS = 7

# What is promised inside: a title, and a shell condition. SHOWN is a folder below /tmp with a file in it.
INSIDE = (
    ("root", 'test "$(id -u)" = 0'),
    ("the folder", 'test "$PWD" = "$WSQ_ROOT"'),
    ("the arguments", f'test "$*" = {shlex.quote(" ".join(WORDS))} -a $# = {len(WORDS)}'),
    ("WSQ* of the environment and no more", 'test -n "$WSQ_ROOT" -a -z "$OTHER_ROOT"'),
    ("an empty /tmp, but for what is shown and the project",
     'for f in /tmp/*; do case "$WSQ_SHOWN/:$WSQ_ROOT/" in *"$f/"*) ;; *) exit 1 ;; esac; done; touch /tmp/x'),
    ("an empty /run", 'test "$(ls /run)" = "$(printf "lock\\nnetem-vm\\nnetns")" && touch /run/x'),
    ("what is shown", 'test "$(cat "$WSQ_SHOWN/file")" = text'),
    ("writing to memory", 'for f in "$WSQ_SHOWN" "$WSQ_ROOT" /usr; do echo 1 >"$f/only-inside" || exit 1; done'),
    ("mounts", "for m in proc:/proc sysfs:/sys devpts:/dev/pts tmpfs:/dev/shm cgroup2:/sys/fs/cgroup; do "
               'grep -q " ${m#*:} ${m%:*} " /proc/mounts || exit 1; done'),
    ("cgroup controllers", "cd /sys/fs/cgroup && mkdir x && test -f x/cpu.max -a -f x/memory.max"),
    ("modprobe", "for m in sch_netem veth bridge nf_tables tcp_diag dummy ifb sch_tbf sch_htb sch_ingress cls_u32 "
                 "act_mirred; do modprobe $m || exit 1; done"),
    ("modules that come when asked for", "ip link add d0 type dummy && ip link add link d0 type macvlan && "
                                         "lsmod | grep -q ^macvlan"),
    ("netem", "ip link add v0 type veth peer name v1 && tc qdisc add dev v0 root netem delay 5ms loss 1% rate 1mbit"),
    ("--here-if-possible, where it is", 'test "$(ci/netem-vm --here-if-possible ip -o link | wc -l)" = 1'),
    ("lo", "ip address show dev lo | grep -q 127.0.0.1"),
    ("no input", 'test -z "$(cat)"'),
)


def start(*words, **more):
    return subprocess.Popen([VM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            cwd=ROOT, **more)


def gone(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def inside():
    """(title, error or None) of each promise, and of what the outside sees of it."""
    script = "".join(f"if ({condition}); then echo {shlex.quote('ok ' + title)}; fi\n" for title, condition in INSIDE)
    with tempfile.TemporaryDirectory(dir="/tmp") as shown:
        (pathlib.Path(shown) / "file").write_text("text")
        run = start("--show", shown, "sh", "-c", script + f"echo to stderr >&2; exit {INSIDE_STATUS}", "sh", *WORDS,
                    env={**os.environ, "WSQ_ROOT": str(ROOT), "WSQ_SHOWN": shown, "OTHER_ROOT": "x"})
        out, err = (text.decode(errors="replace") for text in run.communicate(timeout=HANG_S))
        for title, _ in INSIDE:
            yield title, None if f"ok {title}\n" in out else "is not so; it said: " + out + err
        yield "both outputs in one", None if "to stderr\n" in out else out
        yield "the exit status", None if run.returncode == INSIDE_STATUS else f"{run.returncode}: {err}"
        left = [f for f in (shown, str(ROOT), "/usr") if os.path.exists(f + "/only-inside")]
        yield "nothing of it written outside", f"it is in {left}" if left else None


def bounded(seconds):
    run = start("--timeout", str(seconds), "sleep", "1000")
    _, err = run.communicate(timeout=HANG_S)
    said = err.decode(errors="replace")
    good = run.returncode == 124 and f"after {seconds} s" in said
    yield f"a timeout of {seconds} s", None if good else f"exit status {run.returncode}: {said}"


def ended_by(number):
    """However it ends, qemu ends with it."""
    run = start("sh", "-c", "echo here; sleep 1000")
    run.stdout.readline()
    qemu = pathlib.Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    run.send_signal(number)
    run.communicate(timeout=HANG_S)
    until = time.monotonic() + HANG_S
    while not all(gone(pid) for pid in qemu) and time.monotonic() < until:
        time.sleep(0.01)
    left = [pid for pid in qemu if not gone(pid)]
    yield f"{number.name} ends it, and qemu", f"processes were {qemu}, left are {left}" if left or not qemu else None


def broken():
    run = start("sh", "-c", "echo c >/proc/sysrq-trigger")
    _, err = run.communicate(timeout=HANG_S)
    said = err.decode(errors="replace")
    good = run.returncode == 125 and "before the command ended" in said and "sysrq" in said
    yield "a kernel that dies is told", None if good else f"exit status {run.returncode}: {said}"


def refused():
    for words, status, part in (
            ((), 64, "a command to run is missing"), (("--nonsense", "true"), 64, "no option --nonsense"),
            (("--timeout", "soon", "true"), 64, "a number of seconds"), (("--probe", "true"), 64, "takes no command"),
            (("--show", "/nowhere", "true"), 64, "a folder that is there")):
        run = subprocess.run([VM, *words], stdin=subprocess.DEVNULL, capture_output=True)
        good = run.returncode == status and part in run.stderr.decode()
        yield f"refuses {' '.join(words) or 'nothing'}", None if good else f"{run.returncode}: {run.stderr.decode()}"
    no_qemu = {"PATH": "/nowhere"}
    for words, name in ((("--probe",), "stdout"), (("true",), "stderr")):
        run = subprocess.run([sys.executable, "-B", VM, *words], stdin=subprocess.DEVNULL, capture_output=True,
                             env=no_qemu)
        good = run.returncode == 69 and "there is no qemu-system-x86_64" in getattr(run, name).decode()
        yield f"says why it cannot: {words[0]}", None if good else f"{run.returncode}: {run}"


def main():
    passed = failed = 0
    parts = (refused(), inside(), bounded(1), bounded(15), ended_by(signal.SIGTERM), ended_by(signal.SIGKILL), broken())
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for results in pool.map(list, parts):
            for title, error in results:
                passed, failed = passed + (error is None), failed + (error is not None)
                print(f"FAIL  {title}: {error}" if error else f"ok    {title}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()

"""What the tests inside the virtual machine stand on: the runner of tests, and how a slow clock is dealt with.

Software emulation is slow, and a loaded machine slower: a packet, a timer, a process may be late by any time. So what
would be measured as too much time raises Late, and such a test is done again, up to TRIES times; what being late cannot
explain (too early, lost, changed, in disorder, too many) is an AssertionError and fails at once.
"""

import os
import sys
import time
import traceback

TRIES = 3
PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
TESTS = []


class Late(Exception):
    """More time than it should be; a busy machine may be why."""


def on_time(condition, *why):
    if not condition:
        raise Late(*why)


def test(function, *arguments, name=None):
    """A test of its file, also as a decorator: called with these arguments."""
    TESTS.append((name or function.__name__.replace("_", " "), function, arguments))
    return function


def wanted(name):
    """The command line says so: one of its words is in the name, or there are none."""
    words = sys.argv[2:]
    return not words or any(word in name for word in words)


def run_one(name, function, arguments):
    since, failure = time.monotonic(), None
    for attempt in range(1, TRIES + 1):
        try:
            said, failure = function(*arguments), None
            break
        except BaseException as error:  # pylint: disable=broad-except
            frames = traceback.extract_tb(error.__traceback__)
            where = ", ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in frames[-3:])
            failure = f"{where}: {type(error).__name__}: {error or frames[-1].line}"
            if not isinstance(error, Late):
                break
            print(f"late  {name}, try {attempt}: {failure}", flush=True)
    word, took_s = "FAIL" if failure else "ok  ", time.monotonic() - since
    print(f"{word}  {name} ({took_s:.1f} s): {failure or said or 'as asked'}", flush=True)
    return failure is None


def main():
    """usage: test_x.py wsquall [WORD...]: the tests whose name holds one of the words, else all."""
    if not PROGRAM or not os.access(PROGRAM, os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} wsquall [WORD...], in ci/netem-vm; there is no program {PROGRAM}")
    if os.geteuid() != 0:
        sys.exit(f"{sys.argv[0]}: not root; ci/netem-vm {sys.argv[0]} ...")
    chosen = [t for t in TESTS if wanted(t[0])]
    passed = sum([run_one(*t) for t in chosen])
    print(f"{passed} passed, {len(chosen) - passed} failed")
    sys.exit(0 if chosen and passed == len(chosen) else 1)

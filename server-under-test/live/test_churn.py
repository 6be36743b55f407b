#!/usr/bin/python3 -B
"""Connections that come and go, 10,000 times: the server's memory and descriptors stay where they were.

usage: test_churn.py wsquall-server [--rounds N] [--valgrind]

--valgrind runs it twice under valgrind, with N/10 and with N rounds: nothing is lost, and what is in use at the end is the
same. It takes minutes for 10,000.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

import plain
import ws as wire
from rig import NO_LIMITS, Server

OPTIONS = (*NO_LIMITS, "--session-ttl", "100ms", "--close-timeout", "1s", "--retention-messages", "50")
GROWTH_MAX = 1 << 20


def one(server, number):
    """One of the ways to come and to go."""
    kind = number % 6
    if kind == 5:
        with plain.Sse(server.port, "c") as sse:
            sse.event()
        return
    path = ("/ws", "/echo", "/ws?window=0", "/ws", "/ws")[kind]
    ws = wire.Ws(server.port, path, deflate=kind == 3)
    if path != "/echo":
        session = ws.expect("welcome")["session"]
        ws.say({"type": "subscribe", "id": 1, "channel": f"churn/{number % 20}"})
        ws.expect("subscribed")
        ws.say({"type": "publish", "id": 2, "channel": f"churn/{number % 20}", "data": number, "key": str(number)})
        ws.expect("message")
        ws.expect("published")
        if kind == 4:  # taken over
            again = wire.Ws(server.port, f"/ws?session={session}")
            assert ws.ended()[0] == 4000
            again.drop(reset=True)
            return
    if number % 4 == 0:
        ws.close(1000)
    ws.drop(reset=number % 4 == 1)


def rounds(server, first, last):
    for number in range(first, last):
        try:
            one(server, number)
        except ConnectionResetError:
            pass  # ours
    server.metric("ws_connections_active", 0)


def by_rss(settings):
    with Server(*OPTIONS) as server:
        warm = settings.rounds // 4  # pools and tables have their size then
        rounds(server, 0, warm)
        before, fds = server.rss(), server.metrics()["process_open_fds"]
        rounds(server, warm, settings.rounds)
        wire.until(lambda: server.metrics()["process_open_fds"] <= fds)
        after = server.rss()
    text = f"{settings.rounds} rounds: {before >> 10} KiB after a quarter of them, {after >> 10} KiB at the end"
    return text, after - before < GROWTH_MAX


def in_use_at_exit(settings, count):
    with tempfile.TemporaryDirectory() as folder:
        script, log = folder + "/server", folder + "/log"
        with open(script, "w") as file:
            file.write(f"#!/bin/sh\nexec valgrind -q --leak-check=full --show-leak-kinds=definite,indirect "
                       f"--error-exitcode=9 --log-file={log} -v {os.path.abspath(settings.server)} \"$@\"\n")
        os.chmod(script, 0o755)
        with Server(*OPTIONS, program=script) as server:
            rounds(server, 0, count)
        with open(log) as file:
            text = file.read()
    found = re.search(r"in use at exit: ([\d,]+) bytes in ([\d,]+) blocks", text)
    return tuple(int(number.replace(",", "")) for number in found.groups()) if found else text[-500:]


def by_valgrind(settings):
    few, many = in_use_at_exit(settings, settings.rounds // 10), in_use_at_exit(settings, settings.rounds)
    return f"in use at exit (bytes, blocks): {few} after {settings.rounds // 10} rounds, {many} after {settings.rounds}", few == many


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("--rounds", type=int, default=10000)
    parser.add_argument("--valgrind", action="store_true")
    settings = parser.parse_args()
    try:
        text, good = (by_valgrind if settings.valgrind else by_rss)(settings)
    except (AssertionError, wire.Closed, wire.Refused, subprocess.SubprocessError) as error:
        text, good = f"{type(error).__name__}: {error}", False
    print(f"{'ok  ' if good else 'FAIL'}  no growth: {text}")
    print("1 passed, 0 failed" if good else "0 passed, 1 failed")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

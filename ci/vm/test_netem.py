#!/usr/bin/python3 -B
"""Every link fault of netem as packets show it, once made by tc and once by `wsquall inject`, and the two compared.

A row is a weather: how tc says it, how we say it, the train that is sent through it, and what is asked of the train.
Both must satisfy the same judge, so that a judge that is wrong about netem is seen by tc's, and what we ask the kernel
wrongly by ours. After each the link must be as before.

usage: ci/netem-vm ci/vm/test_netem.py build/wsquall [WORD...]
"""

import collections
import os
import socket
import subprocess
import threading
import time

import bounds
import judges
import rig
from weather import Ours, Tc, qdiscs, until
from wire import HANG_S, OTHER, Wire

Row = collections.namedtuple("Row", "name tc ours train judge")
MANY = {"n": 5000, "lossy": True}
FEW = {"n": 150, "pace_s": 0.002}
SPREAD = {"n": 800, "pace_s": 0.0005}
BULK = {"n": 500, "size": 1000}
CONTROL = {"n": 60, "pace_s": 0.002}
TCP_OCTETS = 256 << 10

ROWS = (
    Row("none", "", "none", {"n": 2000}, judges.whole),
    Row("delay 20 ms", "delay 20ms", "latency latency=20ms", FEW, judges.delayed(20)),
    Row("delay 100 ms", "delay 100ms", "latency latency=100ms", FEW, judges.delayed(100)),
    Row("jitter, uniform", "delay 50ms 20ms", "latency latency=50ms jitter=20ms keep_order=false", SPREAD,
        judges.spread(bounds.Uniform(30, 70))),
    Row("jitter, normal", "delay 80ms 15ms distribution normal",
        "latency latency=80ms jitter=15ms distribution=normal keep_order=false", SPREAD,
        judges.spread(bounds.Normal(80, 15))),
    # The kernel takes the correlated number modulo the width of the jitter: only a jitter near its largest shows it.
    Row("jitter, correlated", "delay 2100ms 2100ms 80%",
        "latency latency=2100ms jitter=2100ms correlation=80% keep_order=false", SPREAD, judges.correlated(0.8)),
    Row("loss 5 %", "loss 5%", "loss probability=5%", MANY, judges.lost(0.05)),
    Row("loss 30 %", "loss 30%", "loss probability=30%", MANY, judges.lost(0.3)),
    Row("loss 100 %", "loss 100%", "loss probability=100%", {"n": 200, "lossy": "all"}, judges.nothing),
    Row("duplicate 20 %", "duplicate 20%", "duplicate probability=20%", MANY, judges.doubled(0.2)),
    Row("reorder 25 % of every fifth", "delay 50ms reorder 25% gap 5", "reorder delay=50ms probability=25% gap=5",
        {"n": 1500, "pace_s": 0.0005}, judges.reordered(50, 0.25, 5)),
    Row("corrupt 10 %", "corrupt 10%", "corrupt probability=10%", MANY, judges.corrupted(0.1)),
    Row("bursts (Gilbert)", "loss gemodel 2% 25%", "loss model=gemodel p=2% r=25%", {"n": 8000, "lossy": True},
        judges.lost_in_bursts(0.02, 0.25)),
    Row("bursts (Gilbert-Elliott)", "loss gemodel 5% 30% 60% 1%",
        "loss model=gemodel p=5% r=30% bad_loss=60% good_loss=1%", {"n": 8000, "lossy": True},
        judges.lost_in_bursts(0.05, 0.3, 0.6, 0.01)),
    Row("bursts (four states)", "loss state 2% 25%", "loss model=state p13=2% p31=25%", {"n": 8000, "lossy": True},
        judges.lost_in_bursts(0.02, 0.25)),
    Row("ten every 20 ms", "slot 20ms 20ms packets 10", "slot min=20ms packets=10", {"n": 200}, judges.slotted(20, 10)),
    Row("rate 1 MB/s", "rate 8mbit", "bandwidth rate=1MB", BULK, judges.paced(1_000_000)),
)

# No formula, but a witness: what ours does is what tc's does.
ALIKE = (
    Row("jitter, pareto", "delay 80ms 15ms distribution pareto",
        "latency latency=80ms jitter=15ms distribution=pareto keep_order=false", SPREAD, judges.alike_delays),
    Row("jitter, paretonormal", "delay 80ms 15ms distribution paretonormal",
        "latency latency=80ms jitter=15ms distribution=paretonormal keep_order=false", SPREAD, judges.alike_delays),
    Row("loss, correlated", "loss 30% 25%", "loss probability=30% correlation=25%", MANY, judges.alike_loss),
)


def before_and_after(wire, row, weather):
    """The train of a row in that weather, and one without; the link must be clean before, and as before afterwards."""
    qdisc = qdiscs(wire, "a")
    control = wire.train(**CONTROL)
    control.is_whole()
    with weather(wire, "a", row.tc if weather is Tc else row.ours):
        assert "netem" in qdiscs(wire, "a"), "there is no netem"
        if row.train.get("lossy") != "all":
            train = wire.train(**row.train)
        else:  # that none came is known when a later one does, and that needs the end of the weather
            under_way = wire.send_all(row.train["n"])
    if row.train.get("lossy") == "all":
        train = wire.finish(under_way, lossy=True)
    assert qdiscs(wire, "a") == qdisc, f"left behind: {qdiscs(wire, 'a')}"
    judges.whole(wire.train(**CONTROL), control)
    return train, control


def one(wire, row, weather):
    return row.judge(*before_and_after(wire, row, weather))


def both(wire, row):
    return row.judge(before_and_after(wire, row, Ours)[0], before_and_after(wire, row, Tc)[0])


def each_direction(wire, weather, words):
    """What is done to one end is seen in what that end sends, and nowhere else; and both at once."""
    control = wire.train(**CONTROL)
    with weather(wire, "a", words(30)):
        judges.delayed(30)(wire.train(**CONTROL), control)
        judges.whole(wire.train(side="b", **CONTROL), control)
        with weather(wire, "b", words(60)):
            judges.delayed(30)(wire.train(**CONTROL), control)
            judges.delayed(60)(wire.train(side="b", **CONTROL), control)
        judges.whole(wire.train(side="b", **CONTROL), control)
        judges.delayed(30)(wire.train(**CONTROL), control)
    judges.whole(wire.train(**CONTROL), control)


def healed_by_the_guard(wire):
    """Killed in the middle of it, the harness leaves nothing."""
    qdisc, control = qdiscs(wire, "a"), wire.train(**CONTROL)
    with Ours(wire, "a", "latency latency=30ms") as run:
        judges.delayed(30)(wire.train(**CONTROL), control)
        run.kill()
    until(lambda: qdiscs(wire, "a") == qdisc, f"the qdisc {qdisc}, now {qdiscs(wire, 'a')}")
    judges.whole(wire.train(**CONTROL), control)


def partitioned(wire, cut, words):
    """What the sides in `cut` send does not arrive, what the others send does; afterwards all does."""
    control, all_of_them = wire.train(**CONTROL), set(range(CONTROL["n"]))
    for side in OTHER:
        wire.received(side)
    with Ours(wire, "a", words):
        under_way = {side: wire.send_all(CONTROL["n"], side=side) for side in OTHER}
        for side in set(OTHER) - set(cut):
            wire.finish(under_way[side])
            assert set(wire.received(OTHER[side])) >= all_of_them, f"what {side} sent did not arrive"
    for side in cut:  # what comes now comes after all that was sent before
        wire.finish(under_way[side], lossy=True)
        assert not set(wire.received(OTHER[side])) & all_of_them, f"what {side} sent arrived"
    for side in OTHER:
        judges.whole(wire.train(side=side, **CONTROL), control)


def links(wire, side):
    """What stands on the interface, and which other interfaces there are beside it."""
    done = subprocess.run(["ip", "-n", wire.namespace[side], "-br", "link"], check=True, stdin=subprocess.DEVNULL,
                          capture_output=True)
    return qdiscs(wire, side) + done.stdout.decode()


def each_end(wire, words, slow):
    """Of the ends in `slow` each datagram takes at least 30 ms, of the others some do not; afterwards none does."""
    before = links(wire, "a")
    with Ours(wire, "a", words):
        took = {side: min(wire.passage_ms(side) for _ in range(30)) for side in OTHER}
        for side in OTHER:
            assert (took[side] >= 30) == (side in slow), f"what {side} sends takes {took[side]:.1f} ms"
    assert links(wire, "a") == before, f"left behind: {links(wire, 'a')}"
    assert all(min(wire.passage_ms(side) for _ in range(30)) < 30 for side in OTHER)
    return " ".join(f"{side} {ms:.1f} ms" for side, ms in took.items())


def two_on_one_end(wire):
    """What arrives and what leaves are shaped by two at once, each for itself."""
    before = links(wire, "a")
    with Ours(wire, "a", "latency latency=30ms --direction to"):
        with Ours(wire, "a", "latency latency=60ms"):
            assert 30 <= min(wire.passage_ms("b") for _ in range(30)) < 60
            assert min(wire.passage_ms("a") for _ in range(30)) >= 60
        assert min(wire.passage_ms("a") for _ in range(30)) < 30
        assert min(wire.passage_ms("b") for _ in range(30)) >= 30
    assert links(wire, "a") == before, f"left behind: {links(wire, 'a')}"


def lost_on_arrival(wire, share, n=3000):
    wire.received("a")
    with Ours(wire, "a", f"loss probability={share:.0%} --direction to"):
        wire.finish(wire.send_all(n, side="b"), lossy=True)
    got = len({number for number in wire.received("a") if number < n})
    sigma = (n * share * (1 - share)) ** 0.5
    assert abs(n - got - n * share) <= 6 * sigma, f"{n - got} of {n} lost, not about {n * share:.0f}"
    return f"{n - got} of {n} lost"


def arriving_healed_by_the_guard(wire):
    """Killed in the middle of it, the harness leaves neither ifb nor redirection."""
    before = links(wire, "a")
    with Ours(wire, "a", "latency latency=30ms --direction both") as run:
        assert "ifb" not in before and links(wire, "a") != before
        run.kill()
    until(lambda: links(wire, "a") == before, f"{before}, now {links(wire, 'a')}")
    assert all(min(wire.passage_ms(side) for _ in range(30)) < 30 for side in OTHER)


def tcp_in_foul_weather(wire, weather, words):
    """An ordinary connection through loss, disorder and duplicates takes its time, and delivers every octet."""
    sent = os.urandom(TCP_OCTETS)
    with wire.tcp("b") as listener, wire.tcp("a") as client:
        listener.bind((wire.address["b"], 0))
        listener.listen()
        listener.settimeout(HANG_S)
        client.settimeout(HANG_S)
        with weather(wire, "a", words):
            since = time.monotonic()
            client.connect(listener.getsockname())
            took_ms = (time.monotonic() - since) * 1000
            assert took_ms >= 20, f"connected after {took_ms:.1f} ms: faster than the delay of 20 ms"
            server, _ = listener.accept()
            threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR))).start()
            with server:
                server.settimeout(HANG_S)
                got = b"".join(iter(lambda: server.recv(65536), b""))
    assert got == sent, f"{len(got)} of {len(sent)} octets, or others"
    return f"connected after {took_ms:.1f} ms, {len(got)} octets as sent"


def main():
    with Wire() as wire:
        for row in ROWS:
            for weather in (Tc, Ours):
                rig.test(one, wire, row, weather, name=f"{weather.who}: {row.name}")
        for row in ALIKE:
            rig.test(both, wire, row, name=f"alike: {row.name}")
        for weather, words in ((Tc, "delay {}ms"), (Ours, "latency latency={}ms")):
            rig.test(each_direction, wire, weather, words.format, name=f"{weather.who}: each direction by itself")
        for cut, words in (("ab", "partition"), ("a", "partition direction=from"), ("b", "partition direction=to")):
            rig.test(partitioned, wire, cut, words, name=f"wsquall: {words}")
        for cut, words in (("ab", "partition by=netem"), ("b", "partition by=netem direction=to"),
                           ("b", "partition by=blackhole direction=to")):
            rig.test(partitioned, wire, cut, words, name=f"wsquall: {words}")
        for slow, direction in (("a", "from"), ("b", "to"), ("ab", "both")):
            rig.test(each_end, wire, f"latency latency=30ms --direction {direction}", slow,
                     name=f"wsquall: --direction {direction}")
        rig.test(two_on_one_end, wire, name="wsquall: arriving and leaving by two at once")
        rig.test(lost_on_arrival, wire, 0.3, name="wsquall: loss 30 % of what arrives")
        rig.test(arriving_healed_by_the_guard, wire, name="wsquall: arriving, healed when the harness is killed")
        rig.test(healed_by_the_guard, wire, name="wsquall: healed when the harness is killed")
        # The first of five always waits: that is the SYN.
        for weather, words in ((Tc, "delay 20ms loss 5% duplicate 5% reorder 25% gap 5"),
                               (Ours, "reorder delay=20ms gap=5")):
            rig.test(tcp_in_foul_weather, wire, weather, words, name=f"{weather.who}: TCP")
        rig.main()


if __name__ == "__main__":
    main()

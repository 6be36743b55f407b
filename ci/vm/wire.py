"""A link to measure on: two namespaces, a and b, joined by a veth pair, and trains of UDP datagrams across it.

Ordinary sockets send; what comes out at the other end is seen frame by frame by a packet socket, with the kernel's time
of its arrival. There is nothing else on the link: no IPv6, no ARP (the neighbours are told), no answers.
Sources: packet(7), veth(4), socket(7), udp(7).
"""

import collections
import contextlib
import ctypes
import itertools
import os
import select
import socket
import struct
import subprocess
import threading
import time

from train import HEAD, Sent, Train, header

PORT = 9999
BUFFER = 64 << 20  # octets of a socket's queue: a train fits
HANG_S = 60
LAST_S = 10  # after the first sentinel: longer than any jitter here
SENTINEL_S = 0.02  # between those that tell that everything sent before them has come or will not
# linux/if_packet.h, asm-generic/socket.h, linux/in.h, linux/sched.h
SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING, ETH_P_ALL = 263, 6, 4, 3
SO_NO_CHECK, SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 11, 32, 33, 35
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
CLONE_NEWNET = 0x40000000
OTHER = {"a": "b", "b": "a"}

UnderWay = collections.namedtuple("UnderWay", "n size side sent")

libc = ctypes.CDLL(None, use_errno=True)
numbers = itertools.count(1)


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


def inside(namespace, function):
    """What function() returns in a thread inside the namespace; the sockets that it opens stay there."""
    done = {}

    def there():
        try:
            with open(f"/run/netns/{namespace}", "rb") as f:
                if libc.setns(f.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns {namespace}")
            done["value"] = function()
        except BaseException as error:  # pylint: disable=broad-except
            done["error"] = error

    thread = threading.Thread(target=there)
    thread.start()
    thread.join()
    if "error" in done:
        raise done["error"]
    return done["value"]


def no_ipv6():
    with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as f:
        f.write("1")


class Wire(contextlib.AbstractContextManager):
    """The link. namespace["a"], interface["a"] and address["a"] are those of one end."""

    def __init__(self):
        # A veth pair keeps no order between processors: what a timer of one sends may be overtaken by what we send on
        # another. All that is sent here, and so netem's timer too, is kept on one.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        number = next(numbers)
        self.namespace = {s: f"wire{number}{s}" for s in OTHER}
        self.interface = {s: f"{s}0" for s in OTHER}
        self.address = {"a": "10.99.0.1", "b": "10.99.0.2"}
        mac = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b"}
        for s in OTHER:
            ip("netns", "add", self.namespace[s])
            inside(self.namespace[s], no_ipv6)
        ip("-n", self.namespace["a"], "link", "add", "a0", "address", mac["a"], "type", "veth",
           "peer", "name", "b0", "address", mac["b"], "netns", self.namespace["b"])
        for s, other in OTHER.items():
            ip("-n", self.namespace[s], "address", "add", self.address[s] + "/24", "dev", self.interface[s])
            ip("-n", self.namespace[s], "link", "set", "lo", "up")
            ip("-n", self.namespace[s], "link", "set", self.interface[s], "up")
            ip("-n", self.namespace[s], "neigh", "add", self.address[other], "lladdr", mac[other],
               "dev", self.interface[s])
        self.tap = {s: inside(self.namespace[s], lambda s=s: self.open_tap(s)) for s in OTHER}
        self.udp = {s: inside(self.namespace[s], lambda s=s: self.open_udp(s)) for s in OTHER}
        self.header = {s: lambda size, s=s: header(mac[OTHER[s]], mac[s], self.address[s], self.address[OTHER[s]],
                                                   PORT, size) for s in OTHER}

    def __exit__(self, *_):
        for s in OTHER:
            self.tap[s].close()
            self.udp[s].close()
            ip("netns", "delete", self.namespace[s])

    def open_tap(self, side):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        tap.bind((self.interface[side], ETH_P_ALL))
        tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        tap.setblocking(False)
        return tap

    def open_udp(self, side):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((self.address[side], PORT))  # and what comes ends there: nothing answers it
        udp.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
        udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        udp.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        udp.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        return udp

    def tcp(self, side):
        return inside(self.namespace[side], lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))

    def heard(self, side):
        """(time of arrival, frame) of what has come to this side since the last call."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, extra, _, source = self.tap[side].recvmsg(65536, 64)
                if source[2] == PACKET_OUTGOING:
                    continue
                seconds, ns = struct.unpack("qq", extra[0][2])
                found.append((seconds * 1_000_000_000 + ns, frame))
        # Reading it also resets it: dropped here, for want of room, would look like lost on the link.
        dropped = struct.unpack("II", self.tap[side].getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        assert dropped == 0, f"the measuring socket had no room for {dropped} frames"
        return found

    def received(self, side):
        """Numbers of the datagrams that its socket got since the last call; what is cut behind the tap is seen here."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(HEAD.unpack_from(self.udp[side].recv(65536, socket.MSG_DONTWAIT))[0])
        return found

    def passage_ms(self, side):
        """How long a datagram takes from socket to socket: the tap sees it before what arrives is shaped."""
        there = self.udp[OTHER[side]]
        self.received(OTHER[side])
        since = time.monotonic()
        self.udp[side].sendto(bytes(HEAD.size), (self.address[OTHER[side]], PORT))
        assert select.select([there], [], [], HANG_S)[0], f"what {side} sent does not come within {HANG_S} s"
        there.recv(65536)
        return (time.monotonic() - since) * 1000

    def train(self, n, size=100, pace_s=0.0, side="a", lossy=False):
        """What became of n datagrams of `size` octets of payload, pace_s apart."""
        return self.finish(self.send_all(n, size, pace_s, side), lossy)

    def send_all(self, n, size=100, pace_s=0.0, side="a"):
        """The beginning of a train: it is under way."""
        self.heard(OTHER[side])
        under_way = UnderWay(n, size, side, Sent(self.header[side](size)))
        for number in range(n):
            self.send(under_way, number)
            if pace_s:
                time.sleep(pace_s)
        return under_way

    def finish(self, under_way, lossy=False):
        """
        Its end: sentinels go after it, again and again, until one came and with it, or after it when they are in
        disorder, all n. lossy: not all may come; then nothing may be in disorder.
        """
        until, frames, n = time.monotonic() + HANG_S, [], under_way.n
        tap = self.tap[OTHER[under_way.side]]
        for number in itertools.count(n):
            self.send(under_way, number)
            select.select([tap], [], [], SENTINEL_S)
            time.sleep(SENTINEL_S)
            frames += self.heard(OTHER[under_way.side])
            result = Train(n, frames, under_way.sent)
            if result.sentinels and (lossy or result.lost == 0):
                return result
            until = min(until, time.monotonic() + LAST_S) if result.sentinels else until
            assert time.monotonic() < until, f"{result.lost} of {n} datagrams do not come"

    def send(self, under_way, number):
        payload = under_way.sent.next(number, under_way.size)
        self.udp[under_way.side].sendto(payload, (self.address[OTHER[under_way.side]], PORT))

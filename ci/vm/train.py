"""What became of a train of numbered datagrams: delays, losses, bursts, duplicates, disorder, bits that changed."""

import collections
import itertools
import socket
import struct
import time

HEAD = struct.Struct("!IIq")  # number, number again, time of sending in ns of CLOCK_REALTIME
HEADERS = 14 + 20 + 8  # octets of Ethernet, IPv4, UDP
PATTERN = bytes((7 * i + i // 256) % 251 for i in range(4096))

Arrival = collections.namedtuple("Arrival", "number delay_ms at_ms octets bits_changed")


def header(to_mac, from_mac, source, to, port, size):
    """Of a UDP datagram without a checksum, not to be fragmented: RFC 791, RFC 768."""
    ethernet = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in (to_mac, from_mac)) + b"\x08\x00"
    ipv4 = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + size, 0, 0x4000, 64, socket.IPPROTO_UDP, 0,
                       socket.inet_aton(source), socket.inet_aton(to))
    total = sum(struct.unpack("!10H", ipv4))
    total = (total & 0xffff) + (total >> 16)
    ipv4 = ipv4[:10] + struct.pack("!H", 0xffff - ((total & 0xffff) + (total >> 16))) + ipv4[12:]
    return ethernet + ipv4 + struct.pack("!HHHH", port, port, 8 + size, 0)


class Sent:
    """What was sent, and so which frames are to come out: every octet, headers included."""

    def __init__(self, head):
        self.header, self.time_ns, self.payload = head, {}, {}

    def next(self, number, size):
        start = number % 1024
        now = self.time_ns[number] = time.time_ns()
        self.payload[number] = (HEAD.pack(number, number, now) + PATTERN[start:start + size])[:size]
        return self.payload[number]

    def bits_changed(self, number, frame):
        whole = self.header + self.payload[number]
        if frame == whole:
            return 0
        if len(frame) != len(whole):
            return 8 * max(len(frame), len(whole))
        return (int.from_bytes(frame, "big") ^ int.from_bytes(whole, "big")).bit_count()

    def recognize(self, frame):
        """(number, bits that are not as sent), or None: none of these."""
        if len(frame) < HEADERS + HEAD.size:
            return None
        numbers = set(HEAD.unpack_from(frame, HEADERS)[:2])
        found = [(self.bits_changed(number, frame), number) for number in numbers if number in self.payload]
        return min(found)[::-1] if found else None


class Train:
    """Datagrams 0 to n - 1; those above are sentinels, sent after them. frames: (time of arrival in ns, octets)."""

    def __init__(self, n, frames, sent):
        self.n, self.arrivals, self.sentinels, self.strange = n, [], 0, 0
        for at, frame in frames:
            number, bits = sent.recognize(frame) or (None, 0)
            if number is None:
                self.strange += 1
            elif number >= n:
                self.sentinels += 1
            else:
                delay = (at - sent.time_ns[number]) / 1e6
                self.arrivals.append(Arrival(number, delay, at / 1e6, len(frame), bits))
        self.seen = {a.number for a in self.arrivals}
        self.delays_ms = sorted(a.delay_ms for a in self.arrivals)

    @property
    def lost(self):
        return self.n - len(self.seen)

    @property
    def duplicates(self):
        return len(self.arrivals) - len(self.seen)

    @property
    def changed(self):
        return [a for a in self.arrivals if a.bits_changed]

    def quantile_ms(self, share):
        return self.delays_ms[min(int(share * len(self.delays_ms)), len(self.delays_ms) - 1)]

    @property
    def median_ms(self):
        return self.quantile_ms(0.5)

    def bursts(self):
        """Lengths of the runs of datagrams that were lost in a row."""
        runs = itertools.groupby(number not in self.seen for number in range(self.n))
        return [len(list(run)) for lost, run in runs if lost]

    def overtakers(self):
        """Numbers of those that came before one that had been sent earlier."""
        found, first_to_come = set(), self.n
        for a in reversed(self.arrivals):
            if a.number > first_to_come:
                found.add(a.number)
            first_to_come = min(first_to_come, a.number)
        return found

    def is_whole(self):
        """Every datagram came once, in order, with every octet as sent, and nothing else came."""
        assert not self.strange, f"{self.strange} frames that nobody sent"
        assert [a.number for a in self.arrivals] == list(range(self.n)), (
            f"of {self.n} {self.lost} lost, {self.duplicates} doubled, {len(self.overtakers())} early")
        assert not self.changed, f"{len(self.changed)} frames changed"

#!/usr/bin/python3 -B
"""Peers that do not read, do not answer or are gone, and that nobody else notices.

usage: test_slow.py wsquall-server [WORD...]
"""
import ctypes
import socket
import struct
import threading
import time

import rig
import ws as wire
from rig import NO_LIMITS, Server, test
from ws import dripping


def cut_off(sock):
    """From now on this socket hears nothing, as behind a cut cable: not even the kernel answers what comes."""
    code = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0, for every packet
    room = ctypes.create_string_buffer(code)
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", 1, ctypes.addressof(room)))  # SO_ATTACH_FILTER


# slow consumers

@test
def a_slow_consumer_is_closed_and_nobody_else_notices():
    count, block = 400, "x" * 65536
    with Server(*NO_LIMITS, "--slow-consumer-bytes", "1MiB", "--slow-consumer-grace", "500ms", "--retention-messages",
                "100") as server:
        slow, fast, pub = server.ws("/ws?window=0", rcvbuf=4096), server.ws("/ws?window=0"), server.ws()
        slow.subscribe("c")
        fast.subscribe("c")
        seen = []

        def read():
            for _ in range(count):
                seen.append(fast.expect("message")["seq"])

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        for i in range(count):
            pub.publish("c", block)
        thread.join(wire.DEADLINE_S)
        assert seen == list(range(1, count + 1)), len(seen)
        line = server.log("ws.slow_consumer")
        assert line["conn"] == slow.conn and line["buffered"] > 1 << 20, line
        end = server.log("ws.disconnect", conn=slow.conn)
        assert (end["code"], end["initiator"]) == (4008, "server"), end
        server.metric("ws_slow_consumers_total", 1)
        server.metric("ws_connections_active", 2)
        server.metric("ws_send_queue_bytes", 0)
        assert slow.ended(answer=False)[0] in (4008, 1006)  # a full socket has no room for a Close
        fast.nothing()


@test
def a_slow_consumer_that_reads_again_in_time_stays():
    with Server(*NO_LIMITS, "--slow-consumer-bytes", "64KiB", "--slow-consumer-grace", "1m", "--retention-messages",
                "1000") as server:
        slow, pub = server.ws("/ws?window=0", rcvbuf=4096), server.ws()
        slow.subscribe("c")
        for i in range(300):
            pub.publish("c", "x" * 65536)
        assert server.metrics()["ws_send_queue_bytes"] > 65536
        assert [slow.expect("message")["seq"] for _ in range(300)] == list(range(1, 301))
        server.metric("ws_send_queue_bytes", 0)
        slow.nothing()
        assert server.metrics()["ws_slow_consumers_total"] == 0


@test
def the_byte_budget_does_not_bind_a_windowed_client():
    with Server(*NO_LIMITS, "--slow-consumer-bytes", "1KiB", "--slow-consumer-grace", "1ms") as server:
        ws, pub = server.ws("/ws?window=200", rcvbuf=4096), server.ws()
        ws.subscribe("c")
        for i in range(200):
            pub.publish("c", "x" * 65536)
        assert [ws.expect("message")["seq"] for _ in range(200)] == list(range(1, 201))


@test
def a_windowed_client_whose_next_message_was_evicted():
    with Server(*NO_LIMITS, "--retention-messages", "10") as server:
        ws, keeps, pub = server.ws("/ws?window=4"), server.ws("/ws?window=4"), server.ws()
        ws.subscribe("c")
        keeps.subscribe("c")
        for i in range(1, 15):
            pub.publish("c", i)  # 5 to 14 are kept: 5 is next
            if i == 10:
                keeps.messages(4)
                keeps.say({"type": "ack", "channel": "c", "seq": 4})
                keeps.messages(4)
        assert [m["seq"] for m in ws.barrier()] == [1, 2, 3, 4]
        pub.publish("c", 15)
        assert ws.ended()[0] == 4008
        assert server.log("ws.slow_consumer")["conn"] == ws.conn
        server.metric("ws_slow_consumers_total", 1)
        keeps.nothing()
        again = server.ws(f"/ws?session={ws.welcome['session']}")
        assert again.welcome["resumed"] is True
        assert again.expect("subscribed", channel="c", id=None)["recovered"] is False


# heartbeat

class Living(threading.Thread):
    """A client that reads and answers Pings until it is stopped; code: of the Close that should not come."""

    def __init__(self, ws):
        super().__init__()
        self.ws, self.stopping, self.code, self.pings = ws, False, None, 0
        self.start()

    def run(self):
        self.ws.socket.settimeout(0.05)
        while not self.stopping:
            try:
                self.ws.fill(2)
                opcode, payload, _, _ = self.ws.frame()
            except TimeoutError:
                continue
            except wire.Closed as closed:
                self.code = closed.code
                return
            if opcode == wire.CLOSE:
                self.code = struct.unpack(">H", payload[:2])[0]
                return
            assert opcode == wire.PING, opcode
            self.pings += 1
            self.ws.send_frame(wire.PONG, payload)

    def stop(self):
        self.stopping = True
        self.join()
        self.ws.socket.settimeout(wire.DEADLINE_S)


@test
def heartbeat():
    with Server(*NO_LIMITS, "--heartbeat-interval", "200ms", "--heartbeat-timeout", "3s") as server:
        good, dead, busy = Living(server.ws()), server.ws(), server.ws()
        try:
            assert good.ws.welcome["heartbeat_ms"] == 200
            dead.pongs = busy.pongs = False
            # only Pongs count as life
            assert dripping(busy, lambda: wire.frame(1, b'{"type":"ping","id":1}')) == 4010
            assert busy.pings >= 1
            assert dead.ended()[0] == 4010
            wire.until(lambda: good.pings >= 10 or good.code)
        finally:
            good.stop()
        assert good.code is None, good.code
        good.ws.nothing()
        for ws in (dead, busy):
            assert server.log("ws.heartbeat_timeout", conn=ws.conn)
            end = server.log("ws.disconnect", conn=ws.conn)
            assert (end["code"], end["initiator"]) == (4010, "server"), end
            assert end["duration_ms"] >= 3000, end
        server.metric('ws_closes_total{code="4010"}', 2)


@test
def ghosts_are_cleaned_up():
    with Server(*NO_LIMITS, "--heartbeat-interval", "300ms", "--heartbeat-timeout", "2s") as server:
        good = Living(server.ws())
        try:
            server.metric("ws_connections_active", 1)
            fds = server.metrics()["process_open_fds"]
            ghosts = [server.ws(path) for path in ("/ws", "/ws?window=0") * 8]
            for ghost in ghosts:
                ghost.subscribe("c")
            server.metric("ws_connections_active", 17)
            for ghost in ghosts:
                cut_off(ghost.socket)
            server.http("/publish/c", "POST", {"data": "x" * 100000})  # stays unsent
            server.metric("ws_connections_active", 1)
            wire.until(lambda: server.metrics()["process_open_fds"] <= fds)
            for ghost in ghosts:
                end = server.log("ws.disconnect", conn=ghost.conn)
                assert (end["code"], end["clean"], end["initiator"]) == (4010, False, "server"), end
            server.metric("ws_send_queue_bytes", 0)
        finally:
            good.stop()
        assert good.code is None, good.code


@test
def who_reads_slowly_has_its_pings_in_time():
    with Server(*NO_LIMITS, "--heartbeat-interval", "500ms", "--heartbeat-timeout", "2500ms") as server:
        slow, talks = server.ws(rcvbuf=65536), server.ws(rcvbuf=65536)
        slow.subscribe("c")
        talks.subscribe("c")
        for i in range(250):
            assert server.http("/publish/c", "POST", {"data": "x" * 65536}).status == 200
        talks.say({"type": "ping", "id": 1})  # the server stops reading it: too much is unsent
        for i in range(1, 251):
            assert slow.expect("message")["seq"] == talks.expect("message")["seq"] == i
            time.sleep(0.025)
        talks.expect("pong", id=1)
        assert slow.pings > 2 and not server.logged("ws.heartbeat_timeout")


@test
def who_stops_reading_while_it_is_not_read_is_found():
    with Server(*NO_LIMITS, "--heartbeat-interval", "300ms", "--heartbeat-timeout", "1s") as server:
        ws = server.ws(rcvbuf=65536)
        ws.subscribe("c")
        for i in range(160):
            assert server.http("/publish/c", "POST", {"data": "x" * 65536}).status == 200
        ws.say({"type": "ping", "id": 1})  # the server stops reading it: too much is unsent
        while server.metrics()["ws_send_queue_bytes"] > 1500000:
            ws.frame()
        end = server.log("ws.disconnect", conn=ws.conn)
        assert (end["code"], end["clean"], end["initiator"]) == (4010, False, "server"), end


@test
def a_close_that_is_never_answered_ends_in_time():
    with Server(*NO_LIMITS, "--close-timeout", "300ms") as server:
        ws = server.ws()
        ws.send_frame(2, b"x")
        assert ws.ended(answer=False)[0] == 1003
        assert ws.rest() == b""
        end = server.log("ws.disconnect", conn=ws.conn)
        assert (end["code"], end["clean"], end["initiator"]) == (1003, False, "server"), end
        assert 0 <= end["duration_ms"] < 60000, end


if __name__ == "__main__":
    rig.main(jobs=8)

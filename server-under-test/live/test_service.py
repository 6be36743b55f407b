#!/usr/bin/python3 -B
"""What an operator counts on beyond the protocol: heartbeats on time, costs that stay in proportion, everything given back.

usage: test_service.py wsquall-server [WORD...]
"""
import json
import os
import resource
import signal
import time

import rig
import ws as wire
from rig import NO_LIMITS, Server, node, test


def cpu_s(server):
    """CPU time its process has used."""
    return time.clock_gettime((~server.pid << 3) | 2)  # CPUCLOCK_SCHED of the process, clock_getcpuclockid(3)


def more_descriptors():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@test
def pings_come_at_the_promised_interval():
    interval_s = 0.3
    with node("--heartbeat-interval", "300ms", "--heartbeat-timeout", "20s") as server:
        ws = server.ws()
        assert ws.welcome["heartbeat_ms"] == 300
        count, intervals, began = 0, 0, time.monotonic()
        while intervals < 10:
            assert ws.frame()[0] == wire.PING
            count, intervals = count + 1, (time.monotonic() - began) / interval_s
        assert intervals / 2 < count < intervals + 2, f"{count} Pings within {intervals:.1f} intervals"


@test
def a_log_line_holds_any_reason():
    reasons = ['a "quoted" word', "back\\slash", "tab\tand\nline", "{}", "grüße \u2028"]
    with node() as server:
        for reason in reasons:
            ws = server.ws()
            ws.close(4000, reason)
            end = server.log("ws.disconnect", conn=ws.conn)
            assert (end["code"], end["reason"]) == (4000, reason), end


@test
def an_address_gets_back_what_an_abnormal_end_frees():
    with Server("--limit-per-address", "2", "--limit-handshakes", "0") as server:
        for reset in (True, False) * 4:
            pair = [server.ws(), server.ws("/echo")]
            for ws in pair:
                ws.drop(reset=reset)
            wire.until(lambda: accepted(server))


def accepted(server):
    try:
        wire.open_ws(server.port).drop()
        return not server.metrics()["ws_connections_active"]
    except wire.Refused:
        return False


@test
def who_comes_back_gets_what_it_missed_and_no_more():
    with node() as server:
        pub, ws = server.ws(), server.ws()
        epoch = ws.subscribe("c")["epoch"]
        for i in range(1, 11):
            pub.publish("c", i)
        ws.messages(10)
        ws.drop()
        for seq in (10, 9, 5, 1, 0):
            again = server.ws()
            assert again.subscribe("c", since={"epoch": epoch, "seq": seq})["recovered"] is True
            assert [m["seq"] for m in again.barrier()] == list(range(seq + 1, 11)), seq


@test
def a_position_can_be_resumed_from_any_number_of_times():
    with node() as server:
        pub = server.ws()
        epoch = [pub.publish("c", i)["epoch"] for i in range(1, 6)][0]
        for _ in range(4):
            ws = server.ws()
            assert ws.subscribe("c", since={"epoch": epoch, "seq": 3})["recovered"] is True
            assert [m["seq"] for m in ws.barrier()] == [4, 5]


@test
def a_broadcast_costs_in_proportion_to_its_subscribers():
    few, factor, rounds = 100, 8, 4
    more_descriptors()
    with node("--heartbeat-interval", "0") as server:
        pub, costs = server.ws(), {}
        for count in (few, few * factor):
            for _ in range(count):
                server.ws("/ws?window=0").subscribe(f"to/{count}")
        for count in (few, few * factor) * rounds:
            pub.nothing()
            before = cpu_s(server)
            for i in range(10):
                pub.publish(f"to/{count}", i)
            pub.nothing()
            costs.setdefault(count, []).append(cpu_s(server) - before)
        ratio = min(costs[few * factor]) / min(costs[few])
        assert ratio < 1.6 * factor, f"{factor} times the subscribers cost {ratio:.1f} times as much: {costs}"


@test
def a_broadcast_is_kept_once_for_all_who_are_behind():
    readers, count, size = 20, 40, 256 * 1024
    with node("--slow-consumer-bytes", "1GiB", "--heartbeat-interval", "0") as server:
        pub = server.ws()
        for _ in range(readers):
            server.ws("/ws?window=0", rcvbuf=4096).subscribe("c")
        before = server.rss()
        for _ in range(count):
            pub.publish("c", "x" * size)
        assert server.metrics()["ws_send_queue_bytes"] > readers * size, "the sockets have taken it all"
        grown = server.rss() - before
        assert grown < 5 * count * size, f"{count * size >> 20} MiB for {readers} readers grew it by {grown >> 20} MiB"


@test
def memory_of_a_connection_comes_back():
    warm, count = 300, 700
    with node("--session-ttl", "100ms") as server:
        def visit(number):
            ws = server.ws(("/ws", "/echo")[number % 2])
            server.clients.pop()
            if number % 3:
                ws.close()
            ws.drop()

        for number in range(warm):
            visit(number)
        server.metric("ws_connections_active", 0)
        before = server.rss()
        for number in range(count):
            visit(number)
        server.metric("ws_connections_active", 0)
        grown = server.rss() - before
        assert grown < 6 << 20, f"{count} connections left {grown / count:.0f} bytes each"


@test
def descriptors_come_back_however_a_connection_ends():
    with node() as server:
        before = server.metrics()["process_open_fds"]
        for number in range(30):
            ws = server.ws(("/ws", "/echo")[number % 2])
            if number % 3 == 0:
                ws.close()
            ws.drop(reset=number % 3 == 1)
        wire.until(lambda: server.metrics()["process_open_fds"] <= before)


@test
def without_descriptors_it_waits_and_does_not_spin():
    with node() as server:
        _, most = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (64, most))
        raws = [server.raw() for _ in range(100)]
        time.sleep(0.2)
        before = cpu_s(server)
        time.sleep(1)
        assert cpu_s(server) - before < 0.5, "it spins"
        for raw in raws:
            raw.drop()
        server.ws().nothing()


@test
def what_is_queued_is_not_lost_in_a_drain():
    count, size = 100, 65536
    with node("--slow-consumer-bytes", "1GiB", "--close-timeout", "20s") as server:
        slow, pub = server.ws("/ws?window=0", rcvbuf=4096), server.ws()
        slow.subscribe("c")
        for _ in range(count):
            pub.publish("c", "x" * size)
        assert server.metrics()["ws_send_queue_bytes"] > size, "the socket has taken it all"
        server.signal(signal.SIGTERM)
        assert pub.ended()[0] == 1001
        assert [slow.expect("message")["seq"] for _ in range(count)] == list(range(1, count + 1))
        assert slow.ended()[0] == 1001
        server.wait(0)


@test
def a_broadcast_counts_once_for_each_who_gets_it():
    with node() as server:
        subs, pub = [server.ws() for _ in range(5)], server.ws()
        for ws in subs:
            ws.subscribe("c")
        for i in range(3):
            pub.publish("c", i)
        for ws in subs:
            ws.messages(3)
            ws.nothing()
        server.metric('ws_messages_total{direction="out",type="message"}', 15)


@test
def a_message_takes_no_longer_by_the_metrics_than_by_the_clock():
    with node() as server:
        ws, name = server.ws(), "ws_message_duration_seconds_sum"
        for i in range(20):
            before, since = server.metrics()[name], time.monotonic()
            ws.publish("c", i)
            rose = server.metrics()[name] - before
            assert 0 < rose <= time.monotonic() - since, rose


@test
def a_burst_is_seen_in_its_order_by_all():
    with node() as server:
        subs, pub = [server.ws("/ws?window=0") for _ in range(6)], server.ws()
        for ws in subs:
            ws.subscribe("c")
        burst = b"".join(wire.frame(1, b'{"type":"publish","id":%d,"channel":"c","data":%d}' % (i, i)) for i in range(200))
        pub.send(burst)
        for ws in subs:
            assert [(m["seq"], m["data"]) for m in ws.messages(200)] == [(i + 1, i) for i in range(200)]


@test
def a_small_message_does_not_pass_a_large_one():
    data = ["X" * (70000 if i % 7 == 3 else 10) + str(i) for i in range(100)]
    with node() as server:
        sub, pub = server.ws("/ws?window=0"), server.ws()
        sub.subscribe("c")
        pub.send(b"".join(wire.frame(1, json.dumps(wire.a_publish("c", text, id=i)).encode()) for i, text in enumerate(data)))
        assert [m["data"] for m in sub.messages(len(data))] == data


if __name__ == "__main__":
    rig.main(jobs=4)

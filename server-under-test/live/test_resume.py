#!/usr/bin/python3 -B
"""Many clients, several nodes, one Redis; nodes are killed and drained, Redis is killed, and all start again. Whatever was
answered `published` reaches every subscriber, once and in one order.

usage: test_resume.py wsquall-server [--messages N] [--clients N] [--nodes N]

Every client publishes its share to the channel of its group, with a key, and repeats what was not answered. Three of four
come back by the (epoch, seq) they have; nothing may come twice to them. The fourth comes back by its session: what comes
again is what the server had no ack for. One channel is subscribed to by all.
"""
import argparse
import asyncio
import contextlib
import sys
import time

import peer
import rig
from rig import NO_LIMITS, Redis, Server

GROUPS = 10
IN_FLIGHT = 8  # publishes of one client that wait for their answer
ACK_EVERY = 32
DEADLINE_S = 60  # without any progress

OPTIONS = (*NO_LIMITS, "--store", "redis", "--redis-timeout", "1s", "--retention-messages", "1000000", "--retention-bytes",
           "1GiB", "--retention-time", "60m", "--drain-notice", "0", "--drain-spread", "500ms", "--drain-timeout", "5s")


class Wrong(Exception):
    """What must not be."""


class World:
    """What all clients know together."""

    def __init__(self, settings):
        self.settings = settings
        self.ports = []
        self.published = {}  # data as (client, i): (channel, epoch, seq) that was answered
        self.deliveries = self.reconnects = self.resumed = self.repeated = self.again = self.unavailable = 0
        self.progress = time.monotonic()
        self.wrong = None

    def fail(self, text):
        self.wrong = self.wrong or text


class Channel:
    """One subscription of one client: what it has of it."""

    def __init__(self):
        self.epoch, self.seen, self.acked = None, [], 0


class Client:
    def __init__(self, world, number):
        self.world, self.number = world, number
        self.by_session = number % 4 == 3
        self.channels = {"all": Channel(), f"group/{number % GROUPS}": Channel()}
        share = world.settings.messages // world.settings.clients
        self.todo = [(i, "all" if (number + i) % 100 == 0 else f"group/{number % GROUPS}") for i in range(share)][::-1]
        self.in_flight = {}  # id: channel
        self.peer, self.node, self.session, self.rewound = None, number, None, set()
        self.waiting = set()  # channels that are not subscribed yet
        self.ready = self.over = False

    @property
    def done(self):
        return not self.todo and not self.in_flight

    async def run(self):
        loop = asyncio.get_running_loop()
        while not self.over:
            ended = loop.create_future()
            path = f"/ws?session={self.session}" if self.by_session and self.session else "/ws"
            port = self.world.ports[self.node % len(self.world.ports)]
            made = peer.Peer(path, self.guarded, lambda code, ended=ended: ended.done() or ended.set_result(code))
            try:
                await loop.create_connection(lambda made=made: made, "127.0.0.1", port)
                self.peer = made
                await ended
            except OSError:
                pass
            self.peer, self.ready = None, False
            self.node += 1  # the next one
            if not self.over:
                self.world.reconnects += 1
                await asyncio.sleep(0.05)

    def guarded(self, message):
        try:
            getattr(self, "on_" + message["type"], self.on_other)(message)
        except Wrong as wrong:
            self.world.fail(f"client {self.number}: {wrong}")

    def on_other(self, message):
        raise Wrong(f"an unexpected message: {message}")

    def on_welcome(self, message):
        if message["resumed"] != (message["session"] == self.session) or message["resumed"] and not self.by_session:
            raise Wrong(f"resumed {message['resumed']} as {message['session']}, asked for {self.session}")
        self.session, self.waiting = message["session"], set(self.channels)
        if message["resumed"]:  # the server knows the channels
            self.world.resumed += 1
            self.rewound = set(self.channels)
        else:
            for name, channel in self.channels.items():
                since = {"epoch": channel.epoch, "seq": len(channel.seen)} if channel.epoch else None
                self.peer.say({"type": "subscribe", "id": name, "channel": name, "since": since})
        for i, name in self.in_flight.items():
            self.world.repeated += 1
            self.publish(i, name)

    def on_subscribed(self, message):
        channel = self.channels[message["channel"]]
        if channel.epoch is not None and (message["epoch"] != channel.epoch or message.get("recovered") is not True):
            raise Wrong(f"not recovered from {channel.epoch}:{len(channel.seen)}: {message}")
        if channel.epoch is None and message["seq"] != 0:
            if message.get("recovered") is not True:
                raise Wrong(f"the test began late: {message}")
        channel.epoch = message["epoch"]
        if message["channel"] in self.rewound and channel.seen:  # the server may have lost our last acks
            channel.acked = len(channel.seen)
            self.peer.say({"type": "ack", "channel": message["channel"], "seq": channel.acked})
        self.waiting.discard(message["channel"])
        if not self.waiting:
            self.ready = True
            self.go_on()

    def on_message(self, message):
        channel, seq = self.channels[message["channel"]], message["seq"]
        have = len(channel.seen)
        what = tuple(message["data"])
        self.world.deliveries += 1
        if message["epoch"] != channel.epoch:
            raise Wrong(f"a message of another epoch: {message}")
        if seq <= have and message["channel"] in self.rewound:
            self.world.again += 1
            if channel.seen[seq - 1] != what:
                raise Wrong(f"{seq} was {channel.seen[seq - 1]} and is {what}")
            return
        if seq != have + 1:
            raise Wrong(f"{message['channel']}: {seq} came after {have}")
        self.rewound.discard(message["channel"])
        channel.seen.append(what)
        if seq - channel.acked >= ACK_EVERY:
            channel.acked = seq
            self.peer.say({"type": "ack", "channel": message["channel"], "seq": seq})

    def on_published(self, message):
        name = self.in_flight.pop(message["id"], None)
        if name is None:
            raise Wrong(f"an answer to nothing: {message}")
        self.world.published[(self.number, message["id"])] = (name, message["epoch"], message["seq"])
        self.world.progress = time.monotonic()
        self.go_on()

    def on_error(self, message):
        if message["code"] != "unavailable":
            raise Wrong(f"an error: {message}")
        self.world.unavailable += 1
        if message["id"] in self.channels:  # a subscribe: come again
            self.peer.transport.close()
        elif message["id"] in self.in_flight:
            asyncio.get_running_loop().call_later(0.1, self.repeat, message["id"], self.peer)

    def repeat(self, i, said_to):
        if self.peer is said_to and i in self.in_flight:
            self.world.repeated += 1
            self.publish(i, self.in_flight[i])

    def publish(self, i, name):
        self.peer.say({"type": "publish", "id": i, "channel": name, "data": [self.number, i], "key": f"{self.number}/{i}"})

    def go_on(self):
        if self.world.paused:
            return
        while self.ready and self.todo and len(self.in_flight) < IN_FLIGHT:
            i, name = self.todo.pop()
            self.in_flight[i] = name
            self.publish(i, name)


class Rig:
    """The nodes and Redis, and what is done to them."""

    def __init__(self, stack, count):
        self.stack, self.redis = stack, stack.enter_context(Redis())
        self.nodes = [self.start(i) for i in range(count)]

    def start(self, index, port=0):
        node = Server(*OPTIONS, "--redis-address", self.redis.address, "--node", f"n{index}", port=port, drain=())
        self.stack.push(lambda *_: node.kill())
        return node

    def kill_node(self, index):
        port = self.nodes[index].port
        self.nodes[index].kill()
        self.nodes[index] = self.start(index, port)

    def drain_node(self, index):
        port = self.nodes[index].port
        self.nodes[index].signal(rig.signal.SIGTERM)
        self.nodes[index].wait(0)
        self.nodes[index] = self.start(index, port)

    def restart_redis(self, away_s=0.5):
        self.redis.kill()
        time.sleep(away_s)
        self.redis.start()


async def until(world, what, condition):
    while not condition():
        if world.wrong:
            raise Wrong(world.wrong)
        if time.monotonic() - world.progress > DEADLINE_S:
            raise Wrong(f"no progress: {what()}")
        await asyncio.sleep(0.02)


def stuck(clients):
    """For people: who waits for what."""
    return [f"client {c.number} on node {c.node}{' by session' if c.by_session else ''}: {len(c.todo)} to do, waits for "
            f"{sorted(c.in_flight)} and to be subscribed to {sorted(c.waiting)}" for c in clients if not c.done][:5]


async def play(world, play_rig):
    count, messages = world.settings.clients, world.settings.messages // world.settings.clients * world.settings.clients
    world.ports, world.paused = [node.port for node in play_rig.nodes], True
    clients = [Client(world, n) for n in range(count)]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    await until(world, lambda: "not everybody came in", lambda: all(client.ready for client in clients))
    world.paused, since = False, time.monotonic()
    for client in clients:
        client.go_on()
    events = [(0.15, play_rig.kill_node, 0), (0.3, play_rig.restart_redis, 0.5), (0.45, play_rig.drain_node, 1),
              (0.6, play_rig.kill_node, len(play_rig.nodes) - 1), (0.75, play_rig.restart_redis, 2.0),
              (0.9, play_rig.kill_node, 0)]
    for part, act, argument in events:
        await until(world, lambda: f"{len(world.published)} published", lambda: len(world.published) >= messages * part)
        await asyncio.to_thread(act, argument)
        world.progress = time.monotonic()
    await until(world, lambda: f"publishes never answered: {stuck(clients)}",
                lambda: all(client.done for client in clients))
    newest = {}
    for name, _, seq in world.published.values():
        newest[name] = max(newest.get(name, 0), seq)
    world.progress = time.monotonic()

    def lacking():
        return [(c.number, name, len(channel.seen), newest[name]) for c in clients
                for name, channel in c.channels.items() if len(channel.seen) < newest.get(name, 0)]

    await until(world, lambda: f"lost: (client, channel, has, newest) {lacking()[:5]}", lambda: not lacking())
    took = time.monotonic() - since
    for client in clients:
        client.over = True
        if client.peer:
            client.peer.transport.close()
    await asyncio.gather(*tasks)
    return clients, newest, took


def judge(world, clients, newest):
    """(what, the fault or none)"""
    first, faults = {}, {"lost": [], "order": [], "twice": [], "epoch": []}
    for client in clients:
        for name, channel in client.channels.items():
            known = first.setdefault(name, channel)
            if channel.seen[:newest[name]] != known.seen[:newest[name]]:
                faults["order"].append(f"{name}: client {client.number} has another order")
            if channel.epoch != known.epoch:
                faults["epoch"].append(name)
    for name, channel in first.items():
        if len(set(channel.seen)) != len(channel.seen):
            faults["twice"].append(f"{name}: a key was stored twice")
    for what, (name, epoch, seq) in world.published.items():
        if first[name].seen[seq - 1] != what or first[name].epoch != epoch:
            faults["lost"].append(f"{what} is not {name} {seq}")
    yield "every client published all of its messages", [c.number for c in clients if not c.done]
    yield "nothing lost that was answered published, each where the answer said", faults["lost"]
    yield "nothing stored twice that was repeated with its key", faults["twice"]
    yield "one order for all", faults["order"]
    yield "one epoch a channel through it all", faults["epoch"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=3)
    world = World(parser.parse_args())
    with contextlib.ExitStack() as stack:
        failed, passed = 0, 0
        try:
            clients, newest, took = asyncio.run(play(world, Rig(stack, world.settings.nodes)))
            for what, fault in judge(world, clients, newest):
                print(f"{'FAIL' if fault else 'ok  '}  {what}" + (f": {fault[:3]}" if fault else ""))
                failed, passed = failed + bool(fault), passed + (not fault)
            print("ok    nothing twice and no gap to clients that come back by (epoch, seq)")
            passed += 1
            print(f"      {world.settings.clients} clients, {world.settings.nodes} nodes, {len(world.published)} messages "
                  f"published in {took:.1f} s ({len(world.published) / took:.0f}/s), {world.deliveries} deliveries "
                  f"({world.deliveries / took:.0f}/s), {world.reconnects} reconnects, {world.resumed} by session, "
                  f"{world.repeated} publishes repeated, {world.unavailable} answers `unavailable`, {world.again} messages "
                  f"again to sessions that had not acked them")
        except Wrong as wrong:
            print(f"FAIL  {wrong}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

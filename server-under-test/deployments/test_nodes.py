#!/usr/bin/python3 -I
"""Talks to nodes behind a proxy with a client that is not ours: `with wsquall-haproxy -- test_nodes.py`, and wsquall-nginx likewise.

Prints one line a test and `N passed, N failed`. Nothing is proven by waiting: a marker message published last ends every stream.
"""

import asyncio
import collections
import json
import os
import pathlib
import signal
import ssl
import sys
import urllib.error
import urllib.request

import websockets

LIMIT_S = 30.0  # for anything that must happen
URL, WSS_URL = os.environ["WSQ_URL"], os.environ["WSQ_WSS_URL"]
NODES = json.loads((pathlib.Path(os.environ["WSQ_LOG"]).parent / "nodes.json").read_text())
NODE = {n["name"]: n for n in NODES if "url" in n}


def entry(name):
    return next(n for n in NODES if n["name"] == name)


def pid(name):
    return int(pathlib.Path(entry(name)["pidfile"]).read_text())


def log_lines(name, event):
    for line in pathlib.Path(entry(name)["log"]).read_text().splitlines():
        if line.startswith("{"):
            line = json.loads(line)
            if line["event"] == event:
                yield line


async def until(what, done):
    """Asks until it is so."""
    deadline = asyncio.get_running_loop().time() + LIMIT_S
    while not done():
        assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {LIMIT_S:g} s"
        await asyncio.sleep(0.02)


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0


class Client:
    """One connection of the protocol wsquall.v1."""

    async def open(self, url=URL, **options):
        self.ws = await websockets.connect(url, subprotocols=["wsquall.v1"], open_timeout=LIMIT_S, **options)
        self.cookies = "; ".join(c.split(";")[0] for c in self.ws.response_headers.get_all("Set-Cookie"))
        self.welcome = await self.next("welcome")
        self.node = self.welcome["node"]
        self.messages = []
        return self

    async def next(self, kind):
        while True:
            got = json.loads(await asyncio.wait_for(self.ws.recv(), LIMIT_S))
            if got["type"] == kind:
                return got
            assert got["type"] == "message", got
            self.messages.append(got)

    async def ask(self, kind, **fields):
        await self.ws.send(json.dumps(dict(fields, type=kind, id=1)))
        answer = {"subscribe": "subscribed", "publish": "published"}[kind]
        return await self.next(answer)

    async def publish(self, channel, data):
        return (await self.ask("publish", channel=channel, data=data))["seq"]

    async def read_to(self, marker):
        """All messages up to the one that says so."""
        while not self.messages or self.messages[-1]["data"] != marker:
            self.messages.append(json.loads(await asyncio.wait_for(self.ws.recv(), LIMIT_S)))
        return [(m["seq"], m["data"]) for m in self.messages]

    async def close(self):
        await self.ws.close()


async def one_on_each_node(**options):
    clients = {}
    deadline = asyncio.get_running_loop().time() + LIMIT_S  # a proxy may shun for a while a node that was away
    while asyncio.get_running_loop().time() < deadline:
        client = await Client().open(**options)
        if client.node in clients:
            await client.close()
        clients.setdefault(client.node, client)
        if len(clients) == len(NODE):
            return clients
        await asyncio.sleep(0.01)
    raise AssertionError(f"the connections of {LIMIT_S:g} s saw only the nodes {sorted(clients)}")


async def messages_cross_nodes():
    clients = await one_on_each_node()
    for client in clients.values():
        await client.ask("subscribe", channel="cross")
    await asyncio.gather(*(publish_some(c, "cross", 20) for c in clients.values()))
    await next(iter(clients.values())).publish("cross", "end")
    seen = [await c.read_to("end") for c in clients.values()]
    assert all(s == seen[0] for s in seen), "the nodes do not agree on one order"
    assert [seq for seq, _ in seen[0]] == list(range(1, 20 * len(clients) + 2)), seen[0]
    for client in clients.values():
        await client.close()


async def publish_some(client, channel, count):
    for i in range(count):
        await client.publish(channel, f"{client.node}{i}")


async def cookie_leads_to_the_same_node():
    first = await Client().open()
    for _ in range(10):
        again = await Client().open(extra_headers={"Cookie": first.cookies})
        assert again.node == first.node, (first.node, again.node)
        await again.close()
    await first.close()


async def tls_ends_at_the_proxy():
    context = ssl.create_default_context(cafile=os.environ["WSQ_CA"])
    client = await Client().open(WSS_URL, ssl=context)
    await client.publish("tls", 1)
    await client.close()


async def nodes_know_the_client_address():
    client = await Client().open(local_addr=("127.0.0.77", 0))
    conn = client.ws.response_headers["X-Wsquall-Conn"]
    line = next(x for x in log_lines(client.node, "ws.connect") if x["conn"] == conn)
    assert line["ip"] == "127.0.0.77", line
    await client.close()


async def close_codes_pass_the_proxy():
    client = await Client().open()
    conn = client.ws.response_headers["X-Wsquall-Conn"]
    await client.ws.close(4321, "as agreed")
    await until("the node logs the end", lambda: any(x["conn"] == conn for x in log_lines(client.node, "ws.disconnect")))
    line = next(x for x in log_lines(client.node, "ws.disconnect") if x["conn"] == conn)
    assert (line["code"], line["reason"], line["clean"], line["initiator"]) == (4321, "as agreed", True, "client"), line


async def resume_after_a_killed_node():
    clients = await one_on_each_node()
    victim, other = (clients[name] for name in sorted(clients)[:2])
    at = await victim.ask("subscribe", channel="kill")
    await other.publish("kill", "before")
    assert (await victim.read_to("before"))[-1][0] == 1
    os.kill(pid(victim.node), signal.SIGKILL)
    await asyncio.wait_for(victim.ws.wait_closed(), LIMIT_S)
    assert victim.ws.close_code == 1006, victim.ws.close_code
    await publish_some(other, "kill", 5)
    await until("the node comes back", lambda: status(NODE[victim.node]["ready"]) == 200)
    again = await Client().open()
    answer = await again.ask("subscribe", channel="kill", since={"epoch": at["epoch"], "seq": 1})
    assert answer["recovered"] is True, answer
    await other.publish("kill", "end")
    seen = await again.read_to("end")
    assert seen == [(i + 2, f"{other.node}{i}") for i in range(5)] + [(7, "end")], seen
    for client in [again, *clients.values()]:
        await client.close()


async def gentle_restart():
    """1012 to everybody on the node, while new connections are served by the others."""
    clients = await one_on_each_node()
    name = sorted(clients)[-1]
    os.kill(pid(name), signal.SIGUSR2)
    await asyncio.wait_for(clients[name].ws.wait_closed(), LIMIT_S)
    assert clients[name].ws.close_code == 1012, clients[name].ws.close_code
    for _ in range(20):
        client = await Client().open(extra_headers={"Cookie": clients[name].cookies})
        await client.close()
    await until("the node comes back", lambda: status(NODE[name]["ready"]) == 200)
    for client in clients.values():
        await client.close()


async def redis_restart():
    clients = await one_on_each_node()
    for client in clients.values():
        await client.ask("subscribe", channel="redis")
    await publish_some(next(iter(clients.values())), "redis", 3)
    os.kill(pid("redis"), signal.SIGKILL)
    await until("every node is ready again", lambda: all(
        any(True for _ in log_lines(name, "backplane.down")) and status(n["ready"]) == 200 for name, n in NODE.items()))
    await next(iter(clients.values())).publish("redis", "end")
    for client in clients.values():
        seen = await client.read_to("end")
        assert [seq for seq, _ in seen] == [1, 2, 3, 4], seen
        await client.close()


TESTS = [messages_cross_nodes, cookie_leads_to_the_same_node, tls_ends_at_the_proxy, nodes_know_the_client_address,
         close_codes_pass_the_proxy, resume_after_a_killed_node, gentle_restart, redis_restart]  # fmt: skip


def main():
    count = collections.Counter()
    for test in TESTS:
        try:
            asyncio.run(asyncio.wait_for(test(), 4 * LIMIT_S))
            count["passed"] += 1
            print(f"ok    {test.__name__}")
        except Exception as e:  # noqa: BLE001  a test may fail in any way
            count["failed"] += 1
            print(f"FAIL  {test.__name__}: {type(e).__name__}: {e}")
    print(f"{count['passed']} passed, {count['failed']} failed")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""Nodes on one Redis, ready to be spoken to."""
import contextlib

from rig import NO_LIMITS, Redis, Server
from ws import until

REDIS_OPTIONS = ("--store", "redis", "--redis-timeout", "1s")


def redis_node(redis, name, *options, **more):
    server = Server(*NO_LIMITS, *REDIS_OPTIONS, "--redis-address", redis.address, "--node", name, *options, **more)
    try:
        ready(server)
    except AssertionError:
        server.kill()
        raise
    return server


def ready(server, status=200):
    until(lambda: server.http("/readyz").status == status)


@contextlib.contextmanager
def nodes(count=2, *options):
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(Redis())
        yield [redis] + [stack.enter_context(redis_node(redis, "abc"[i], *options)) for i in range(count)]

"""PyPI's toxiproxy-python behind a pipe: one JSON object a line in, {"ok": value} or {"error": text} a line out.

The folder of its packages is the first argument, the API's port the second.
"""
import json
import sys

sys.path.insert(0, sys.argv[1])
import toxiproxy  # noqa: E402

SERVER = toxiproxy.Toxiproxy()
SERVER.update_api_consumer("127.0.0.1", int(sys.argv[2]))


def shown(thing):
    return {k: v for k, v in vars(thing).items() if k != "api_consumer"}


def need(name):
    proxy = SERVER.get_proxy(name)
    if proxy is None:
        raise KeyError(f"there is no proxy {name}")
    return proxy


def add_toxic(proxy, **words):
    need(proxy).add_toxic(**{k: v for k, v in words.items() if v is not None})
    name = words.get("name") or f"{words['type']}_{words.get('stream') or 'downstream'}"
    return shown(need(proxy).get_toxic(name))


def enable(proxy, enabled):
    found = need(proxy)
    (found.enable if enabled else found.disable)()
    return shown(need(proxy))


OPERATIONS = {
    "version": lambda: json.loads(SERVER.version()),
    "create": lambda name, listen, upstream: shown(SERVER.create(upstream=upstream, name=name, listen=listen)),
    "list": lambda: {name: shown(p) for name, p in SERVER.proxies().items()},
    "show": lambda proxy: shown(need(proxy)),
    "populate": lambda proxies: {p.name: shown(p) for p in SERVER.populate(proxies)},
    "enable": enable,
    "add_toxic": add_toxic,
    "remove_toxic": lambda proxy, name: need(proxy).destroy_toxic(name),
    "delete": lambda proxy: SERVER.destroy(need(proxy)),
    "reset": lambda: SERVER.reset(),
}
for line in sys.stdin:
    words = json.loads(line)
    try:
        answer = {"ok": OPERATIONS[words.pop("op")](**words)}
    except Exception as error:  # pylint: disable=broad-except
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)

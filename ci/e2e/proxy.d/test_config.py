"""Configuration files: YAML with a user's units, Toxiproxy's JSON, and mistakes told at their place."""
import contextlib
import json
import pathlib
import re
import tempfile

from rig import Echo, Proxy, run, test

YAML = """\
# What a scenario would say, as a file.
seed: 7
listen_api: 127.0.0.1:0
event_times: false
proxies:
  - name: ws
    upstream: 127.0.0.1:{port}
    toxics:
      - latency: {{latency: 150ms, jitter: 500us}}
        stream: upstream
      - name: cut
        limit_data: {{bytes: 1KiB}}
        toxicity: 50%
        duration: 1h
      - idle_kill: {{idle: 30s, how: fin}}
  - {{name: off, listen: "127.0.0.1:0", upstream: "127.0.0.1:{port}", enabled: false, connect_timeout: 2s}}
"""


@contextlib.contextmanager
def file(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "config"
        path.write_text(text, encoding="utf-8")
        yield str(path)


@test
def a_file_says_what_runs():
    with Echo() as echo, file(YAML.format(port=echo.port)) as path, Proxy("--config", path) as p:
        now = p.ask("GET", "/proxies")
        assert list(now) == ["ws", "off"] and now["ws"]["enabled"] and not now["off"]["enabled"], now
        toxics = {t["name"]: t for t in now["ws"]["toxics"]}
        assert list(toxics)[:2] == ["latency_upstream", "cut"] and len(toxics) == 3, toxics
        latency = toxics["latency_upstream"]["attributes"]
        assert latency["latency"] == 150 and latency["jitter"] == 0.5, latency
        assert toxics["cut"]["attributes"]["bytes"] == 1024 and toxics["cut"]["toxicity"] == 0.5, toxics
        assert 0 < toxics["cut"]["remaining_ms"] <= 3600000, toxics
        idle = next(t for t in toxics.values() if t["type"] == "idle_kill")
        assert idle["attributes"]["how"] == "fin" or "how" not in idle["attributes"], idle
        assert "seed 7" in p.line, p.line
        assert p.connect(now["ws"]).echo(b"late") >= 0.149


@test
def the_command_line_overrides_the_file():
    with Echo() as echo, file(YAML.format(port=echo.port)) as path:
        with Proxy("--config", path, "--seed", "9", "--proxy", f"more=127.0.0.1:0=127.0.0.1:{echo.port}") as p:
            assert "seed 9" in p.line and "proxies: 3" in p.line, p.line
            p.connect(p.ask("GET", "/proxies/more")).echo(b"1")
        assert "duplicate proxy name" in run("-c", path, "--proxy", "ws=127.0.0.1:0=127.0.0.1:1", status=64)[1]


@test
def toxiproxys_own_file_is_read():
    with Echo() as echo:
        text = json.dumps([{"name": "a", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{echo.port}", "enabled": True},
                           {"name": "b", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "enabled": False}])
        with file("\n " + text) as path, Proxy("--config", path) as p:
            now = p.ask("GET", "/proxies")
            assert now["a"]["enabled"] and not now["b"]["enabled"], now
            p.connect(now["a"]).echo(b"1")


@test
def check_config_prints_and_ends():
    with file(YAML.format(port=9)) as path:
        said = json.loads(run("--config", path, "--check-config")[0])
        assert [p["name"] for p in said["proxies"]] == ["ws", "off"], said
        assert said["proxies"][0]["toxics"][0]["attributes"]["latency"] == 150, said
        # What is printed can be read again, as a file and by the API.
        with file(json.dumps(said["proxies"])) as again:
            assert json.loads(run("--config", again, "--check-config")[0])["proxies"] == said["proxies"]
        with Proxy() as p:
            p.ask("POST", "/populate", said["proxies"], 201)
            assert p.ask("GET", "/proxies/ws")["toxics"][1]["name"] == "cut"


@test
def the_file_of_the_documentation_is_taken():
    text = (pathlib.Path(__file__).resolve().parents[3] / "docs" / "proxy.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(seed:.*?)```", text, re.S)[1]
    with file(example) as path:
        said = json.loads(run("--config", path, "--check-config")[0])
        assert [len(p["toxics"]) for p in said["proxies"]] == [3, 0], said


@test
def mistakes_are_told_at_their_place():
    one = "proxies:\n  - name: a\n    upstream: 127.0.0.1:1\n"
    for text, says in (
            ("prxies: []\n", ':1:1: unknown key "prxies", did you mean "proxies"?'),
            (one + "    listn: x\n", ':4:5: unknown key "listn", did you mean "listen"?'),
            ("proxies:\n  - name: a\n", '"upstream", which is required'),
            (one + "    toxics:\n      - latncy: {}\n", ':5:9: unknown key "latncy", did you mean "latency"?'),
            (one + "    toxics:\n      - latency: {latncy: 1s}\n", ':5:19: unknown key "latncy", did you mean "latency"?'),
            (one + "    toxics:\n      - latency: {latency: 100}\n", "expected a duration"),
            (one + "    toxics:\n      - latency: {}\n        slicer: {}\n", "both latency and slicer"),
            (one + "    toxics:\n      - stream: upstream\n", "has no fault"),
            (one + "    toxics:\n      - latency: {}\n        stream: sideways\n", "upstream, downstream, both"),
            (one + "    toxics:\n      - latency: {}\n        toxicity: 2\n", "toxicity"),
            (one + "    toxics:\n      - latency: {}\n      - latency: {}\n", "latency_downstream"),
            (one + "    toxics:\n      - kill: {}\n", 'unknown key "kill"'),
            (one + "  - name: a\n    upstream: 127.0.0.1:1\n", "duplicate proxy name"),
            ("proxies:\n  - name: a\n    upstream: nowhere\n", "nowhere"),
            ("proxies:\n  - name: a/b\n    upstream: 127.0.0.1:1\n", ""),
            (one + "    tls: {terminat: true}\n", 'did you mean "terminate"?'),
            ("seed: -1\n", "seed"), ("listen_api: 8474\n", "listen_api"), ("", ""), ("[1]", "expected an object"),
            ("[{", ":1:"), ('[{"name": "a"}]', "missing required field: upstream at proxy 1"),
            ("api_timeout: 5\n", "duration")):
        with file(text) as path:
            said = run("--config", path, "--check-config", status=64)[1]
            assert said.startswith(f"wsquall: {path}") and says in said, f"{text!r}: {said!r} does not say {says!r}"
            assert said.count("\n") == 2, said


@test
def wrong_options_are_refused():
    for words, says in (
            (["--proxi", "a=b=c"], "did you mean --proxy?"), (["x"], "takes no arguments"),
            (["--proxy", "a"], "--proxy"), (["--proxy", "a=b"], "NAME=LISTEN=UPSTREAM"),
            (["--listen-api", "8474"], "HOST:PORT"), (["--listen-api", "127.0.0.1:99999"], "HOST:PORT"),
            (["--listen-api", "no.such.host.invalid:1"], ""), (["--config", "/nonexistent/file"], "/nonexistent/file"),
            (["--token-file", "/nonexistent/file"], "/nonexistent/file"), (["--event-log", "/nonexistent/file"], "event log"),
            (["--api-timeout", "0s"], "api-timeout"), (["--seed", "x"], "--seed")):
        said = run(*words, status=64)[1]
        assert said.startswith("wsquall: ") and says in said, f"{words}: {said!r}"
    with Proxy() as p:
        assert "in use" in run("--listen-api", f"127.0.0.1:{p.port}", status=64)[1]
    assert "--check-config" in run("--help")[0]

#!/usr/bin/python3 -B
"""The basic messages through clients that are not ours: Node's `ws` with permessage-deflate, and a page in a browser.

usage: test_clients.py wsquall-server

`ws` is the one that deployments/node-ws pins. The browser is a headless Chromium; without one there is a line SKIP.
"""
import http.server
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading

import rig
from rig import DEADLINE_S, NO_LIMITS, Server

HERE = pathlib.Path(__file__).resolve().parent
PAGE = """<!doctype html><title>wsquall.v1</title><script type="module">
import { basics } from './basics.mjs';
const open = (query = '') => new WebSocket(`WS_URL/ws${query}`, 'wsquall.v1');
const results = await basics(open);
await fetch('/done', { method: 'POST', body: JSON.stringify({ results, agent: navigator.userAgent }) });
</script>"""


def folder_of_ws():
    """Where deployments/with keeps the installed one: its server is started for a moment and asked."""
    ask = "tr '\\0' '\\n' </proc/$WSQ_PID/environ | sed -n s/^WSQ_BUILD=//p"
    done = subprocess.run([HERE.parent / "deployments" / "with", "node-ws", "--", "sh", "-c", ask],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"deployments/with node-ws: {done.stderr[-500:]}"
    return done.stdout.strip()


def node_client(server):
    """Lines and whether all held."""
    done = subprocess.run(["node", HERE / "client.mjs", f"ws://127.0.0.1:{server.port}", folder_of_ws()],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10 * DEADLINE_S)
    lines = done.stdout.splitlines()
    if done.returncode != 0 and not any(line.startswith("FAIL") for line in lines):
        lines.append(f"FAIL  node client.mjs: {done.stderr[-800:]}")
    return lines


class Pages(http.server.BaseHTTPRequestHandler):
    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/basics.mjs":
            self.answer("text/javascript", (HERE / "basics.mjs").read_bytes())
        else:
            self.answer("text/html", self.server.page.encode() if self.path == "/" else b"")

    def do_POST(self):
        self.server.results.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer("text/plain", b"")

    def log_message(self, *_):
        pass


def browser():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browser_page(pages, server):
    """The page's checks as lines; its origin is the only one allowed."""
    pages.page = PAGE.replace("WS_URL", f"ws://127.0.0.1:{server.port}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        program = subprocess.Popen(
            [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-port=0",  # keeps a headless one from ending at once
             f"--user-data-dir={profile}", f"http://127.0.0.1:{pages.server_port}/"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile})
        try:
            answer = json.loads(pages.results.get(timeout=4 * DEADLINE_S))
        except queue.Empty:
            return ["FAIL  browser: the page did not report"]
        finally:
            program.terminate()
            try:
                program.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
    return [f"{'FAIL' if error else 'ok  '}  browser: {what}" + (f": {error}" if error else "")
            for what, error in ((row + [None])[:2] for row in answer["results"])]


def main():
    if not rig.SERVER:
        sys.exit(f"usage: {sys.argv[0]} PATH/TO/wsquall-server")
    lines = []
    with Server(*NO_LIMITS) as server:
        lines += node_client(server)
        connects = server.logged("ws.connect")
        if not {"wsquall.v1"} == {line["subprotocol"] for line in connects}:
            lines.append("FAIL  the log has another subprotocol")
    if browser():
        pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        pages.results = queue.Queue()
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{pages.server_port}"
        with Server(*NO_LIMITS, "--origins", origin) as server:
            lines += browser_page(pages, server)
            good = {line["origin"] for line in server.logged("ws.connect")} == {origin}
            lines.append(f"{'ok  ' if good else 'FAIL'}  browser: its origin is in the log")
        with Server(*NO_LIMITS, "--origins", "https://other.example") as server:
            got = browser_page(pages, server)
            good = bool(got) and all(line.startswith("FAIL") for line in got) and server.logged("ws.refused", status=403)
            lines.append(f"{'ok  ' if good else 'FAIL'}  browser: a page of another origin is kept out")
        pages.shutdown()
    else:
        lines.append("SKIP  browser: there is no chromium")
    print("\n".join(lines))
    failed = sum(line.startswith("FAIL") for line in lines)
    passed = sum(line.startswith("ok") for line in lines)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/python3 -B
"""TLS at the server: versions, a certificate changed under open connections, and peers that do not speak it.

usage: test_tls.py wsquall-server [WORD...]
"""
import contextlib
import os
import signal
import ssl
import tempfile
import threading
import warnings

import rig
import ws as wire
from rig import NO_LIMITS, Server, test

warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.1, which is tried on purpose


def context(version=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = made.maximum_version = version
    return made


@contextlib.contextmanager
def secured(*options):
    with tempfile.TemporaryDirectory() as folder:
        cert, key = rig.certificate(folder)
        with Server(*NO_LIMITS, "--tls-cert", cert, "--tls-key", key, *options) as server:
            yield server, folder


def presented(server):
    with wire.Raw(server.port, tls=context()) as raw:
        return raw.socket.getpeercert(binary_form=True)


def in_file(folder):
    with open(folder + "/cert.pem") as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


@test
def versions():
    with secured() as (server, _):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            ws = server.ws(tls=context(version))
            assert ws.socket.version() == version.name.replace("_", "."), ws.socket.version()
            ws.subscribe("c")
            ws.publish("c", "x" * 300000)
            assert len(ws.expect("message")["data"]) == 300000
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            try:
                server.ws(tls=context(version))
                raise AssertionError(f"{version.name} was accepted")
            except ssl.SSLError as error:
                assert "PROTOCOL_VERSION" in str(error), error
        assert server.log("server.ready")["tls"] is True


@test
def the_certificate_is_verified_by_name():
    with secured() as (server, folder):
        strict = ssl.create_default_context(cafile=folder + "/cert.pem")
        server.ws(tls=strict).nothing()


@test
def http_and_echo_over_tls():
    with secured() as (server, _):
        tls = context()
        assert server.http("/healthz", tls=tls).status == 200
        assert server.http("/publish/c", "POST", {"data": 1}, tls=tls).json["seq"] == 1
        with server.sse("c", tls=tls) as sse:
            assert sse.event()["data"]["seq"] == 1
        echo = server.ws("/echo", tls=tls)
        whole = os.urandom(3 << 20)
        thread = threading.Thread(target=echo.send_frame, args=(2, whole))
        thread.start()
        assert echo.message() == (2, whole)
        thread.join()
        assert server.metrics(tls=tls)["ws_connections_active"] == 1
        closed = server.ws(tls=tls)
        assert closed.close(1000, "bye")[0] == 1000
        end = server.log("ws.disconnect", conn=closed.conn)
        assert (end["code"], end["reason"], end["clean"], end["initiator"]) == (1000, "bye", True, "client"), end
        assert server.log("ws.connect", conn=closed.conn)["ip"] == "127.0.0.1"
        gone = server.ws(tls=tls)
        gone.drop()
        assert server.log("ws.disconnect", conn=gone.conn)["code"] == 1006


@test
def a_new_certificate_on_sighup_while_connections_go_on():
    with secured() as (server, folder):
        tls = context()
        first = in_file(folder)
        old, pub = server.ws(tls=tls), server.ws(tls=tls)
        old.subscribe("c")
        assert presented(server) == first
        for round_ in range(3):
            rig.certificate(folder, f"number {round_}")
            assert presented(server) != in_file(folder)
            server.signal(signal.SIGHUP)
            wire.until(lambda: presented(server) == in_file(folder))
            pub.publish("c", round_)
            old.expect("message", data=round_)
        assert not server.logged("ws.disconnect")


@test
def a_bad_certificate_on_sighup_leaves_the_old_one():
    with secured() as (server, folder):
        server.quiet = False  # it may say so
        ws, first = server.ws(tls=context()), in_file(folder)
        key = open(folder + "/key.pem").read()
        for name, content in (("cert.pem", "nonsense"), ("key.pem", key[:40])):
            good = open(f"{folder}/{name}").read()
            with open(f"{folder}/{name}", "w") as file:
                file.write(content)
            server.signal(signal.SIGHUP)
            for _ in range(20):
                assert presented(server) == first
            ws.nothing()
            with open(f"{folder}/{name}", "w") as file:
                file.write(good)
        os.remove(folder + "/cert.pem")
        server.signal(signal.SIGHUP)
        ws.nothing()
        assert presented(server) == first
        rig.certificate(folder, "good again")
        server.signal(signal.SIGHUP)
        wire.until(lambda: presented(server) == in_file(folder))
        ws.nothing()


@test
def peers_that_do_not_speak_tls():
    with secured("--handshake-timeout", "400ms") as (server, _):
        silent = server.raw()
        assert silent.rest() == b""
        plain = server.raw()
        plain.send(wire.upgrade())
        assert b"101" not in plain.rest()
        half = server.raw()
        half.send(b"\x16\x03\x01\x02\x00\x01")
        half.rest()
        for _ in range(50):
            raw = server.raw()
            raw.send(os.urandom(500))
            raw.drop(reset=True)
        tls_then_nothing = server.raw(tls=context())
        assert tls_then_nothing.rest() == b""
        server.ws(tls=context()).nothing()
        server.metrics(tls=context())


@test
def a_peer_that_stops_reading_keeps_no_descriptors():
    options = ("--slow-consumer-bytes", "64KiB", "--slow-consumer-grace", "100ms")
    with secured(*options) as (server, _):
        pub = server.ws(tls=context())
        tls = context()
        before, deaf = server.metrics(tls=tls)["process_open_fds"], []
        for _ in range(5):
            deaf.append(server.ws("/ws?window=0", tls=context(), rcvbuf=4096))
            deaf[-1].subscribe("c")
        for _ in range(40):
            pub.publish("c", "x" * 400000)
        server.log("ws.disconnect", 5, code=4008)
        wire.until(lambda: server.metrics(tls=tls)["process_open_fds"] <= before, 30, 0.2)
        pub.publish("c", 1)


@test
def sighup_without_tls_does_no_harm():
    with Server(*NO_LIMITS) as server:
        ws = server.ws()
        server.signal(signal.SIGHUP)
        ws.nothing()
        server.ws().nothing()


if __name__ == "__main__":
    rig.main()

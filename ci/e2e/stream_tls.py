"""For ci/e2e/stream_faults, where the proxy ends TLS: certificates that clients trust, and a client's socket."""
import functools
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading

NAME = "echo.test"


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


class Authority:
    """One that clients trust, and a certificate of it, as files."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        where = self.folder.name
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl(where, "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test", "-days", "2",
                "-addext", "keyUsage=critical,keyCertSign")
        openssl(where, "req", *new_key, "-keyout", "key", "-out", "request", "-subj", "/CN=" + NAME)
        (pathlib.Path(where) / "names").write_text(f"subjectAltName=DNS:{NAME}\n", encoding="ascii")
        openssl(where, "x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", "certificate.pem")

    def path(self, name):
        return str(pathlib.Path(self.folder.name) / name)

    def tls(self):
        """Of a proxy."""
        return {"certificate": self.path("certificate.pem"), "key": self.path("key"), "upstream": False}

    def signs(self):
        """Attributes of a toxic."""
        return {"authority": self.path("ca.pem"), "authority_key": self.path("ca.key")}

    def trusting(self):
        return ssl.create_default_context(cafile=self.path("ca.pem"))


once = threading.Lock()


@functools.cache
def made():
    return Authority()


def authority():
    """The one of this run."""
    with once:
        return made()


class Inside:
    """TLS on a client's socket, of which one thread may send while another one reads; else like the socket."""

    def __init__(self, sock, context):
        self.sock, self.lock = sock, threading.Lock()
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.clean = None  # the other side's end had its close_notify
        self.tls = context.wrap_bio(self.into, self.out, server_hostname=NAME)
        self.until(self.tls.do_handshake)

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def until(self, step):
        while True:
            with self.lock:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    pass
                finally:
                    octets = self.out.read()
                    if octets:
                        self.sock.sendall(octets)
            self.feed()

    def feed(self):
        octets = self.sock.recv(65536)
        self.into.write(octets) if octets else self.into.write_eof()

    def sendall(self, octets):
        with self.lock:
            self.tls.write(octets)
            sealed = self.out.read()
        self.sock.sendall(sealed)

    def recv(self, size):
        try:
            got = self.until(lambda: self.tls.read(size))
        except ssl.SSLEOFError:
            self.clean = False
            return b""
        if not got:
            self.clean = True
            assert self.sock.recv(1) == b"", "octets behind the close_notify"
        return got

    def shutdown(self, how):
        with self.lock:
            try:
                self.tls.unwrap()
            except ssl.SSLWantReadError:
                pass
            sealed = self.out.read()
        self.sock.sendall(sealed)
        self.sock.shutdown(how)

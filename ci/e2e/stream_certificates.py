"""The part of ci/e2e/stream_faults with the faults that only a proxy has that ends TLS: of what it shows to clients."""
import socket
import ssl

from stream_rig import Way, of
from stream_tls import Inside, authority
from wire_server import DEADLINE_S


def refusal(way):
    """What a client that verifies says of the certificate; None: nothing, and it goes in."""
    sock = socket.create_connection(("127.0.0.1", way.port), DEADLINE_S)
    way.connections += 1
    try:
        Inside(sock, authority().trusting())
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        sock.close()
        way.target.accept().sock.close()
    return None


def shown(fault, rows):
    """rows: attributes, and how the refusal of the certificate begins."""
    with Way(tls=True) as way:
        pair = way.open()
        for attributes, says in rows:
            way.put(fault, "downstream", **attributes)
            said = refusal(way)
            assert said == says or (said and says and said.startswith(says)), f"{attributes}: {said}, not {says}"
            pair.exchanges_much()  # it has verified already
            assert len(way.told("hit", fault, "downstream")) == way.connections - 1
            way.off()
            pair.exchanges_much()
        assert refusal(way) is None
        way.p.refused("POST", "/proxies/plain/toxics", {"type": fault}, says='only a proxy with "tls" can')


@of("tls_expired")
def an_expired_certificate_is_shown():
    shown("tls_expired", (({"ago": "1000h"}, "self-signed certificate"),
                          (authority().signs(), "certificate has expired")))


@of("tls_swap")
def another_certificate_is_shown():
    signs = authority().signs()
    shown("tls_swap", (({}, "self-signed certificate"), (signs, None),
                       ({"name": "wrong.test", **signs}, "Hostname mismatch"),
                       ({"certificate": authority().path("ca.pem"), "key": authority().path("ca.key")},
                        "unsuitable certificate purpose")))

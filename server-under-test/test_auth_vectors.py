#!/usr/bin/python3
"""Makes test_auth_vectors.h: tokens signed by Python's hmac and the openssl program, not by what auth.c checks with.

usage: test_auth_vectors.py >test_auth_vectors.h
"""
import base64
import hashlib
import hmac
import json
import subprocess
import tempfile

NOW = 1700000000
SECRET = b"a secret of the tests, 32 bytes!"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def run(*argv, data=None):
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def hs256(text, key=SECRET):
    return hmac.new(key, text, hashlib.sha256).digest()


def rs256(text):
    return run("openssl", "dgst", "-sha256", "-sign", RSA, data=text)


def es256(text):
    """RFC 7518 3.4: r and s, 32 octets each, instead of DER."""
    der = run("openssl", "dgst", "-sha256", "-sign", EC, data=text)
    r = der[4:4 + der[3]]
    s = der[6 + der[3]:]
    return b"".join(int.from_bytes(n, "big").to_bytes(32, "big") for n in (r, s))


def token(claims, alg="HS256", sign=hs256, **header):
    claims = claims if isinstance(claims, str) else json.dumps(claims)
    text = (b64(json.dumps({"alg": alg, "typ": "JWT", **header}).encode()) + "." + b64(claims.encode())).encode()
    return text.decode() + "." + b64(sign(text))


def c_text(text):
    lines = text.split("\n")
    pieces = [line[i:i + 90] + ("\\n" if i + 90 >= len(line) and n + 1 < len(lines) else "")
              for n, line in enumerate(lines) for i in range(0, len(line), 90)]
    return "".join('\n\t"%s"' % piece for piece in pieces)


folder = tempfile.TemporaryDirectory()
RSA, EC, OTHER = (f"{folder.name}/{name}" for name in ("rsa", "ec", "other"))
run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", RSA)
run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", EC)
run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", OTHER)
rsa_public, ec_public, weak_public = (run("openssl", "pkey", "-in", path, "-pubout").decode()
                                      for path in (RSA, EC, OTHER))
GOOD = {"sub": "alice", "exp": NOW + 3600}

print("#ifndef SERVER_TEST_AUTH_VECTORS_H\n#define SERVER_TEST_AUTH_VECTORS_H\n")
print("/* Made by test_auth_vectors.py. The moment of the tests is NOW_S. */")
print(f"#define NOW_S {NOW}.0\n#define SECRET \"{SECRET.decode()}\"")
for name, value in {
    "rsa_public": rsa_public,
    "ec_public": ec_public,
    "weak_public": weak_public,
    "hs256_good": token(GOOD),
    "rs256_good": token(GOOD, "RS256", rs256),
    "es256_good": token(GOOD, "ES256", es256),
    "hs256_channels": token({**GOOD, "channels": ["news", "room/*", "*x"]}),
    "hs256_no_channels": token({**GOOD, "channels": []}),
    "hs256_other_key": token(GOOD, sign=lambda text: hs256(text, b"another secret of 32 bytes......")),
    "alg_none": token(GOOD, "none", lambda text: b""),
    "alg_none_signed": token(GOOD, "none"),
    "alg_empty": token(GOOD, ""),
    "alg_lower": token(GOOD, "hs256"),
    "alg_hs512": token(GOOD, "HS512", lambda text: hmac.new(SECRET, text, hashlib.sha512).digest()),
    "confused_rsa": token(GOOD, "HS256", lambda text: hs256(text, rsa_public.encode())),
    "confused_ec": token(GOOD, "HS256", lambda text: hs256(text, ec_public.encode())),
    "es256_as_rs256": token(GOOD, "RS256", es256),
    "critical": token(GOOD, crit=["x"], x=1),
    "exp_gone_4": token({"sub": "alice", "exp": NOW - 4}),
    "exp_gone_5": token({"sub": "alice", "exp": NOW - 5}),
    "exp_float": token({"sub": "alice", "exp": NOW - 4.5}),
    "exp_negative": token({"sub": "alice", "exp": -1}),
    "exp_zero": token({"sub": "alice", "exp": 0}),
    "exp_text": token({"sub": "alice", "exp": str(NOW + 3600)}),
    "exp_true": token({"sub": "alice", "exp": True}),
    "exp_null": token({"sub": "alice", "exp": None}),
    "exp_missing": token({"sub": "alice"}),
    "exp_huge": token('{"sub":"alice","exp":1e400}'),
    "exp_twice": token('{"sub":"alice","exp":%d,"exp":1}' % (NOW + 3600)),
    "nbf_in_5": token({**GOOD, "nbf": NOW + 5}),
    "nbf_in_6": token({**GOOD, "nbf": NOW + 6}),
    "nbf_text": token({**GOOD, "nbf": "0"}),
    "sub_missing": token({"exp": NOW + 3600}),
    "sub_empty": token({"sub": "", "exp": NOW + 3600}),
    "sub_number": token({"sub": 7, "exp": NOW + 3600}),
    "sub_256": token({"sub": "s" * 256, "exp": NOW + 3600}),
    "sub_257": token({"sub": "s" * 257, "exp": NOW + 3600}),
    "sub_nul": token('{"sub":"a\\u0000b","exp":%d}' % (NOW + 3600)),
    "channels_text": token({**GOOD, "channels": "news"}),
    "channels_numbers": token({**GOOD, "channels": ["news", 7]}),
    "channels_null": token({**GOOD, "channels": None}),
    "claims_list": token("[1]"),
    "claims_cut": token('{"sub":"alice"'),
    "huge_good": token({**GOOD, "pad": "x" * 5800}),
    "huge": token({**GOOD, "pad": "x" * 6200}),
}.items():
    print(f"static const char {name}[] ={c_text(value)};")
print("\n#endif")

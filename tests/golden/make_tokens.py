#!/usr/bin/python3
"""JSON Web Tokens and keys, made without our code: tests/golden/tokens/.

Run with Debian's python3-cryptography: /usr/bin/python3 tests/golden/make_tokens.py

`key.pem`: an RSA key of 2048 bits (PKCS #8), made once and kept, since signatures of RS256 depend on nothing else.
`keys.json`: its public half in a set as GitHub publishes one (x5c and x5t beside what is needed, an EC key, a key of 1024 bits).
`token.txt`: claims as GitHub writes them, signed by `cryptography`. `other.txt`: the same, signed by another key.
`signed.txt`: a token with the header and the canonical payload that SignJwt writes.
`thumbprint.txt`: of the key, by RFC 7638.
"""
import base64
import hashlib
import json
import pathlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat, load_pem_private_key)

FOLDER = pathlib.Path(__file__).resolve().parent / "tokens"
CLAIMS = {
    "jti": "7f0c5d1e-6d5b-4c70-9b1f-2f6f3f8e1a11",
    "sub": "repo:hse/hw-mlp-train-orlova:ref:refs/heads/main",
    "aud": "https://trainyard.example",
    "ref": "refs/heads/main",
    "sha": "1f4d0f6b7c0c3a7bd9d4a4d5d0f5a4f7d3f1a2b9",
    "repository": "hse/hw-mlp-train-orlova",
    "repository_owner": "hse",
    "actor_id": "1001",
    "repository_id": "424242",
    "repository_owner_id": "77",
    "run_id": "9876543210",
    "environment": None,
    "iss": "https://token.actions.githubusercontent.com",
    "nbf": 1800000000,
    "exp": 1800000900,
    "iat": 1800000300,
}


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(key, header, payload):
    text = encode(header.encode()) + "." + encode(payload.encode())
    return text + "." + encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))


def numbers(key):
    public = key.public_key().public_numbers()
    size = (public.n.bit_length() + 7) // 8
    return {"n": encode(public.n.to_bytes(size, "big")), "e": encode(public.e.to_bytes(3, "big"))}


def load_key():
    path = FOLDER / "key.pem"
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return load_pem_private_key(path.read_bytes(), None)


def main():
    FOLDER.mkdir(exist_ok=True)
    key = load_key()
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    header = json.dumps({"typ": "JWT", "alg": "RS256", "x5t": "abc", "kid": "key-1"})
    (FOLDER / "token.txt").write_text(sign(key, header, json.dumps(CLAIMS)))
    (FOLDER / "other.txt").write_text(sign(other, header, json.dumps(CLAIMS)))
    keys = [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "key-1", "x5c": ["MIIC"], "x5t": "abc", **numbers(key)},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"},
            {"kty": "RSA", "kid": "small", **numbers(small)},
            {"kty": "RSA", "use": "enc", "kid": "for-encryption", **numbers(other)},
            {"kty": "RSA", "alg": "RS512", "kid": "for-rs512", **numbers(other)},
            {"kty": "RSA", "kid": "key-2", **numbers(other)}]
    (FOLDER / "keys.json").write_text(json.dumps({"keys": keys}, indent=1))
    required = json.dumps({"e": numbers(key)["e"], "kty": "RSA", "n": numbers(key)["n"]}, separators=(",", ":"))
    thumbprint = encode(hashlib.sha256(required.encode()).digest())
    (FOLDER / "thumbprint.txt").write_text(thumbprint)
    payload = {"aud": "https://platform.example/token", "exp": 1800000300, "iat": 1800000000, "iss": "client-7", "jti": "one",
               "sub": "client-7"}
    canonical = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"))
    (FOLDER / "signed.txt").write_text(
        sign(key, canonical({"alg": "RS256", "kid": thumbprint, "typ": "JWT"}), canonical(payload)))


if __name__ == "__main__":
    main()

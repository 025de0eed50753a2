"""Who makes identity tokens (OpenID Connect), as GitHub does for its jobs; keys and signatures are openssl's.

    with Issuer(folder) as issuer:
        server = Server(..., options=("--oidc-audience", AUDIENCE, "--oidc-issuer", issuer.url))
        issuer.token(repository_id="42")           # claims as GitHub writes them, but for those given; None leaves one out
        issuer.published = ["b"]                    # rotates the keys
        issuer.down = True                          # answers 503
"""

import base64
import json
import subprocess
import time
import uuid

from support.json_service import JsonService

AUDIENCE = "https://trainyard.example"


def encode(data):
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, input=data).stdout


class Key:
    def __init__(self, path):
        self.path = path
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)

    def jwk(self, kid):
        modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": encode(bytes.fromhex(modulus)), "e": "AQAB"}

    def public_pem(self):
        return openssl("pkey", "-in", self.path, "-pubout")

    def sign(self, text):
        return openssl("dgst", "-sha256", "-sign", self.path, data=text.encode())


class Issuer(JsonService):
    METHODS = ("GET",)

    def __init__(self, folder):
        self.keys = {kid: Key(folder / f"issuer-{kid}.pem") for kid in ("a", "b", "stranger")}
        self.published = ["a"]
        self.down = False
        self.fetches = 0

    def answer(self, request, _body):
        self.fetches += 1
        found = request.path == "/.well-known/jwks"
        return 503 if self.down else 200 if found else 404, {"keys": [self.keys[kid].jwk(kid) for kid in self.published]}

    def claims(self, **changes):
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "jti": str(uuid.uuid4()), "iat": now, "nbf": now - 300, "exp": now + 600,
                  "sub": "repo:hse/hw-a-ann:ref:refs/heads/main", "repository": "hse/hw-a-ann", "repository_owner": "hse",
                  "repository_id": "42", "repository_owner_id": "7", "actor_id": "1001", "run_id": "987654",
                  "sha": "1f4d0f6b7c0c3a7bd9d4a4d5d0f5a4f7d3f1a2b9", **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key="a", header=None, **changes):
        return self.sign(self.claims(**changes), key, header or {"typ": "JWT", "alg": "RS256", "kid": key})

    def sign(self, claims, key, header):
        text = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{encode(self.keys[key].sign(text))}"

"""Receipts, checked by Python's JSON and OpenSSL's Ed25519: nothing of ours is asked."""

import hashlib
import json
import pathlib
import subprocess
import tempfile

# What stands before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo (RFC 8410).
_KEY_PREFIX = bytes.fromhex("302a300506032b6570032100")


def digest(document):
    return "sha256:" + hashlib.sha256(document.encode()).hexdigest()


def holds(document, public_key):
    """Whether the signature is of the document's content, with all digits of `public_key` in hexadecimal."""
    fields = json.loads(document)
    signature = bytes.fromhex(fields.pop("signature"))
    # RFC 8785 of a document without fractions, with keys in ASCII.
    signed = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with tempfile.TemporaryDirectory() as folder:
        files = {name: pathlib.Path(folder) / name for name in ("key", "signature", "signed")}
        files["key"].write_bytes(_KEY_PREFIX + bytes.fromhex(public_key))
        files["signature"].write_bytes(signature)
        files["signed"].write_bytes(signed)
        run = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", files["key"], "-rawin", "-in",
                              files["signed"], "-sigfile", files["signature"]], capture_output=True)
    return run.returncode == 0

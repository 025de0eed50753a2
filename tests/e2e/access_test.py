"""Users, tokens, TLS and the audit log with real binaries, as an operator and two students meet them."""

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import unittest

from support import contract as c
from support.case import Case, IRIS
from support.server import BIN, Server

OK, REFUSED, USAGE, UNREACHABLE, INFRA = 0, 1, 2, 3, 4
BEARER = re.compile(r"ty_[a-z0-9]{12}_[0-9a-f]{64}")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class AccessTest(Case):
    def setUp(self):
        super().setUp()
        self.make_certificates()

    def make_certificates(self):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", "-x509", *key, "-days", 2, "-subj", "/CN=ca", "-keyout", self.folder / "ca.key", "-out",
                self.folder / "ca.pem")
        openssl("req", *key, "-subj", "/CN=server", "-keyout", self.folder / "server.key", "-out", self.folder / "csr")
        (self.folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-days", 2, "-in", self.folder / "csr", "-CA", self.folder / "ca.pem", "-CAkey",
                self.folder / "ca.key", "-CAcreateserial", "-extfile", self.folder / "ext", "-out",
                self.folder / "server.pem")

    def add_admin(self, name, expect=OK):
        run = subprocess.run([BIN / "trainyard-server", "add-admin", name, "--data-dir", self.folder / "data"],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, expect, run.stderr)
        return run.stdout.strip()

    def serve(self, *options):
        return self.enterContext(Server(self.folder / "data", workers=0, options=(
            "--tls-cert", self.folder / "server.pem", "--tls-key", self.folder / "server.key", *options)))

    def cli(self, token, *arguments, expect=OK, tls=True, server=None):
        command = [BIN / "trainyard", "--server", server or self.server.address, *arguments]
        command += ["--tls-ca", self.folder / "ca.pem"] if tls else []
        environment = {**os.environ, "TRAINYARD_TOKEN": token}
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, env=environment,
                             stdin=subprocess.DEVNULL)
        self.assertEqual(run.returncode, expect, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def json_of(self, token, *arguments):
        return json.loads(self.cli(token, "-o", "json", *arguments).stdout)

    def test_a_course_of_two(self):
        root = self.add_admin("root")
        self.assertRegex(root, f"^{BEARER.pattern}$")
        self.server = self.serve()
        self.assertEqual(self.add_admin("other", expect=1), "")  # a server has the directory
        tokens = {}
        for name in ("ann", "bob"):
            self.cli(root, "user", "create", name, "--role", "student")
            tokens[name] = self.cli(root, "token", "create", "--user", name, "--days", "7").stdout.strip()
        self.assertEqual(self.json_of(tokens["ann"], "whoami")["user"], "users/ann")
        dataset = self.json_of(tokens["ann"], "dataset", "upload", IRIS)["name"]
        strangers = self.cli(tokens["bob"], "dataset", "show", dataset, expect=REFUSED).stderr
        nobodys = self.cli(tokens["bob"], "dataset", "show", "datasets/zzzzzzzzzzzz", expect=REFUSED).stderr
        self.assertEqual(strangers.replace(dataset, "?"), nobodys.replace("datasets/zzzzzzzzzzzz", "?"))
        self.assertEqual(self.json_of(tokens["bob"], "dataset", "list")["datasets"], [])
        self.assertEqual(len(self.json_of(root, "dataset", "list")["datasets"]), 1)
        self.check_ended_tokens(root, tokens)
        self.check_transport(root)
        self.check_audit(root)
        self.check_no_secret_is_left([root, *tokens.values()])

    def check_ended_tokens(self, root, tokens):
        self.cli(root, "token", "revoke", tokens["bob"].split("_")[1])
        self.cli(tokens["bob"], "whoami", expect=REFUSED)
        self.cli(root, "user", "update", "ann", "--disable")
        self.cli(tokens["ann"], "whoami", expect=REFUSED)
        self.cli(root, "user", "update", "ann", "--enable", "--role", "viewer")
        self.assertEqual(self.json_of(tokens["ann"], "whoami")["role"], "USER_ROLE_VIEWER")
        self.cli(tokens["ann"], "dataset", "upload", IRIS, expect=REFUSED)
        self.cli(root, "user", "update", "root", "--disable", expect=REFUSED)

    def check_transport(self, root):
        self.cli(root, "whoami", tls=False, expect=UNREACHABLE)
        self.cli("", "whoami", expect=REFUSED)
        refused = self.cli(root, "whoami", tls=False, server="192.0.2.1:7070", expect=USAGE).stderr
        self.assertIn("--tls", refused)
        self.assertNotIn(root, refused)

    def entries(self, root):
        return self.json_of(root, "audit", "list", "--limit", "1000")["entries"]

    def check_audit(self, root):
        entries = self.entries(root)
        methods = [entry["method"].rsplit("/", 1)[-1] for entry in entries]
        self.assertEqual(methods[:3], ["add-admin", "CreateUser", "CreateToken"])
        self.assertIn("WriteDataset", methods)
        self.assertIn("PermissionDenied", [entry["code"] for entry in entries])
        self.cli(root, "audit", "verify")
        # The same by Python's protobuf and hashlib, from the database alone.
        self.server.stop()
        rows = self.rows()
        self.assertEqual(len(rows), len(entries))
        previous = ""
        for number, (sequence, record) in enumerate(rows, 1):
            entry = c.auth.AuditEntry.FromString(record)
            digest, entry.digest = entry.digest, ""
            self.assertEqual((sequence, entry.sequence, entry.previous_digest), (number, number, previous))
            self.assertEqual(digest, "sha256:" + hashlib.sha256(entry.SerializeToString(deterministic=True)).hexdigest())
            previous = digest
        self.tamper(rows[3])
        self.server.start()
        broken = self.cli(root, "audit", "verify", expect=INFRA).stderr
        self.assertIn("audit entry 4", broken)

    def rows(self):
        with sqlite3.connect(self.folder / "data/trainyard.db") as database:
            return database.execute("SELECT sequence, record FROM audit ORDER BY sequence").fetchall()

    def tamper(self, row):
        entry = c.auth.AuditEntry.FromString(row[1])
        entry.principal = "eve"
        with sqlite3.connect(self.folder / "data/trainyard.db") as database:
            database.execute("UPDATE audit SET record = ? WHERE sequence = ?", (entry.SerializeToString(), row[0]))

    def check_no_secret_is_left(self, tokens):
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        self.assertIn(self.server.log_path, files)
        self.assertIn("rpc_failed", self.server.log())
        for path in files:
            for token in tokens:
                self.assertNotIn(token.rsplit("_", 1)[1].encode(), path.read_bytes(), path)

    def test_other_machines_are_not_served_without_users(self):
        run = subprocess.run([BIN / "trainyard-server", "--listen", "0.0.0.0:0", "--metrics-listen", "", "--workers", "0",
                              "--data-dir", self.folder / "data", "--tls-cert", self.folder / "server.pem", "--tls-key",
                              self.folder / "server.key"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 1)
        self.assertIn("add-admin", run.stderr)


if __name__ == "__main__":
    unittest.main()

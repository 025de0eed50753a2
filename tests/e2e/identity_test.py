"""Identity tokens of GitHub jobs, from an issuer of our own through the real server and command line."""

import hashlib
import hmac
import json
import os
import subprocess
import time
import unittest

import grpc

from support import contract as c
from support.case import Case, WDBC, eventually
from support.classroom import COURSE, DONE, Classroom, thirds
from support.client import DEADLINE_SECONDS
from support.issuer import AUDIENCE, Issuer, encode
from support.server import BIN, Server

OK, REFUSED, UNREACHABLE = 0, 1, 3
ANNS, BOBS, NOBODYS = "42", "43", "44"


class IdentityTest(Case):
    def setUp(self):
        super().setUp()
        self.issuer = self.enterContext(Issuer(self.folder))

    def serve(self, *options):
        self.server = self.enterContext(Server(self.folder / "data", workers=1, options=options))
        self.room = self.enterContext(Classroom(self.server, ["ann", "bob"]))
        self.enrol("ann", ANNS)
        self.enrol("bob", BOBS)

    def serve_with_issuer(self):
        self.serve("--oidc-audience", AUDIENCE, "--oidc-issuer", self.issuer.url)

    def cli(self, *arguments, token="", expect=OK, stdin=""):
        environment = {key: value for key, value in os.environ.items() if key != "TRAINYARD_TOKEN"}
        environment |= {"TRAINYARD_TOKEN": token} if token else {}
        run = subprocess.run([BIN / "trainyard", "--server", self.server.address, *map(str, arguments)], text=True,
                             capture_output=True, timeout=60, env=environment, input=stdin)
        self.assertEqual(run.returncode, expect, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def enrol(self, student, *repositories, expect=OK):
        return self.cli("course", "enrol", "dl", "--user", student, "--role", "student", "--github-repository-ids",
                        ",".join(repositories), token=self.room.tokens["teacher"], expect=expect)

    def exchange(self, identity_token, expect=OK):
        """What it printed: the bearer, or why not."""
        run = self.cli("token", "exchange", "--course", "dl", "--identity-token", "-", stdin=identity_token + "\n", expect=expect)
        return run.stdout.strip() if expect == OK else run.stderr

    def reasons(self):
        """Why tokens were refused, by the server's log."""
        return [line for line in self.server.log().splitlines() if "event=identity_token_refused" in line]

    def test_a_job_submits_as_the_student_of_its_repository(self):
        self.serve_with_issuer()
        self.room.publish("hw-a", self.room.upload(thirds(WDBC.read_text())),
                          c.spec.TrainingSpec(target_column="diagnosis", batch_size=16))
        path = self.folder / "identity"
        path.write_text(self.issuer.token())
        run = self.cli("token", "exchange", "--course", "dl", "--identity-token", path)
        self.assertRegex(run.stdout, r"^ty_[a-z0-9]{12}_[0-9a-f]{64}\n$")
        bearer = run.stdout.strip()
        who = json.loads(self.cli("-o", "json", "whoami", token=bearer).stdout)
        self.assertEqual((who["user"], who["token"]["course"], who["token"]["display_name"]),
                         ("users/ann", COURSE, "GitHub run 987654"))
        self.assertEqual(who["token"]["identity"], {"repository_id": "42", "repository_owner_id": "7", "actor_id": "1001",
                                                    "sha": "1f4d0f6b7c0c3a7bd9d4a4d5d0f5a4f7d3f1a2b9", "run_id": "987654"})
        # It is worth an hour in the course, and makes no other tokens.
        self.cli("token", "create", token=bearer, expect=REFUSED)
        self.check_source(bearer)
        self.check_audit(bearer)

    def check_source(self, bearer):
        """What the job says of itself does not count; what a student says is not proven."""
        claimed = c.submission.SubmissionSource(repository_id="1", commit="main", run_id="2", verified=True)
        spec = c.spec.TrainingSpec(epochs=3)
        self.room.tokens["job"] = bearer
        self.room.clients["job"] = self.room._client("job")
        submitted = self.room.submit("job", "hw-a", spec, source=claimed)
        source = submitted.source
        self.assertEqual((source.repository_id, source.commit, source.run_id, source.verified),
                         ("42", "1f4d0f6b7c0c3a7bd9d4a4d5d0f5a4f7d3f1a2b9", "987654", True))
        self.assertEqual(submitted.student, "ann")
        self.assertEqual(self.room.wait("ann", submitted.name).state, DONE)
        shown = self.cli("submission", "show", submitted.name, token=self.room.tokens["ann"]).stdout
        self.assertIn("proven by an identity token", shown)
        other = self.room.submit("ann", "hw-a", c.spec.TrainingSpec(epochs=4), source=claimed).source
        self.assertEqual((other.repository_id, other.commit, other.verified), ("1", "main", False))

    def check_audit(self, bearer):
        self.exchange(self.issuer.token(aud="https://other.example"), expect=REFUSED)
        entries = json.loads(self.cli("-o", "json", "audit", "list", "--limit", 1000, token=self.room.tokens["root"]).stdout)["entries"]
        exchanges = [entry for entry in entries if entry["method"].endswith("/ExchangeIdentityToken")]
        self.assertEqual([(entry.get("principal", ""), entry["code"]) for entry in exchanges], [("", "OK"), ("", "Unauthenticated")])
        self.assertEqual(exchanges[0]["resource"], "tokens/" + bearer.split("_")[1])
        self.cli("audit", "verify", token=self.room.tokens["root"])

    def test_what_is_wrong_with_a_token_is_in_the_log_alone(self):
        self.serve_with_issuer()
        now = int(time.time())
        good = self.issuer.token()
        none = encode(b'{"alg":"none","kid":"a"}') + "." + good.split(".")[1] + "."
        text = encode(b'{"alg":"HS256","kid":"a"}') + "." + good.split(".")[1]
        secret = self.issuer.keys["a"].public_pem()
        bad = {
            "another audience": self.issuer.token(aud="https://other.example"),
            "another issuer": self.issuer.token(iss="https://token.actions.githubusercontent.com"),
            "expired": self.issuer.token(exp=now - 120, iat=now - 600),
            "no signature": none,
            "the public key as a secret": text + "." + encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()),
            "another key": self.issuer.sign(self.issuer.claims(), "stranger", {"alg": "RS256", "kid": "a"}),
            "a key that is not published": self.issuer.token(key="stranger"),
            "no jti": self.issuer.token(jti=None),
            "a name for an id": self.issuer.token(repository_id="hse/hw-a-ann"),
            "no token at all": "secret",
        }
        texts = {what: self.exchange(token, expect=REFUSED) for what, token in bad.items()}
        self.assertEqual(len(set(texts.values())), 1, texts)
        self.assertEqual(len(self.reasons()), len(bad))
        self.assertGreaterEqual(len({line.partition("why=")[2] for line in self.reasons()}), 8)
        for token in [*bad.values(), good]:
            for part in filter(None, token.split(".")):
                self.assertNotIn(part, self.server.log()) if len(part) > 20 else None
        bearer = self.exchange(good)
        self.assertNotIn(bearer.split("_")[2], self.server.log())
        # Again: taken. The text is the same.
        self.assertEqual({self.exchange(good, expect=REFUSED)}, set(texts.values()))
        self.assertIn("taken before", self.reasons()[-1])
        self.assertEqual(self.issuer.fetches, 1)

    def test_whose_a_repository_is_says_the_roster(self):
        self.serve_with_issuer()
        refused = self.exchange(self.issuer.token(repository_id=NOBODYS), expect=REFUSED)
        self.assertIn(f"repository {NOBODYS} is nobody's in {COURSE}", refused)
        self.assertIn("github_repository_ids", refused)
        no_course = self.cli("token", "exchange", "--course", "other", "--identity-token", "-", expect=REFUSED,
                             stdin=self.issuer.token()).stderr
        self.assertIn(f"repository {ANNS} is nobody's in courses/other", no_course)
        # A repository is one student's, and may go to another.
        self.assertIn("ann's", self.enrol("bob", BOBS, ANNS, expect=REFUSED).stderr)
        self.enrol("ann", NOBODYS)
        self.enrol("bob", ANNS, BOBS)
        who = json.loads(self.cli("-o", "json", "whoami", token=self.exchange(self.issuer.token())).stdout)
        self.assertEqual(who["user"], "users/bob")
        roster = self.folder / "roster.csv"
        roster.write_text(f"user,role,github_repository_ids\nann,student,{NOBODYS} 45\nbob,student,{BOBS}\n")
        shown = self.cli("course", "enrol", "dl", "--roster", roster, token=self.room.tokens["teacher"]).stdout
        self.assertIn(f"{NOBODYS} 45", shown)
        self.assertIn("nobody's", self.exchange(self.issuer.token(), expect=REFUSED))
        # A disabled user's jobs are disabled.
        bearer = self.exchange(self.issuer.token(repository_id="45"))
        self.cli("user", "update", "ann", "--disable", token=self.room.tokens["root"])
        self.cli("whoami", token=bearer, expect=REFUSED)
        self.assertIn("not valid here", self.exchange(self.issuer.token(repository_id="45"), expect=REFUSED))
        self.cli("course", "remove", "dl", "ann", token=self.room.tokens["teacher"])
        self.assertIn("nobody's", self.exchange(self.issuer.token(repository_id="45"), expect=REFUSED))

    def test_a_restart_takes_no_token_again_and_an_issuer_that_is_down_is_said_to_be(self):
        self.serve_with_issuer()
        # Clocks have whole seconds here: not one that is issued in the second of the next start.
        old = self.issuer.token(iat=int(time.time()), jti="old")
        bearer = self.exchange(old)
        time.sleep(1.1)
        self.server.stop()
        self.issuer.down = True
        self.server.start()
        self.cli("whoami", token=bearer)
        refused = self.exchange(self.issuer.token(), expect=UNREACHABLE)
        self.assertIn("cannot be read", refused)
        self.assertIn("issuer_keys_not_read", self.server.log())
        self.issuer.down = False
        fresh = self.issuer.token()
        eventually(lambda: self.try_exchange(fresh), "the issuer is asked again")
        self.assertIn("not valid here", self.exchange(old, expect=REFUSED))
        self.assertIn("before this server started", self.reasons()[-1])
        # The keys that it has will do while the issuer is down.
        self.issuer.down = True
        self.exchange(self.issuer.token())
        # A rotation is seen within a minute.
        self.issuer.down = False
        self.issuer.published = ["b"]
        rotated = self.issuer.token(key="b")
        eventually(lambda: self.try_exchange(rotated, pause=5), "the new key is taken", seconds=90)
        self.exchange(self.issuer.token(key="a"), expect=REFUSED)

    def try_exchange(self, token, pause=1):
        time.sleep(pause)
        try:
            request = c.auth.ExchangeIdentityTokenRequest(course=COURSE, identity_token=token)
            self.room.connection.auth.ExchangeIdentityToken(request, timeout=DEADLINE_SECONDS)
        except grpc.RpcError:
            return False
        return True

    def test_a_server_without_an_audience_takes_none(self):
        self.serve()
        self.assertIn("--oidc-audience", self.exchange(self.issuer.token(), expect=REFUSED))
        self.assertEqual(self.issuer.fetches, 0)


if __name__ == "__main__":
    unittest.main()

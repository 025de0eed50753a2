"""Scores for an LTI 1.3 platform that wants access tokens: a platform of our own, which verifies assertions by openssl."""

import base64
import hashlib
import json
import os
import subprocess
import time
import unittest
import urllib.parse

from support import contract as c
from support.case import Case, WDBC, eventually
from support.classroom import COURSE, DONE, Classroom, thirds
from support.client import DEADLINE_SECONDS
from support.issuer import encode, openssl
from support.json_service import JsonService
from support.server import BIN, Server

REFUSED = 1
CLIENT_ID = "10000000000007"
SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DELIVERED, GIVEN_UP, WAITING = (c.grades.Delivery.DELIVERED, c.grades.Delivery.GIVEN_UP, c.grades.Delivery.WAITING)


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Platform(JsonService):
    """`answers`: what the token endpoint says to the next requests instead of a token, by code."""

    METHODS = ("POST",)

    def __init__(self, folder):
        self.folder = folder
        self.pem = self.folder / "tool.pem"
        self.faults, self.assertions, self.tokens, self.scores, self.answers = [], [], [], [], []
        self.ended = set()

    def answer(self, request, body):
        answer = self.grant if request.path == "/token" else self.take
        return answer(request.headers, body.decode())

    def grant(self, headers, body):
        form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
        fault = self.fault_of(headers, form)
        if fault:
            self.faults.append(fault)
            return 400, {"error": "invalid_client", "error_description": fault}
        self.assertions.append(form["client_assertion"])
        if self.answers:
            return self.answers.pop(0), {"error": "temporarily_unavailable", "access_token": "not-a-secret"}
        self.tokens.append(f"access-{len(self.tokens)}.{'x' * 700}")
        return 200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 3600, "scope": SCOPE}

    def fault_of(self, headers, form):
        """What a platform would object to (IMS Security Framework 1.0, 4.1.1; RFC 7523, 3); empty: nothing."""
        if headers["Content-Type"] != "application/x-www-form-urlencoded":
            return "content type"
        if set(form) != {"grant_type", "client_assertion_type", "client_assertion", "scope"}:
            return "form"
        if (form["grant_type"], form["client_assertion_type"], form["scope"]) != ("client_credentials", ASSERTION_TYPE, SCOPE):
            return "grant"
        header, payload, signature = form["client_assertion"].split(".")
        head, claims = json.loads(decode(header)), json.loads(decode(payload))
        (self.folder / "signature").write_bytes(decode(signature))
        verified = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.pem, "-signature", self.folder / "signature"],
                                  input=f"{header}.{payload}".encode(), capture_output=True)
        if verified.returncode != 0 or head["alg"] != "RS256" or head["kid"] != self.kid:
            return "signature"
        now = time.time()
        if (claims["iss"], claims["sub"], claims["aud"]) != (CLIENT_ID, CLIENT_ID, self.audience):
            return "parties"
        if not claims["iat"] - 5 <= now <= claims["exp"] <= claims["iat"] + 300:
            return "times"
        seen = [json.loads(decode(each.split(".")[1]))["jti"] for each in self.assertions]
        return "jti" if claims["jti"] in seen else ""

    def take(self, headers, body):
        token = headers["Authorization"].removeprefix("Bearer ")
        if token not in self.tokens or token in self.ended:
            return 401, {"error": "invalid_token"}
        self.scores.append(json.loads(body))
        return 200, {}


class LtiTest(Case):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.folder / "data", workers=1))
        self.room = self.enterContext(Classroom(self.server, ["ann"]))
        self.room.teacher.courses.UpdateRoster(c.course.UpdateRosterRequest(course=COURSE, enrolments=[c.course.Enrolment(
            user="ann", role=c.course.COURSE_ROLE_STUDENT, external=c.course.ExternalIds(lti_user_id="sub-ann"))]))
        self.room.publish("hw-a", self.room.upload(thirds(WDBC.read_text())),
                          c.spec.TrainingSpec(target_column="diagnosis", batch_size=16))
        self.platform = self.enterContext(Platform(self.folder))
        self.register()

    def cli(self, *arguments, user="teacher", expect=0):
        run = subprocess.run([BIN / "trainyard", "--server", self.server.address, *map(str, arguments)], text=True, timeout=60,
                             capture_output=True, stdin=subprocess.DEVNULL,
                             env={**os.environ, "TRAINYARD_TOKEN": self.room.tokens[user]})
        self.assertEqual(run.returncode, expect, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run.stdout if expect == 0 else run.stderr

    def register(self):
        """As an administrator of a platform does with what `delivery key` prints."""
        pem = self.cli("delivery", "key", "--pem", user="ann")
        self.platform.pem.write_text(pem)
        jwk = json.loads(self.cli("delivery", "key"))
        modulus = openssl("rsa", "-pubin", "-in", self.platform.pem, "-noout", "-modulus").decode().strip().partition("=")[2]
        self.assertEqual(len(modulus), 512)
        self.assertEqual(jwk, {"alg": "RS256", "e": "AQAB", "kid": jwk["kid"], "kty": "RSA", "n": encode(bytes.fromhex(modulus)),
                               "use": "sig"})
        required = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True)
        self.assertEqual(jwk["kid"], encode(hashlib.sha256(required.encode()).digest()))
        self.platform.kid = jwk["kid"]

    def deliver_to(self, audience=""):
        self.platform.audience = audience or self.platform.url + "/token"
        shown = self.cli("delivery", "set", "dl", "--kind", "lti_score", "--url", self.platform.url + "/item/{assignment}",
                         "--token-url", self.platform.url + "/token", "--client-id", CLIENT_ID,
                         *(["--token-audience", audience] if audience else []))
        self.assertIn(self.platform.url + "/token", shown)

    def submit(self, epochs):
        name = self.room.submit("ann", "hw-a", c.spec.TrainingSpec(epochs=epochs)).name
        self.assertEqual(self.room.wait("ann", name).state, DONE)
        return name

    def delivery(self, state, outcome=""):
        """The newest delivery, once it is in the state and its last outcome has the text."""
        def look():
            newest = self.room.deliveries()[:1]
            found = newest and newest[0].state == state and outcome in newest[0].last_outcome
            return newest[0] if found else None
        return eventually(look, f"{state} {outcome}: {self.room.deliveries()}", seconds=60)

    def check_secrets(self):
        """Neither the log nor what is told of deliveries has an assertion or a token."""
        told = self.server.log() + "".join(str(each) for each in self.room.deliveries())
        for secret in [*self.platform.tokens, *(each.split(".")[2] for each in self.platform.assertions), "invalid_client"]:
            self.assertNotIn(secret, told)

    def test_scores_come_with_a_token_that_is_fetched_once(self):
        self.deliver_to()
        for epochs in (3, 4):
            self.submit(epochs)
            self.assertEqual(self.delivery(DELIVERED).attempts, 1)
        self.assertEqual(self.platform.faults, [])
        self.assertEqual(len(self.platform.tokens), 1)
        self.assertEqual([score["userId"] for score in self.platform.scores], ["sub-ann"] * 2)
        # The platform ends it early: another try with another token.
        self.platform.ended.add(self.platform.tokens[0])
        self.submit(5)
        delivery = self.delivery(DELIVERED)
        self.assertEqual((delivery.attempts, len(self.platform.tokens), len(self.platform.scores)), (2, 2, 3))
        # The key is the same after a restart; the token is not kept.
        self.server.stop()
        self.server.start()
        self.room.reconnect()
        self.assertEqual(json.loads(self.cli("delivery", "key"))["kid"], self.platform.kid)
        self.submit(6)
        self.delivery(DELIVERED)
        self.assertEqual((len(self.platform.tokens), self.platform.faults), (3, []))
        self.check_secrets()

    def test_an_audience_of_its_own(self):
        self.deliver_to(audience="https://auth.lms.example/oauth2?a=b&c=d")
        self.submit(3)
        self.delivery(DELIVERED)
        self.assertEqual(self.platform.faults, [])

    def test_what_the_token_endpoint_refuses(self):
        self.deliver_to()
        self.platform.kid = "another"
        self.submit(3)
        delivery = self.delivery(GIVEN_UP)
        self.assertEqual((delivery.last_outcome, self.platform.faults), ("token: HTTP 400", ["signature"]))
        self.register()
        self.platform.answers = [503]
        self.cli("delivery", "retry", "dl", delivery.id)
        self.delivery(WAITING, "token: HTTP 503")
        self.delivery(DELIVERED)
        self.check_secrets()
        # A token that is taken nowhere: not tried for ever.
        self.platform.take = lambda *unused: (401, {"error": "invalid_token"})
        self.room.reconnect()
        self.submit(4)
        self.delivery(GIVEN_UP, "HTTP 401")

    def test_a_target_is_checked(self):
        for flags, what in ((("--token-url", "https://lms.example/token"), "client_id"),
                            (("--client-id", "7"), "token_url"), (("--token-url", "ftp://x", "--client-id", "7"), "http")):
            self.assertIn(what, self.cli("delivery", "set", "dl", "--kind", "lti_score", "--url", "https://lms.example/x", *flags,
                                         expect=REFUSED))
        self.assertIn("LTI_SCORE", self.cli("delivery", "set", "dl", "--kind", "check_run", "--url", "https://hook.example",
                                            "--token-url", "https://lms.example/token", "--client-id", "7", expect=REFUSED))
        nobodys = c.grades.GetToolKeyRequest()
        with self.assertRaisesRegex(Exception, "UNAUTHENTICATED"):
            self.room.connection.grades.GetToolKey(nobodys, timeout=DEADLINE_SECONDS)


if __name__ == "__main__":
    unittest.main()

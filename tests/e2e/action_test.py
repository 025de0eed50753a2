"""The composite action, step by step as a runner runs it, with a GitHub and a server of our own."""

import json
import os
import re
import subprocess
import unittest

import yaml

from support import contract as c
from support.case import Case, WDBC
from support.classroom import Classroom, thirds
from support.github import JOB_TOKEN, REQUEST_TOKEN, GitHub
from support.issuer import AUDIENCE, Issuer
from support.server import BIN, Server

ACTION = yaml.safe_load((c.ROOT / "deploy/github-action/action.yml").read_text())
EXPRESSION = re.compile(r"^\$\{\{ (\w+)\.([\w.-]+) \}\}$")
REFUSED, USAGE = 1, 2
ANNS = "42"


class ActionTest(Case):
    def setUp(self):
        super().setUp()
        self.issuer = self.enterContext(Issuer(self.folder))
        self.github = self.enterContext(GitHub(self.issuer))
        self.server = self.enterContext(Server(self.folder / "data", workers=1, options=(
            "--oidc-audience", AUDIENCE, "--oidc-issuer", self.issuer.url)))
        self.room = self.enterContext(Classroom(self.server, ["ann"]))
        self.room.teacher.courses.UpdateRoster(c.course.UpdateRosterRequest(course="courses/dl", enrolments=[
            c.course.Enrolment(user="ann", role=c.course.COURSE_ROLE_STUDENT,
                               external=c.course.ExternalIds(github_repository_ids=[int(ANNS)]))]))
        self.data = self.room.upload(thirds(WDBC.read_text()))
        self.publish()
        self.spec = self.folder / "spec.yaml"
        self.spec.write_text("epochs: 5\nlayers:\n  - {units: 8}\n")

    def publish(self, **fields):
        self.room.publish("hw-a", self.data, c.spec.TrainingSpec(target_column="diagnosis", batch_size=16), **fields)

    def run_action(self, identity=True, **given):
        """The steps' (exit codes, stdout), as far as they run; `given` are inputs, with _ for -."""
        inputs = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
        inputs |= {"server": self.server.address, "audience": AUDIENCE, "assignment": "courses/dl/assignments/hw-a",
                   "spec": str(self.spec), "github-token": JOB_TOKEN}
        inputs |= {name.replace("_", "-"): value for name, value in given.items()}
        outputs = {}
        codes, text = [], ""
        for step in ACTION["runs"]["steps"]:
            if step.get("if") and inputs["update-check"] != "true":  # the only condition there is
                continue
            run, said = self.run_step(step, inputs, outputs, identity)
            codes.append(run.returncode)
            text += run.stdout
            outputs |= {f"{step['id']}.outputs.{name}": value for name, value in said.items()}
        return codes, text

    def run_step(self, step, inputs, outputs, identity):
        def value(text):
            scope, name = EXPRESSION.match(text).groups()
            return inputs[name] if scope == "inputs" else outputs.get(name, "")

        file = self.folder / "github-output"
        file.write_text("")
        inherited = {key: text for key, text in os.environ.items() if not key.startswith(("GITHUB", "ACTIONS", "TRAINYARD"))}
        run = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], capture_output=True, text=True,
                             timeout=120, stdin=subprocess.DEVNULL, cwd=self.folder,
                             env={**inherited, **self.github.environment(identity), "GITHUB_OUTPUT": str(file),
                                  "PATH": f"{BIN}:{os.environ['PATH']}", **{key: value(text) for key, text in step["env"].items()}})
        self.assertNotIn(REQUEST_TOKEN, run.stdout + run.stderr)
        self.stderr = run.stderr
        return run, dict(line.split("=", 1) for line in file.read_text().splitlines())

    def newest(self):
        return self.room.list("hw-a")[0]

    def test_scripts_have_no_expressions(self):
        for step in ACTION["runs"]["steps"]:
            self.assertNotIn("${{", step["run"])
            for text in step["env"].values():
                self.assertRegex(text, EXPRESSION)

    def test_a_job_without_a_secret_is_graded_as_its_student(self):
        for assignment in ("courses/dl/assignments/hw-a", "dl/hw-a"):
            codes, text = self.run_action(assignment=assignment)
            self.assertEqual(codes, [0], text + self.stderr)
        submission = self.newest()
        self.assertEqual((submission.student, submission.source.verified, submission.source.run_id), ("ann", True, "987654"))
        self.assertEqual(text.splitlines()[-1], f"Points {submission.result.points}/100")
        masked = re.findall(r"^::add-mask::(ty_\S+)$", text, re.MULTILINE)
        self.assertEqual(len(masked), 1)
        self.assertNotIn(masked[0], text.replace(f"::add-mask::{masked[0]}\n", ""))
        codes, text = self.run_action(at_least="1.1")
        self.assertEqual(codes, [REFUSED])

    def test_another_repositorys_receipt_gives_no_points(self):
        codes, text = self.run_action()
        self.assertEqual(codes, [0], text + self.stderr)
        receipt = json.loads(self.room.clients["ann"].submissions.GetReceipt(
            c.submission.GetReceiptRequest(name=self.newest().name)).document)
        self.assertEqual((receipt["source"]["repository_id"], receipt["source"]["verified"]), (ANNS, True))
        self.github.repository_id = "43"
        codes, text = self.run_action()
        self.assertEqual(codes, [REFUSED], text + self.stderr)
        self.assertIn('repository "42", not "43"', self.stderr)
        self.assertNotIn("Points", text)

    def test_points_are_those_of_the_given_key(self):
        key = self.room.teacher.submissions.GetSigningKey(c.submission.GetSigningKeyRequest()).public_key
        codes, text = self.run_action(public_key=key)
        self.assertEqual(codes, [0], text + self.stderr)
        # The key of RFC 8032's first test.
        codes, text = self.run_action(public_key="d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        self.assertEqual(codes, [REFUSED], text + self.stderr)
        self.assertNotIn("Points", text)

    def test_a_token_needs_no_identity(self):
        codes, text = self.run_action(identity=False, token=self.room.tokens["ann"], audience="")
        self.assertEqual(codes, [0], text + self.stderr)
        self.assertFalse(self.newest().source.verified)
        self.assertEqual(self.github.requests, [])

    def test_what_is_missing_is_said(self):
        for given, what in (({"identity": False}, "id-token: write"), ({"audience": ""}, "input audience")):
            codes, text = self.run_action(**given)
            self.assertEqual(codes, [USAGE])
            self.assertIn("::error title=Trainyard::give the input token", text)
            self.assertIn(what, text)
        self.github.claims = {"repository_id": "4711"}
        codes, text = self.run_action()
        self.assertEqual(codes, [REFUSED])
        self.assertIn("repository 4711 is nobody's", self.stderr)
        self.assertEqual(self.room.list("hw-a"), [])

    def test_no_input_becomes_a_command(self):
        evil = f"$(touch {self.folder}/owned)`touch {self.folder}/owned`; touch {self.folder}/owned"
        for name in ("assignment", "spec", "at_least", "audience", "token", "public_key"):
            self.run_action(**{name: evil})
        self.assertFalse((self.folder / "owned").exists())

    def test_the_check_says_the_points(self):
        self.github.checks = [{"id": 7, "name": "Autograding"}, {"id": 8, "name": "lint"}]
        codes, text = self.run_action(update_check="true")
        self.assertEqual(codes, [0, 0], text + self.stderr)
        points = self.newest().result.points
        self.assertEqual(self.github.updates, [(7, {"output": {"title": "Autograding", "summary": f"Points {points}/100"}})])
        # Points are points, whether or not the step fails.
        codes, text = self.run_action(update_check="true", at_least="1.1")
        self.assertEqual((codes, len(self.github.updates)), ([REFUSED, 0], 2))

    def test_no_check_is_written_when_it_is_not_clear_which_or_what(self):
        for checks in ([], [{"id": 7, "name": "Autograding"}, {"id": 8, "name": "Autograding"}], [{"id": 8, "name": "autograding"}]):
            self.github.checks = checks
            codes, text = self.run_action(update_check="true")
            self.assertEqual(codes, [0, 0], text + self.stderr)
            self.assertIn("::notice title=Autograding check::not updated", text)
        self.github.checks = [{"id": 7, "name": "Autograding"}]
        self.run_action()
        self.publish(release=c.course.POINTS_RELEASE_AFTER_CLOSE, closes="2999-01-01 00:00:00")
        codes, text = self.run_action(update_check="true")
        self.assertEqual(codes, [0, 0], text + self.stderr)
        self.assertIn("no points to show", text)
        codes, text = self.run_action(update_check="true", spec="no-such-file.yaml")
        self.assertNotEqual(codes[0], 0)
        self.assertEqual(self.github.updates, [])


if __name__ == "__main__":
    unittest.main()

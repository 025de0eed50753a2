"""`trainyard grade` as the test command of an autograder: exit codes, the line with the points, and files that graders read."""

import base64
import json
import os
import subprocess
import time
import unittest
import xml.etree.ElementTree as xml

from support import contract as c
from support.case import Case, WDBC
from support.classroom import DONE, Classroom, thirds
from support.server import BIN, Server

PASSED, REFUSED, USAGE, UNREACHABLE, UNFINISHED = 0, 1, 2, 3, 6
# A spec that is known is answered within this, process and all (issue 7).
CACHED_SECONDS = 5


class GradeTest(Case):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.folder / "data", workers=2))
        self.room = self.enterContext(Classroom(self.server, ["ann", "bob"]))
        self.data = self.room.upload(thirds(WDBC.read_text()))
        self.publish()
        self.spec = self.file("spec.yaml", "epochs: 20\nlayers:\n  - {units: 8}\n")

    def publish(self, homework="hw-a", **fields):
        self.room.publish(homework, self.data, c.spec.TrainingSpec(target_column="diagnosis", batch_size=16), **fields)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def environment(self, student="ann", **changes):
        inherited = {key: value for key, value in os.environ.items() if key != "GITHUB_OUTPUT"}
        return {**inherited, "TRAINYARD_SERVER": self.server.address, "TRAINYARD_TOKEN": self.room.tokens[student],
                "PATH": f"{BIN}:{os.environ['PATH']}", **changes}

    def grade(self, *arguments, spec=None, student="ann", homework="hw-a", expect=PASSED, **environment):
        command = ["trainyard", "grade", "--assignment", f"dl/{homework}", "--spec", spec or self.spec, "--wait", *arguments]
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                             env=self.environment(student, **environment), cwd=self.folder)
        self.assertEqual(run.returncode, expect, f"{command}\n{run.stdout}\n{run.stderr}")
        return run

    def newest(self, homework="hw-a"):
        return self.room.list(homework)[0]

    def documents(self):
        """Flags for all files, and where they are."""
        names = ("junit", "gradescope", "reporter", "classroom50")
        paths = {name: self.folder / f"{name}.out" for name in names}
        return [part for name in names for part in (f"--{name}", paths[name])], paths

    def test_points_are_the_last_line_and_those_of_the_server(self):
        run = self.grade("--at-least", "0.5")
        submission = self.newest()
        self.assertEqual(submission.state, DONE)
        self.assertEqual(run.stdout.splitlines()[-1], f"Points {submission.result.points}/100")
        self.assertEqual(run.stdout.count("Points "), 1)
        self.assertGreater(submission.result.points, 50)

    def test_points_are_signed_by_the_key_that_is_given(self):
        run = self.grade()
        key = self.room.clients["ann"].submissions.GetSigningKey(c.submission.GetSigningKeyRequest()).public_key
        again = self.grade("--public-key-file", self.file("key.txt", key + "\n"))
        self.assertEqual(again.stdout.splitlines()[-1], run.stdout.splitlines()[-1])
        another = self.grade("--public-key", "0" * 64, expect=REFUSED)
        self.assertNotIn("Points", another.stdout)
        self.assertIn("signed with key", another.stderr)

    def test_below_the_threshold_is_1_with_the_points_all_the_same(self):
        # As an exact match, too, it is reached; the next number is not.
        self.grade()
        score = self.newest().result.score
        self.grade("--at-least", score)
        run = self.grade("--at-least", score + 0.001, expect=REFUSED)
        self.assertEqual(run.stdout.splitlines()[-1], f"Points {self.newest().result.points}/100")
        self.assertIn("not at least as good", run.stderr)
        self.assertEqual(len(self.room.list("hw-a")), 1)

    def test_files_say_what_the_server_says(self):
        self.publish("hw-b", score_rule=c.course.ScoreRule(steps=[c.course.ScoreRule.Step(threshold=at, points=points)
                                                                   for at, points in ((0.6, 40), (0.999999, 100))]))
        flags, paths = self.documents()
        outputs = self.file("github", "before=1\n")
        run = self.grade(*flags, "--github", homework="hw-b", GITHUB_OUTPUT=str(outputs))
        submission = self.newest("hw-b")
        result = submission.result
        self.assertEqual(sum(each.points for each in result.criteria), result.points)
        self.check_junit(paths["junit"], submission)
        gradescope = json.loads(paths["gradescope"].read_text())
        self.assertEqual((gradescope["score"], gradescope["extra_data"]["receipt"]), (result.points, submission.receipt))
        self.assertEqual([(test["name"], test["score"], test["max_score"]) for test in gradescope["tests"]],
                         [(each.name, each.points, each.max_points) for each in result.criteria])
        reporter = json.loads(base64.b64decode(paths["reporter"].read_text(), validate=True))
        self.assertEqual(sum(test["score"] for test in reporter["tests"]), result.points)
        self.assertEqual(reporter["max_score"], result.max_points)
        classroom = json.loads(paths["classroom50"].read_text())
        self.assertEqual((classroom["schema"], classroom["score"], classroom["max-score"]),
                         ("classroom50/result/v1", result.points, result.max_points))
        notices = [line for line in run.stdout.splitlines() if line.startswith("::")]
        self.assertEqual(notices[0], f"::notice title=Autograding complete::Points {result.points}/100")
        self.assertEqual(json.loads(notices[1].removeprefix("::notice title=Autograding report::")),
                         {"totalPoints": result.points, "maxPoints": 100})
        self.assertEqual(outputs.read_text(), f"before=1\npoints={result.points}\nmax-points=100\nreceipt={submission.receipt}\n")

    def check_junit(self, path, submission):
        suite = xml.parse(path).getroot().find("testsuite")
        properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
        self.assertEqual(properties, {"points": str(submission.result.points), "max_points": "100",
                                      "receipt": submission.receipt})
        cases = suite.findall("testcase")
        self.assertEqual(len(cases), int(suite.get("tests")))
        failed = [each for each in submission.result.criteria if not each.passed]
        self.assertEqual(len(suite.findall("testcase/failure")), len(failed))
        self.assertEqual(int(suite.get("failures")), len(failed))

    def test_a_known_spec_is_answered_at_once(self):
        first = self.grade()
        took = {}
        for student in ("bob", "ann"):
            begin = time.monotonic()
            again = self.grade(student=student)
            took[student] = time.monotonic() - begin
            self.assertEqual(again.stdout.splitlines()[-1], first.stdout.splitlines()[-1])
            self.assertLess(took[student], CACHED_SECONDS)
        self.assertEqual([each.cached for each in self.room.list("hw-a")], [True, False])
        print(f"known spec: {1e3 * took['bob']:.0f} ms for another student, {1e3 * took['ann']:.0f} ms for the same")

    def test_what_is_refused_leaves_files_too(self):
        flags, paths = self.documents()
        spec = self.file("seed.yaml", "epochs: 20\nseed: 7\n")
        run = self.grade(*flags, spec=spec, expect=REFUSED)
        self.assertIn("spec.seed", run.stderr)
        self.assertNotIn("Points", run.stdout)
        self.assertEqual(self.room.list("hw-a"), [])
        self.check_no_points(paths)

    def test_no_server_leaves_files_too(self):
        flags, paths = self.documents()
        self.grade(*flags, expect=UNREACHABLE, TRAINYARD_SERVER="127.0.0.1:1")
        self.check_no_points(paths)

    def check_no_points(self, paths):
        suite = xml.parse(paths["junit"]).getroot().find("testsuite")
        self.assertEqual((suite.get("errors"), len(suite.findall("testcase/error"))), ("1", 1))
        gradescope = json.loads(paths["gradescope"].read_text())
        self.assertEqual((gradescope["score"], gradescope["tests"]), (0, []))
        reporter = json.loads(base64.b64decode(paths["reporter"].read_text(), validate=True))
        self.assertEqual((reporter["status"], reporter["max_score"]), ("error", 0))
        self.assertEqual(json.loads(paths["classroom50"].read_text())["score"], 0)

    def test_a_spec_that_cannot_be_trained_is_1(self):
        spec = self.file("wild.yaml", "epochs: 20\nlayers:\n  - {units: 8, activation: identity}\n"
                                      "optimizer: {kind: sgd, learning_rate: 1000000}\n")
        flags, paths = self.documents()
        run = self.grade(*flags, spec=spec, expect=REFUSED)
        self.assertNotIn("Points", run.stdout)
        suite = xml.parse(paths["junit"]).getroot().find("testsuite")
        self.assertEqual(suite.find("testcase/failure").get("type"), "ungradable")

    def test_what_is_not_finished_in_time_goes_on(self):
        spec = self.file("long.yaml", "epochs: 100000\nlayers:\n  - {units: 64}\n")
        run = self.grade("--timeout", "1s", spec=spec, expect=UNFINISHED)
        self.assertNotIn("Points", run.stdout)
        submission = self.newest()
        self.assertIn(submission.name, run.stderr)
        self.assertIn(submission.state, (c.submission.SUBMISSION_STATE_QUEUED, c.submission.SUBMISSION_STATE_RUNNING))
        self.room.clients["ann"].submissions.CancelSubmission(c.submission.CancelSubmissionRequest(name=submission.name))

    def test_withheld_points_are_in_no_file(self):
        self.publish("hw-b", release=c.course.POINTS_RELEASE_AFTER_CLOSE, closes="2999-01-01 00:00:00")
        flags, paths = self.documents()
        outputs = self.file("github", "")
        run = self.grade(*flags, "--github", homework="hw-b", GITHUB_OUTPUT=str(outputs))
        self.assertNotIn("Points", run.stdout)
        submission = self.room.teacher.submissions.GetSubmission(c.submission.GetSubmissionRequest(
            name=self.newest("hw-b").name))  # with the points, for staff
        self.assertGreater(submission.result.points, 0)
        self.assertTrue(outputs.read_text().startswith("points=\nmax-points=\n"))
        self.assertEqual(json.loads(paths["gradescope"].read_text())["score"], 0)
        self.assertEqual(xml.parse(paths["junit"]).getroot().find("testsuite").get("skipped"), "1")
        # The threshold is then for what the student may know.
        self.grade("--at-least", submission.public_score, homework="hw-b")
        self.grade("--at-least", submission.public_score + 0.001, homework="hw-b", expect=REFUSED)

    def test_usage(self):
        self.grade("--at-least", "high", expect=USAGE)
        self.grade("--at-least", "nan", expect=USAGE)
        self.grade("--gradescope", self.folder / "no/such/folder/results.json", "--at-least", "0.5", expect=5)


if __name__ == "__main__":
    unittest.main()

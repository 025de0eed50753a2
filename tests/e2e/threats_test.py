"""The table of threats in GRADING.md, section 5, each tried as an attacker would; test_NN is threat NN. What is not here is named in
server/grading/README.md with the test that has it. All attacks go against one server; each test has an assignment of its own."""

import csv
import hashlib
import hmac
import io
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import uuid

from support import contract as c
from support.caller import SERVICES, WORKER, Caller, Refused
from support.case import eventually
from support.graded_course import COURSE, SEALED_ROWS, GradedCourse, moscow, tables, write

DONE = c.submission.SUBMISSION_STATE_DONE
HOOK = pathlib.Path(__file__).resolve().parents[1] / "server/grading/fake_hook.py"
# What an answer to an attack may be. UNKNOWN and INTERNAL would be faults of ours.
REFUSALS = {"INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED",
            "ABORTED", "ALREADY_EXISTS", "UNIMPLEMENTED"}


def a(name):
    return f"{COURSE}/assignments/{name}"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


def sign(document, folder):
    """The receipt, changed by nobody but signed by somebody else: the attacker's key and id in place of the server's."""
    key = folder / "attacker.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")[-32:]
    document = {**document, "key_id": hashlib.sha256(public).hexdigest()[:16]}
    document.pop("signature")
    (folder / "signed").write_bytes(canonical(document))
    document["signature"] = openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", folder / "signed").hex()
    return document, public.hex()


def canonical(document):
    """RFC 8785 of what has text and integers only."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unknown_field(number, data):
    """Bytes of a field that a message does not have."""
    key, tag = number << 3 | 2, b""
    for value in (key, len(data)):
        while value > 0x7F:
            tag, value = tag + bytes([value & 0x7F | 0x80]), value >> 7
        tag += bytes([value])
    return tag + data


class ThreatsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ty-", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        # One test has a server with the usual rate for itself; elsewhere it would hide what is refused for a better reason.
        cls.course = GradedCourse(cls.folder, options=("--rate-limit", "0"))
        cls.addClassCleanup(cls.course.close)
        cls.course.make()
        cls.root, cls.teacher, cls.ann, cls.bob, cls.eve = (
            cls.course.root, cls.course.teacher, cls.course.ann, cls.course.bob, cls.course.eve)
        cls.tutor = cls.course.people["tutor"]
        cls.course.publish("hw")
        cls.graded = cls.course.graded(cls.ann, "hw")
        if cls.graded.state != DONE:
            raise AssertionError(cls.graded)

    def tearDown(self):
        """Whatever was tried, the server still serves."""
        self.assertEqual(self.ann.auths.WhoAmI().user, "users/ann")

    def refused(self, call, *codes, reason=None):
        with self.assertRaises(Refused) as raised:
            call()
        self.assertIn(raised.exception.code, codes or REFUSALS, raised.exception)
        if reason is not None:
            self.assertEqual(raised.exception.reason, reason, raised.exception)
        return raised.exception

    def forbidden(self, call):
        return self.refused(call, "PERMISSION_DENIED", reason="PERMISSION")

    def receipt(self, who, name, **fields):
        return who.submissions.GetReceipt(name=name, **fields).document

    def verify(self, document, *arguments):
        path = self.folder / "receipt.json"
        path.write_bytes(document if isinstance(document, bytes) else document.encode())
        return self.course.cli(self.ann, "verify", path, *arguments)

    def standing(self, who, assignment):
        return who.submissions.GetStanding(assignment=a(assignment))

    def test_01_a_receipt_is_not_forged(self):
        true = self.receipt(self.ann, self.graded.name)
        code, text = self.verify(true)
        self.assertEqual((code, "ann" in text), (0, True), text)
        fields = json.loads(true)
        result = fields["result"]
        forgeries = {
            "points": {**fields, "result": {**result, "points": result["points"] + 1}},
            "all points": {**fields, "result": {**result, "points": result["max_points"]}},
            "student": {**fields, "student": "bob"},  # another's presented as one's own
            "assignment": {**fields, "assignment": a("hw-exam"), "submission": a("hw-exam") + "/submissions/x"},
            "time": {**fields, "accepted_at": "2020-01-01T00:00:00.000000Z"},
            "spec": {**fields, "spec_digest": "sha256:" + "0" * 64},
            "signature": {**fields, "signature": "0" * 128},
            "own key": sign({**fields, "result": {**result, "points": result["max_points"]}}, self.folder)[0]}
        for what, forged in forgeries.items():
            self.assertNotEqual(self.verify(canonical(forged))[0], 0, what)
        flipped = [bytearray(true.encode()) for _ in range(8)]
        for i, document in enumerate(flipped):
            document[(i * 2 + 1) * len(document) // 16] ^= 1
            self.assertNotEqual(self.verify(bytes(document))[0], 0, bytes(document))
        # The attack itself is sound: against the attacker's own key the same document holds.
        forged, public = sign(fields, self.folder)
        self.assertEqual(self.verify(canonical(forged), "--public-key", public)[0], 0)

    def test_02_a_grade_that_cannot_be_asked_for_is_a_failure(self):
        """No file of a workspace is read, and nothing that is written says points when there are none."""
        (self.folder / "results.json").write_text('{"score": 100}')
        code, text = self.course.cli(self.ann, "grade", "--assignment", "dl/hw", "--hidden", "4", "--wait", "--gradescope",
                                     self.folder / "results.json", "--reporter", self.folder / "reporter.txt",
                                     server="127.0.0.1:9")
        self.assertNotEqual(code, 0)
        self.assertNotIn("100", (self.folder / "results.json").read_text())
        self.assertNotRegex(text, r"Points [1-9]")
        self.assertNotEqual(self.course.cli(self.ann, "grade", "--assignment", "dl/hw", "--hidden", "4", "--wait", "--at-least",
                                            "1.1")[0], 0)

    def test_03_nobody_but_a_worker_reports_what_was_measured(self):
        for method, (request, *_) in WORKER["WorkerService"].items():
            self.refused(lambda: self.ann.call("WorkerService", method, [request()], WORKER), "UNIMPLEMENTED")
        sockets = [path for path in (self.folder / "data").rglob("*") if path.is_socket()]
        self.assertEqual(len(sockets), 1)
        inside = Caller(f"unix:{sockets[0]}", self.ann.bearer)
        self.addCleanup(inside.close)
        hello = c.worker.WorkRequest(hello=c.worker.Hello(token="guessed", slot=0, pid=1))
        self.refused(lambda: inside.call("WorkerService", "Work", [hello], WORKER), "UNAUTHENTICATED")
        digest = self.course.open_copy.table_digest
        self.refused(lambda: inside.call("WorkerService", "ReadBlob", [c.worker.ReadBlobRequest(digest=digest)], WORKER),
                     "UNAUTHENTICATED")
        self.refused(lambda: inside.call("WorkerService", "WriteBlob", [c.worker.WriteBlobRequest(data=b"x")], WORKER),
                     "UNAUTHENTICATED")

    def test_04_no_code_is_taken_and_no_weights_but_the_trainings_own(self):
        pickled = b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."
        bundle = self.ann.call("ModelService", "ExportModel", [c.model.ExportModelRequest(name=self.model())])
        native = b"".join(part.data for part in bundle)
        for data in (pickled, native[:-1], native[:200] + bytes([native[200] ^ 1]) + native[201:]):
            self.refused(lambda: self.ann.call("ModelService", "ImportModel", [c.model.ImportModelRequest(
                options=c.model.ImportModelRequest.Options(), data=data)]), "INVALID_ARGUMENT")
        mine = self.ann.call("ModelService", "ImportModel", [c.model.ImportModelRequest(
            options=c.model.ImportModelRequest.Options(), data=native)])[0]
        for spec in (dict(initial_model=mine.name), dict(initial_weights=[c.spec.InitialLayer(weights=[1, 2], biases=[0])])):
            refused = self.refused(lambda: self.course.submit(self.ann, "hw", spec=c.spec.TrainingSpec(**spec)),
                                   "INVALID_ARGUMENT", reason="INVALID_SPEC")
            self.assertIn(f"spec.{next(iter(spec))}", refused.said())

    def model(self):
        return self.ann.jobs.GetTrainingJob(name=self.graded.training_jobs[0]).model

    def test_05_who_asks_is_not_for_the_asker_to_say(self):
        bobs = self.course.submit(self.bob, "hw", 5)
        self.addCleanup(self.course.wait, self.bob, bobs.name)
        self.forbidden(lambda: self.course.submit(self.ann, "hw", student="bob"))
        self.forbidden(lambda: self.ann.submissions.ListSubmissions(assignment=a("hw"), student="bob"))
        self.forbidden(lambda: self.ann.submissions.GetStanding(assignment=a("hw"), student="bob"))
        self.forbidden(lambda: self.ann.grades.GetGradebook(course=COURSE, student="bob"))
        for method in ("GetSubmission", "CancelSubmission", "NominateSubmission", "GetReceipt", "WaitSubmission"):
            self.forbidden(lambda: getattr(self.ann.submissions, method)(name=bobs.name))
        self.forbidden(lambda: self.ann.submissions.GetReceipt(name=self.graded.name, staff_copy=True))
        # A pretended user in metadata is not looked at.
        told = self.ann.call("AuthService", "WhoAmI", [c.auth.WhoAmIRequest()], metadata=[("x-user", "bob"), ("x-forwarded-user", "bob")])
        self.assertEqual(told[0].user, "users/ann")
        self.teacher.courses.CreateCourse(course=c.course.Course(name="courses/other"))
        self.teacher.courses.UpdateRoster(course="courses/other", enrolments=[
            c.course.Enrolment(user="ann", role=c.course.COURSE_ROLE_STUDENT)])
        other = self.course.caller("ann", course="courses/other")
        reader = self.course.caller("ann", read_only=True)
        for caller in (other, reader):
            self.addCleanup(caller.close)
        self.assertEqual(other.courses.GetCourse(name="courses/other").name, "courses/other")
        for call in (lambda: other.submissions.GetSubmission(name=self.graded.name), lambda: other.courses.GetCourse(name=COURSE),
                     lambda: self.course.submit(other, "hw"), lambda: other.auths.CreateToken(),
                     lambda: self.course.submit(reader, "hw"), lambda: reader.submissions.NominateSubmission(name=self.graded.name),
                     lambda: reader.datasets.CreateDataset(), lambda: reader.auths.CreateToken()):
            self.forbidden(call)
        self.assertEqual(reader.submissions.GetSubmission(name=self.graded.name).name, self.graded.name)

    def test_06_a_score_tells_nothing_below_its_noise(self):
        """What is told of the sealed rows is a whole step; one row more or less is 12 times finer."""
        exact = json.loads(self.receipt(self.teacher, self.graded.name, staff_copy=True))["runs"]
        values = sorted(float(run["sealed_value"]["decimal"]) for run in exact)
        error = math.sqrt(values[1] * (1 - values[1]) / (SEALED_ROWS - 1))
        step = min(step for step in (0.01, 0.02, 0.005, 0.05) if step >= error)
        told = self.graded.result.score
        self.assertNotIn(told, values)
        self.assertAlmostEqual(told / step, round(told / step), places=9)
        self.assertLessEqual(abs(told - values[1]), step)
        student = json.loads(self.receipt(self.ann, self.graded.name))
        self.assertEqual({key for run in student["runs"] for key in run}, {"seed", "result_digest"})
        for field in self.graded.result.DESCRIPTOR.fields_by_name:
            self.assertIn(field, ("points", "max_points", "score", "metric", "sealed", "criteria"))

    def test_06_many_submissions_climb_few_steps(self):
        """The Ladder: whatever is submitted, the public score moves only up, by more than noise, and seldom."""
        self.course.publish("hw-climb", seed_count=1, score_rule=c.course.ScoreRule(
            steps=[c.course.ScoreRule.Step(threshold=0.9, points=1_000_000)]))
        names = [self.course.submit(self.ann, "hw-climb", units=units, supersede=False).name for units in range(1, 20)]
        ended = [self.course.wait(self.ann, name) for name in names]
        self.assertEqual({each.state for each in ended}, {DONE})
        told = [each.public_score for each in ended]
        self.assertEqual(told, sorted(told))
        self.assertLess(len(set(told)), len(told) / 2, told)
        self.assertEqual({each.result.points for each in ended} - {0, 1_000_000}, set())

    def test_08_own_data_cannot_be_brought_and_common_rows_are_told_to_staff_only(self):
        lines = tables()["training"].splitlines(keepends=True)
        leaky = b"".join([*lines, *tables()["sealed"].splitlines(keepends=True)[1:40]])
        mine = self.course.upload(self.ann, leaky).name
        for spec in (dict(test_dataset=mine), dict(part_column="x")):
            message = c.spec.TrainingSpec(split=c.spec.SplitSpec(**spec)) if "part_column" in spec else c.spec.TrainingSpec(**spec)
            self.refused(lambda: self.course.submit(self.ann, "hw", spec=message), "INVALID_ARGUMENT", reason="INVALID_SPEC")
        training = self.course.upload(self.teacher, leaky).name
        published = self.course.publish("hw-leaky", training_dataset=training)
        self.assertTrue(any("39 rows" in warning for warning in published.warnings), published.warnings)
        seen = self.ann.courses.GetAssignment(name=a("hw-leaky"))
        self.assertEqual((list(seen.warnings), seen.sealed_dataset), ([], ""))

    def test_09_four_hundred_draws_are_one(self):
        before = self.standing(self.ann, "hw").attempts_left
        answers = set()
        for i in range(400):
            spec = c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=4)], optimizer=c.spec.OptimizerSpec(
                learning_rate=0.001 + i * 1e-10, beta1=0.9 + i * 1e-9))
            answers.add(self.course.submit(self.ann, "hw", spec=spec).name)
        self.assertEqual(answers, {self.graded.name})
        self.assertEqual(self.standing(self.ann, "hw").attempts_left, before)
        for spec in (dict(seed=7), dict(seed_count=9), dict(threads=2), dict(target_column="site"),
                     dict(split=c.spec.SplitSpec(test_fraction=0)), dict(initial_model="models/x"), dict(max_steps=5)):
            refused = self.refused(lambda: self.course.submit(self.ann, "hw", spec=c.spec.TrainingSpec(**spec)),
                                   "INVALID_ARGUMENT", reason="INVALID_SPEC")
            self.assertIn(f"spec.{next(iter(spec))}", refused.said())

    def test_10_accounts_that_pool_share_a_limit(self):
        self.course.publish("hw-pool", leak_limits=c.course.LeakLimits(student_bits_max=-1, class_bits_max=30))
        first, second = self.course.graded(self.ann, "hw-pool", 4), self.course.graded(self.bob, "hw-pool", 5)
        self.assertEqual((first.withheld, second.withheld, second.HasField("result")), (False, True, False))
        report = self.teacher.submissions.GetIntegrityReport(assignment=a("hw-pool"))
        self.assertLessEqual(report.class_millibits, 30_000)
        self.forbidden(lambda: self.course.submit(self.eve, "hw-pool"))  # not in the roster
        self.forbidden(lambda: self.course.submit(self.course.people["vic"], "hw-pool"))

    def test_12_the_clock_is_the_servers(self):
        request = c.submission.CreateSubmissionRequest(assignment=a("hw"), spec=c.spec.TrainingSpec(
            layers=[c.spec.LayerSpec(units=7)]), source=c.submission.SubmissionSource(commit="1999-01-01T00:00:00Z"))
        early = unknown_field(55, b"2020-01-01") + unknown_field(500, b"\x08\x01")
        begin = time.time_ns()
        answer = self.ann.raw("SubmissionService", "CreateSubmission", request.SerializeToString() + early)
        submission = c.submission.Submission.FromString(answer)
        self.assertTrue(begin <= submission.accepted_at.ToNanoseconds() <= time.time_ns())
        self.course.wait(self.ann, submission.name)
        self.course.publish("hw-clock", seed_count=1)
        graded = self.course.graded(self.ann, "hw-clock")
        regrade = self.teacher.submissions.CreateRegrade(assignment=a("hw-clock")).name
        eventually(lambda: self.teacher.submissions.GetRegrade(name=regrade).submissions_done == 1, "a regrade")
        self.forbidden(lambda: self.ann.submissions.ApplyRegrade(name=regrade, mode=2))
        self.teacher.submissions.ApplyRegrade(name=regrade, mode=c.submission.REGRADE_MODE_REPLACE)
        after = self.ann.submissions.GetSubmission(name=graded.name)
        self.assertEqual((after.accepted_at, after.canonical_spec), (graded.accepted_at, graded.canonical_spec))
        # Closed now: neither another spec nor another choice.
        self.course.publish("hw-clock", seed_count=1, closes=moscow(-60))
        for call in (lambda: self.course.submit(self.ann, "hw-clock", units=9),
                     lambda: self.ann.submissions.NominateSubmission(name=graded.name)):
            self.refused(call, "FAILED_PRECONDITION", reason="ASSIGNMENT_CLOSED")

    def test_13_nobody_becomes_another(self):
        for call in (lambda: self.ann.auths.CreateUser(user_id="bob-2", user=c.auth.User(role=c.auth.USER_ROLE_ADMIN)),
                     lambda: self.ann.auths.UpdateUser(user=c.auth.User(name="users/ann", role=c.auth.USER_ROLE_ADMIN),
                                                       update_mask={"paths": ["role"]}),
                     lambda: self.ann.auths.CreateToken(user="users/bob"), lambda: self.ann.auths.ListTokens(user="users/bob"),
                     lambda: self.ann.auths.RevokeToken(name=f"tokens/{self.bob.token_id}"),
                     lambda: self.ann.auths.GetUser(name="users/bob"), lambda: self.ann.auths.ListUsers(),
                     lambda: self.ann.courses.UpdateRoster(course=COURSE, enrolments=[
                         c.course.Enrolment(user="ann", role=c.course.COURSE_ROLE_INSTRUCTOR)]),
                     lambda: self.ann.courses.CreateCourse(course=c.course.Course(name="courses/mine"))):
            self.forbidden(call)
        self.refused(lambda: self.root.auths.CreateUser(user_id="ann", user=c.auth.User(role=c.auth.USER_ROLE_STUDENT)),
                     "ALREADY_EXISTS")
        # Names are no keys: a namesake, and an id that ends in digits, have rows of their own.
        course = "courses/names"
        self.teacher.courses.CreateCourse(course=c.course.Course(name=course))
        for user in ("ivan", "ivan-2004"):
            self.root.auths.CreateUser(user_id=user, user=c.auth.User(role=c.auth.USER_ROLE_STUDENT))
        roster = self.teacher.courses.UpdateRoster(course=course, enrolments=[
            c.course.Enrolment(user=user, role=c.course.COURSE_ROLE_STUDENT, full_name="Иван Петров") for user in ("ivan", "ivan-2004")])
        self.assertTrue(roster.warnings)
        self.teacher.grades.RecordMarks(course=course, exams=[c.course_event.ExamMark(student="ivan", exam="exam3", hundredths=1000)])
        rows = self.teacher.grades.GetGradebook(course=course).rows
        self.assertEqual({row.student: row.exam_hundredths for row in rows}, {"ivan": 100, "ivan-2004": 0})
        self.refused(lambda: self.teacher.grades.RecordMarks(course=course, exams=[
            c.course_event.ExamMark(student="Иван Петров", exam="exam3", hundredths=1000)]), "INVALID_ARGUMENT")

    def test_14_floods_are_refused_and_harm_nobody_else(self):
        before = self.standing(self.ann, "hw").attempts_left
        layer = c.spec.LayerSpec(units=4)
        huge = (c.spec.TrainingSpec(layers=[layer] * 10_000), c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=65_536)] * 64),
                c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=1_000)]), c.spec.TrainingSpec(layers=[layer], epochs=200_000),
                c.spec.TrainingSpec(feature_columns=["x" * 1000] * 2000))
        for spec in huge:
            self.refused(lambda: self.course.submit(self.ann, "hw", spec=spec), "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")
        self.assertEqual(self.standing(self.ann, "hw").attempts_left, before)
        self.refused(lambda: self.ann.raw("SubmissionService", "CreateSubmission", b"\x0a" + b"\xff\xff\xff\x04" + b"x" * (9 << 20)),
                     "RESOURCE_EXHAUSTED")
        # More than the queue takes of one student.
        self.course.publish("hw-queue", attempts=c.course.AttemptLimits(burst=1000, queued_max=3))
        outcomes = []
        for units in range(1, 60):
            try:
                outcomes.append(self.course.submit(self.bob, "hw-queue", spec=c.spec.TrainingSpec(
                    layers=[c.spec.LayerSpec(units=units)], epochs=200)).name)
            except Refused as refused:
                outcomes.append(refused.reason)
        self.assertIn("QUEUE_FULL", outcomes)
        for name in outcomes:
            if name.startswith("courses/"):
                self.try_anything(lambda: self.bob.submissions.CancelSubmission(name=name))
        # And attempts of one who has time.
        self.course.publish("hw-few", seed_count=1, attempts=c.course.AttemptLimits(burst=2))
        for units in (2, 3):
            self.course.graded(self.bob, "hw-few", units)
        exhausted = self.refused(lambda: self.course.submit(self.bob, "hw-few", 4), "RESOURCE_EXHAUSTED", reason="ATTEMPTS_EXHAUSTED")
        self.assertGreater(exhausted.retry_seconds(), 3600)

    def test_14_a_caller_in_a_loop_is_slowed_down_alone(self):
        folder = self.folder / "flood"
        folder.mkdir()
        course = GradedCourse(folder, options=("--rate-limit", "20"), workers=0)
        self.addCleanup(course.close)
        codes = []
        for _ in range(400):
            try:
                course.eve.auths.WhoAmI()
                codes.append("OK")
            except Refused as refused:
                codes.append(refused.reason)
        self.assertEqual(set(codes), {"OK", "RATE_LIMITED"})
        self.assertEqual(course.ann.auths.WhoAmI().user, "users/ann")

    def test_15_specs_that_are_attacks(self):
        optimizer, layers = c.spec.OptimizerSpec, [c.spec.LayerSpec(units=4)]
        numbers = (float("nan"), float("inf"), -float("inf"), -1.0, 1e308)
        specs = [c.spec.TrainingSpec(layers=layers, optimizer=optimizer(learning_rate=value)) for value in numbers[:4]]
        specs += [c.spec.TrainingSpec(layers=layers, optimizer=optimizer(beta1=value)) for value in numbers]
        specs += [c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=units)]) for units in (0, -1, 2**31 - 1, -2**31)]
        specs += [c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=65_536)] * 3), c.spec.TrainingSpec(layers=[
            c.spec.LayerSpec(units=4, dropout=float("nan"))]), c.spec.TrainingSpec(layers=layers, epochs=-2**31),
            c.spec.TrainingSpec(layers=layers, batch_size=2**31 - 1, epochs=2**31 - 1), c.spec.TrainingSpec(layers=[
                c.spec.LayerSpec(units=4, activation=99)])]
        for spec in specs:
            self.refused(lambda: self.course.submit(self.ann, "hw", spec=spec), "INVALID_ARGUMENT", reason="INVALID_SPEC")
        deep = b"\x0b" * 5000 + b"\x0c" * 5000  # groups in groups
        for data in (deep, b"\xff" * 100, b"\x12\xff\xff\xff\xff\x7f", unknown_field(2, unknown_field(5, b"\x08" * 9))):
            self.refused(lambda: self.ann.raw("SubmissionService", "CreateSubmission", data))

    def test_15_spec_files_that_are_attacks(self):
        files = {"deep": "[" * 20_000, "deep map": "{a: " * 20_000, "laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{y}: &{y} [{','.join(['*' + x] * 9)}]\n" for x, y in zip("abcdefghi", "bcdefghij")), "big": "layers: [" + "{units: 4}," * 100_000 + "]",
            "tag": "!!python/object/apply:os.system ['true']\n", "binary": "\x00\x01\x02"}
        for what, text in files.items():
            path = self.folder / "attack.yaml"
            path.write_text(text)
            code, said = self.course.cli(self.ann, "submit", "--assignment", "dl/hw", "--spec", path)
            self.assertIn(code, (1, 2), f"{what}: {said[:500]}")

    def test_15_names_are_no_paths(self):
        """Every field of every request that names something, of every rpc."""
        odd = ["../../../../etc/passwd", "datasets/../../trainyard.db", "datasets/..", "/etc/passwd", "datasets/a/b", "datasets/%2e%2e",
               "courses/dl/../other", f"{COURSE}/assignments/../hw", f"{COURSE}/assignments/hw/submissions/..\\..", "trainingJobs/a\x00b",
               "models/'; DROP TABLE models; --", "users/ann/../root", "tokens/*", "datasets/" + "a" * 100_000, "ДАННЫЕ/１", "."]
        named = ("name", "course", "assignment", "dataset", "verify_dataset", "labels_dataset", "snapshot", "user", "user_id", "id",
                 "page_token", "student", "request_id")
        tried = 0
        for service, methods in SERVICES.items():
            for method, (request, _, client_streams, _) in methods.items():
                fields = [field.name for field in request.DESCRIPTOR.fields if field.name in named and field.message_type is None]
                for field in [] if client_streams else fields:
                    tried += self.try_names(service, method, request, field, odd)
        self.assertGreater(tried, 1000)
        self.refused(lambda: write(self.teacher, "datasets/../../x", b"x"), "INVALID_ARGUMENT", "PERMISSION_DENIED")
        self.assertFalse(list(self.folder.glob("*.csv")) + list(pathlib.Path("/tmp").glob("x")))

    def try_names(self, service, method, request, field, odd):
        for value in odd:
            try:
                self.teacher.call(service, method, [request(**{field: value})])
            except Refused as refused:
                self.assertIn(refused.code, REFUSALS, refused)
            except ValueError:
                pass  # Python does not send what is no text
        return len(odd)

    def test_15_what_is_graded_is_not_the_students_to_touch(self):
        submission = self.course.submit(self.ann, "hw", spec=c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=4)], epochs=150))
        jobs = eventually(lambda: self.ann.submissions.GetSubmission(name=submission.name).training_jobs, "trainings")
        for job in [*jobs, *self.graded.training_jobs]:
            for method in ("CancelTrainingJob", "PauseTrainingJob", "ResumeTrainingJob", "DeleteTrainingJob"):
                self.refused(lambda: getattr(self.ann.jobs, method)(name=job), "FAILED_PRECONDITION", reason="INVALID_STATE")
                self.forbidden(lambda: getattr(self.bob.jobs, method)(name=job))
            self.refused(lambda: self.ann.jobs.SetTrainingJobPriority(name=job, priority=c.job.JOB_PRIORITY_INTERACTIVE),
                         "FAILED_PRECONDITION", reason="INVALID_STATE")
        self.assertEqual(self.course.wait(self.ann, submission.name).state, DONE)
        self.forbidden(lambda: self.bob.models.DeleteModel(name=self.model()))
        for name in self.course.data.values():
            self.forbidden(lambda: self.ann.datasets.DeleteDataset(name=name))
            self.forbidden(lambda: self.ann.datasets.SealDataset(name=name))
            self.forbidden(lambda: write(self.ann, name, b"x"))
            self.refused(lambda: self.teacher.datasets.DeleteDataset(name=name), "FAILED_PRECONDITION", reason="INVALID_STATE")

    def test_16_equal_specs_are_told_to_staff_only(self):
        self.course.publish("hw-copy", seed_count=1)
        first = self.course.graded(self.ann, "hw-copy")
        second = self.course.graded(self.bob, "hw-copy")
        self.assertEqual((second.cached, second.result.points), (True, first.result.points))  # nobody is punished
        report = self.teacher.submissions.GetIntegrityReport(assignment=a("hw-copy"))
        self.assertEqual([sorted(each.submissions) for each in report.identical_specs], [sorted([first.name, second.name])])
        self.forbidden(lambda: self.ann.submissions.GetIntegrityReport(assignment=a("hw-copy")))

    def test_17_staff_change_nothing_in_silence(self):
        # Of its own: what other assignments still grade by is not revealed.
        table = tables(300)["sealed"]
        copy, sealed = self.course.upload(self.root, table, "open copy"), self.course.upload(self.teacher, table, "promised").name
        self.teacher.datasets.SealDataset(name=sealed)
        promised = self.course.publish("hw-promise", sealed_dataset=sealed, closes=moscow(3600), due=moscow(1800))
        seen = self.ann.courses.GetAssignment(name=a("hw-promise"))
        self.assertEqual([each.commitment for each in seen.commitments], [each.commitment for each in promised.commitments])
        self.assertFalse(any(each.salt or each.table_digest or each.row_count for each in seen.commitments))
        self.refused(lambda: self.teacher.courses.RevealCommitments(name=a("hw-promise")), "FAILED_PRECONDITION")
        # The data cannot be exchanged under its name, and another version is another promise.
        for call in (lambda: write(self.teacher, sealed, b"x"), lambda: self.teacher.datasets.DeleteDataset(name=sealed),
                     lambda: self.teacher.datasets.FinalizeDataset(name=sealed, csv=c.dataset.CsvOptions(bad_rows_max=7))):
            self.refused(call, "FAILED_PRECONDITION", reason="INVALID_STATE")
        self.course.publish("hw-promise", sealed_dataset=sealed, closes=moscow(-60), due=moscow(-120))
        first = self.ann.courses.GetAssignment(name=a("hw-promise"), version=1)
        self.assertEqual([each.commitment for each in first.commitments], [each.commitment for each in promised.commitments])
        self.teacher.courses.RevealCommitments(name=a("hw-promise"))
        for version in (1, 2):
            self.check_commitments(self.ann.courses.GetAssignment(name=a("hw-promise"), version=version), copy)
        self.forbidden(lambda: self.tutor.grades.CreateAdjustment(course=COURSE, adjustment=c.course_event.Adjustment(
            student="ann", kind=c.course_event.Adjustment.FINAL, final_hundredths=1000, reason="a favour")))
        self.tutor.grades.CreateAdjustment(course=COURSE, adjustment=c.course_event.Adjustment(
            student="bob", assignment="hw", kind=c.course_event.Adjustment.ADD, points=1, reason="a correction"))
        self.check_audit()

    def check_commitments(self, assignment, copy):
        """As a student who kept the promise checks it; `copy` has the sealed rows."""
        for each in assignment.commitments:
            text = f"trainyard-dataset-commitment-v1\n{each.table_digest}\n{each.row_count}\n"
            self.assertEqual(hmac.new(bytes.fromhex(each.salt), text.encode(), hashlib.sha256).hexdigest(), each.commitment, each)
        sealed = next(each for each in assignment.commitments if each.role == "sealed")
        self.assertEqual((sealed.table_digest, sealed.row_count), (copy.table_digest, copy.row_count))

    def check_audit(self):
        entries = self.root.auths.ListAuditEntries(page_size=10_000).entries
        done = {(entry.principal, entry.method.rpartition("/")[2], entry.code) for entry in entries}
        for action in (("teacher", "PublishAssignment", "OK"), ("teacher", "SealDataset", "OK"), ("teacher", "RevealCommitments", "OK"),
                       ("tutor", "CreateAdjustment", "OK"), ("tutor", "CreateAdjustment", "PermissionDenied")):
            self.assertIn(action, done)
        self.assertEqual(self.course.cli(self.root, "audit", "verify")[0], 0)
        self.forbidden(lambda: self.teacher.auths.ListAuditEntries())

    def test_18_a_student_sees_one_row_and_no_names(self):
        book = self.ann.grades.GetGradebook(course=COURSE, explain=True)
        self.assertEqual([row.student for row in book.rows], ["ann"])
        self.assertNotIn("bob", str(book))
        others = (self.ann, self.eve, self.course.people["vic"])
        for call in ("courses.GetRoster", "grades.ListCourseEvents", "grades.ListAdjustments", "grades.ListSnapshots",
                     "grades.ListDeliveries", "grades.DiffSnapshot"):
            for who in others:
                service, method = call.split(".")
                self.forbidden(lambda: getattr(getattr(who, service), method)(course=COURSE))
        for who in others:
            self.forbidden(lambda: who.grades.ExportGradebook(course=COURSE, format=c.grades.GRADEBOOK_FORMAT_JSON))
        for who in others[1:]:
            self.forbidden(lambda: who.grades.GetGradebook(course=COURSE))
        self.course.publish("hw-board", seed_count=1)
        self.course.graded(self.ann, "hw-board"), self.course.graded(self.bob, "hw-board", 5)
        boards = [self.bob.submissions.GetLeaderboard(assignment=a(name)) for name in ("hw", "hw-board")]
        for board in boards:
            self.assertTrue(board.entries)
            self.assertNotRegex(str(board), r"\b(ann|bob)\b")
        pseudonyms = [{entry.pseudonym for entry in board.entries} for board in boards]
        self.assertFalse(pseudonyms[0] & pseudonyms[1])
        self.forbidden(lambda: self.eve.submissions.GetLeaderboard(assignment=a("hw")))

    def test_19_names_are_no_formulas(self):
        course, names = "courses/sheets", ['=HYPERLINK("http://x","y")', "+1+1", "-2+3", "@SUM(A1)", "<script>alert(1)</script>",
                                           'a","b', "\t=1"]
        self.teacher.courses.CreateCourse(course=c.course.Course(name=course))
        for i, name in enumerate(names):
            self.root.auths.CreateUser(user_id=f"s{i}", user=c.auth.User(role=c.auth.USER_ROLE_STUDENT))
        for odd in ("a\nb", "a\x1bb", names[6]):
            self.refused(lambda: self.teacher.courses.UpdateRoster(course=course, enrolments=[
                c.course.Enrolment(user="s0", role=c.course.COURSE_ROLE_STUDENT, full_name=odd)]), "INVALID_ARGUMENT")
        self.teacher.courses.UpdateRoster(course=course, enrolments=[
            c.course.Enrolment(user=f"s{i}", role=c.course.COURSE_ROLE_STUDENT, full_name=name, programme=name, group=name,
                               external=c.course.ExternalIds(canvas_id=name, sis_user_id=name, sis_login_id=name, section=name, email=name))
            for i, name in enumerate(names[:6])])
        cells = set()
        for file_format in ("HSE_CSV", "MOODLE_CSV", "CANVAS_CSV", "NBGRADER_CSV"):
            exported = self.teacher.grades.ExportGradebook(
                course=course, format=c.grades.GradebookFormat.Value(f"GRADEBOOK_FORMAT_{file_format}"))
            text = exported.document.decode("utf-8-sig")
            for record in csv.reader(io.StringIO(text, newline="")):
                cells.update(record)
        self.assertIn('\'=HYPERLINK("http://x","y")', cells)
        self.assertFalse([cell for cell in cells if cell[:1] in ("=", "+", "@", "\t", "\r") or re.match(r"-(?!\d+(\.\d+)?$)", cell)], cells)

    def test_20_what_was_delivered_is_not_delivered_again(self):
        """The hook's answer is lost, so it is told once more: the same id, the same bytes, and its page counts it once."""
        # A target that is set anew is told what was told before, too.
        known = [each.name.rsplit("/", 1)[1] for each in self.teacher.courses.ListAssignments(course=COURSE).assignments]
        hook = self.hook("lost", homeworks=[*known, "hw-a"])
        self.teacher.grades.SetDeliveryTarget(course=COURSE, secret="a secret", target=c.course_event.DeliveryTarget(
            kind=c.course_event.DeliveryTarget.CHECK_RUN, url=f"{hook}/hook", repository_prefix="fintech-dl-hse-"))
        self.addCleanup(lambda: self.teacher.grades.SetDeliveryTarget(course=COURSE, target=c.course_event.DeliveryTarget(
            kind=c.course_event.DeliveryTarget.CHECK_RUN)))
        self.course.publish("hw-a", seed_count=1)
        graded = self.course.graded(self.ann, "hw-a")
        def deliveries():
            return self.teacher.grades.ListDeliveries(course=COURSE).deliveries

        eventually(lambda: all(each.state != c.grades.Delivery.WAITING for each in deliveries()), "the end of all deliveries", 60)
        delivered = [each for each in deliveries() if each.submission == graded.name]
        rows = [json.loads(line) for line in self.get(f"{hook}/log").splitlines()]
        bodies, twice = {}, []
        for row in rows:
            twice += [row["delivery"]] * (row["delivery"] in bodies)
            self.assertEqual(bodies.setdefault(row["delivery"], row["body"]), row["body"])
        self.assertEqual(twice, [rows[0]["delivery"]])
        self.assertIn(f"ann hw-a {graded.result.points}", self.get(f"{hook}/page").splitlines())
        self.refused(lambda: self.teacher.grades.RetryDelivery(course=COURSE, id=delivered[0].id), "FAILED_PRECONDITION")
        # Who replays it with other points has no signature for them.
        forged = bodies[delivered[0].id].replace(str(graded.result.points), "1000000", 1).encode()
        signature = "sha256=" + hmac.new(b"guessed", forged, hashlib.sha256).hexdigest()
        request = urllib.request.Request(f"{hook}/hook", forged, {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "x"})
        with self.assertRaises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(request, timeout=10)
        self.assertEqual(answer.exception.code, 404)
        self.assertNotIn("a secret", str(self.teacher.grades.ListCourseEvents(course=COURSE)) + self.course.server.log())

    def hook(self, *behaviours, homeworks):
        port = self.folder / "hook.port"
        process = subprocess.Popen([sys.executable, HOOK, port, "a secret", *behaviours], stdin=subprocess.PIPE,
                                   env={**os.environ, "HOOK_HOMEWORKS": ",".join(homeworks)})
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        eventually(port.exists, "the hook")
        return f"http://127.0.0.1:{port.read_text()}"

    @staticmethod
    def get(url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    def test_20_a_token_that_ended_is_worth_nothing(self):
        stolen = self.course.caller("ann")
        self.addCleanup(stolen.close)
        self.assertEqual(stolen.auths.WhoAmI().user, "users/ann")
        self.ann.auths.RevokeToken(name=f"tokens/{stolen.token_id}")
        self.refused(lambda: stolen.auths.WhoAmI(), "UNAUTHENTICATED", reason="UNAUTHENTICATED")
        head, secret = stolen.bearer.rsplit("_", 1)
        for bearer in (f"{head}_{'0' * 64}", self.ann.bearer[:-1] + ("0" if self.ann.bearer[-1] != "0" else "1"), "x" * 4_000,
                       f"ty_{self.bob.token_id}_{self.ann.bearer.rsplit('_', 1)[1]}"):
            liar = Caller(self.course.server.address, bearer)
            self.addCleanup(liar.close)
            self.refused(lambda: liar.auths.WhoAmI(), "UNAUTHENTICATED")
        self.assertNotIn(secret, self.course.server.log())
        # A request that is replayed under its id is the one that was made.
        request_id = str(uuid.uuid4())
        first = self.course.submit(self.ann, "hw", 11, request_id=request_id)
        self.addCleanup(self.course.wait, self.ann, first.name)
        self.assertEqual(self.course.submit(self.ann, "hw", 11, request_id=request_id).name, first.name)
        self.refused(lambda: self.course.submit(self.ann, "hw", 8, request_id=request_id), "INVALID_ARGUMENT", reason="REQUEST_ID_REUSED")

    def test_21_the_machine_is_written_down_and_a_replay_has_the_same_bits(self):
        self.course.publish("hw-bits", seed_count=2, replay_fraction=1)
        graded = self.course.graded(self.ann, "hw-bits")
        engine = json.loads(self.receipt(self.ann, graded.name))["engine"]
        self.assertEqual((engine["threads"], engine["deterministic"]), (1, True))
        self.assertTrue(engine["build"] and engine["isa"] and engine["onednn_version"] and engine["cpu_family"])
        report = eventually(lambda: (lambda told: told if told.replays else None)(
            self.teacher.submissions.GetIntegrityReport(assignment=a("hw-bits"))), "a replay")
        self.assertEqual((report.replays, report.replay_mismatches), (1, 0))

    @staticmethod
    def try_anything(call):
        try:
            call()
        except Refused:
            pass  # it ended in between


if __name__ == "__main__":
    unittest.main()

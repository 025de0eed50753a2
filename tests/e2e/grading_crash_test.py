"""kill -9 while submissions are accepted, trained, evaluated and sent: each is graded once, with the points it would have had anyway."""

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest

import grpc

from support import contract as c
from support.case import Case, WDBC, eventually
from support.classroom import DONE, Classroom, new_submission, thirds
from support.client import Client
from support.hook import Hook
from support.receipts import digest, holds
from support.server import BIN, Server

HOMEWORK = "hw-a"  # one that the fake hook's page knows
STUDENTS = ("ann", "bob", "cyd", "dan")
SUBMISSIONS = 3
KILLS_MIN = 12
SECRET = "hush"
# Checkpoints come so often because a training of which three attempts in a row are lost without one is given up, as it should be.
OPTIONS = ("--checkpoint-interval", "10ms", "--log-level", "error")
PAUSE_SECONDS_MAX = 0.5
# For the evaluation of some submission to begin, before a kill that is to meet one.
EVALUATING_SECONDS = 3


def specs_of(student):
    """What a student submits, in this order: another network each time."""
    number = STUDENTS.index(student)
    return [c.spec.TrainingSpec(epochs=60 + 10 * number + turn, layers=[c.spec.LayerSpec(units=96 + 16 * turn)] * 2)
            for turn in range(SUBMISSIONS)]


class GradingCrashTest(Case):
    def setUp(self):
        super().setUp()
        self.random = random.Random(7)
        self.make_course()

    def make_course(self):
        """One data directory twice: seeds depend on the server's secret, which is in it."""
        self.server = Server(self.folder / "data", workers=2, options=OPTIONS)
        with self.server:
            self.room = Classroom(self.server, STUDENTS)
            self.addCleanup(lambda: self.room.connection.close())
            self.room.publish(HOMEWORK, self.room.upload(thirds(WDBC.read_text())),
                              c.spec.TrainingSpec(target_column="diagnosis", batch_size=16), seed_count=2)
            self.server.stop()
        shutil.copytree(self.folder / "data", self.folder / "reference")

    def again(self, user, call):
        """A call that may meet a server that is just being killed: repeated until it is answered."""
        while True:
            try:
                with Client(self.room.server.address, self.room.tokens[user]) as client:
                    return call(client)
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    raise
                time.sleep(0.05)

    def hand_in(self, student):
        """All that a student submits, one after the other, each as soon as the one before it was accepted."""
        for spec in specs_of(student):
            request = new_submission(HOMEWORK, spec)
            self.accepted.append(self.again(student, lambda client, request=request: client.submissions.CreateSubmission(
                request, timeout=60)))
            time.sleep(self.random.random())

    def rush(self):
        """Starts everybody; returns the threads."""
        self.accepted = []
        threads = [threading.Thread(target=self.hand_in, args=(student,)) for student in STUDENTS]
        for thread in threads:
            thread.start()
        return threads

    def states(self):
        request = c.submission.ListSubmissionsRequest(assignment=f"courses/dl/assignments/{HOMEWORK}", page_size=1000)
        return [each.state for each in self.again("teacher", lambda client: client.submissions.ListSubmissions(
            request, timeout=60)).submissions]

    def all_done(self):
        states = self.states()
        return len(states) == len(STUDENTS) * SUBMISSIONS and all(
            state >= c.submission.SUBMISSION_STATE_DONE for state in states)

    def results(self):
        """{(student, digest of the spec): what it came to}, with the bits of every seed's model."""
        results = {}
        for each in self.room.list(HOMEWORK):
            self.assertEqual(each.state, DONE, each)
            receipt = json.loads(self.room.receipt("teacher", each.name, staff_copy=True))
            results[each.student, each.spec_digest] = (each.result.SerializeToString(deterministic=True), each.public_score,
                                                       each.public_improved, receipt["runs"])
        return results

    def grades(self):
        return {row.student: (row.final_hundredths, [(work.points, work.centipoints) for work in row.homeworks])
                for row in self.room.gradebook().rows}

    def undisturbed(self):
        with Server(self.folder / "reference", workers=2, options=OPTIONS) as server:
            self.room.server = server
            self.room.reconnect()
            for thread in self.rush():
                thread.join()
            eventually(self.all_done, "all are graded", 120)
            return self.results(), self.grades()

    def test_every_submission_is_graded_once_whatever_is_killed(self):
        results, grades = self.undisturbed()
        with Hook(self.folder, SECRET, "503", "lost") as hook, self.server:
            self.room.server = self.server
            self.room.reconnect()
            self.room.deliver_to(hook.url, SECRET)
            self.kill_while(self.rush())
            self.room.reconnect()
            self.assertEqual(self.results(), results)
            self.assertEqual(self.grades(), grades)
            self.check_accepted()
            self.check_receipts()
            self.check_deliveries(hook)
            self.check_audit()
            self.server.stop()

    def kill_while(self, threads):
        kills = 0
        while kills < KILLS_MIN and not (kills > 0 and self.all_done()):
            if kills % 3 == 2:
                self.await_evaluation()
            else:
                time.sleep(self.random.random() * PAUSE_SECONDS_MAX)
            self.kill(("server", "worker", "both")[kills % 3])
            kills += 1
        for thread in threads:
            thread.join()
        eventually(self.all_done, "all are graded", 180)
        # Fewer would have met nothing but the beginning.
        self.assertGreaterEqual(kills, KILLS_MIN // 2, "the work was done too early; make specs_of longer")

    def await_evaluation(self):
        deadline = time.monotonic() + EVALUATING_SECONDS
        while time.monotonic() < deadline and c.submission.SUBMISSION_STATE_EVALUATING not in self.states():
            time.sleep(0.005)

    def kill(self, what):
        pids = self.server.worker_pids()
        if what != "server" and pids:
            try:
                os.kill(self.random.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass  # it went by itself meanwhile
        if what != "worker":
            self.server.kill()
            self.server.start()

    def graded(self):
        return [event.submission_graded for event in self.room.events() if event.HasField("submission_graded")]

    def check_accepted(self):
        """What was acknowledged is there, once, and came when it came."""
        listed = {each.name: each for each in self.room.list(HOMEWORK)}
        names = [each.name for each in self.accepted]
        self.assertEqual(len(names), len(STUDENTS) * SUBMISSIONS)
        self.assertEqual(sorted(names), sorted(listed))
        self.assertEqual(sorted(names), sorted(event.submission for event in self.graded()))
        for each in self.accepted:
            self.assertEqual(listed[each.name].accepted_at, each.accepted_at)
        for event in self.graded():
            self.assertEqual(event.accepted_at, listed[event.submission].accepted_at)
        for student in STUDENTS:
            standing = self.room.clients[student].submissions.GetStanding(c.submission.GetStandingRequest(
                assignment=f"courses/dl/assignments/{HOMEWORK}"), timeout=60)
            self.assertEqual(standing.attempts_left, 5 - SUBMISSIONS)

    def check_receipts(self):
        """Signed, and a chain in the order of the gradebook's events."""
        key = self.room.teacher.submissions.GetSigningKey(c.submission.GetSigningKeyRequest(), timeout=60).public_key
        accepted = {each.name: each for each in self.accepted}
        previous = ""
        for event in self.graded():
            staff = self.room.receipt("teacher", event.submission, staff_copy=True)
            self.assertEqual(json.loads(staff)["previous"], previous)
            self.assertEqual(digest(staff), event.receipt_digest)
            previous = event.receipt_digest
            student = self.room.receipt(event.student, event.submission)
            for document in (staff, student):
                self.assertTrue(holds(document, key), document)
                at = accepted[event.submission].accepted_at.ToDatetime().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                self.assertEqual(json.loads(document)["accepted_at"], at)

    def check_deliveries(self, hook):
        """Each submission that counted when it was graded was delivered, at least once, always as the same bytes under the same id."""
        delivered = c.grades.Delivery.DELIVERED
        eventually(lambda: all(each.state == delivered for each in self.room.deliveries()), "all are delivered", 60)
        deliveries = {each.id: each for each in self.room.deliveries()}
        # The homework has sealed data: of it only runs that are the best by public score, the later of equal ones, are told.
        counted, best_rank = [], {}
        for event in self.graded():
            if event.public_rank >= best_rank.get(event.student, event.public_rank):
                best_rank[event.student] = event.public_rank
                counted.append(event.submission)
        self.assertEqual(sorted(each.submission for each in deliveries.values()), sorted(counted))
        bodies = {}
        for row in hook.rows():
            self.assertEqual(bodies.setdefault(row["delivery"], row["body"]), row["body"])
        self.assertEqual(bodies, {name: each.document for name, each in deliveries.items()})
        best = {}
        for each in self.room.list(HOMEWORK):
            if each.name in counted:
                best[each.student, HOMEWORK] = max(best.get((each.student, HOMEWORK), 0), each.result.points)
        self.assertEqual(hook.page(), best)

    def check_audit(self):
        run = subprocess.run([BIN / "trainyard", "--server", self.server.address, "audit", "verify"], capture_output=True,
                             text=True, timeout=60, env={**os.environ, "TRAINYARD_TOKEN": self.room.tokens["root"]})
        self.assertEqual(run.returncode, 0, run.stderr)


if __name__ == "__main__":
    unittest.main()

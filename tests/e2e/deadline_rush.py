"""A class before a deadline; see deadline_rush.sh.

Every student has a user, a token and specs of his own, submits when his time has come, and waits with WaitSubmission as the command
line does. What is reported:

  submit_ms       how long CreateSubmission took, at the client
  queue_wait_s    from acceptance to the beginning of the first training, by the server's clock
  grade_s         from acceptance to the end, by the server's clock
  notice_ms       from the end to the client's answer of WaitSubmission (same machine, same clock)
  fairness        of the students' first results. The delay of a student is from the first acceptance to the first
                  result. Jain's index (Σx)² / (n Σx²) is 1 when all x are equal and 1/n when one has all. It is of what people are
                  given, so `rate` takes x = 1 / delay; `delay` takes the delays themselves, as papers about waiting do. Both mix the
                  service's fairness with the hour: who comes when the backlog is long waits longer under any order. `peers` takes
                  that out: students are sorted by when they came, in groups of ten neighbours, and the mean of their groups' indices
                  of delays is reported. It asks whether who comes at the same time waits equally long.
  cached_ms       a spec that is known already, after the rush: from the call to the answer with the points
"""

import argparse
import json
import math
import os
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time

import grpc
import numpy

from support import contract as c
from support.case import eventually
from support.classroom import DONE, Classroom
from support.client import DEADLINE_SECONDS
from support.receipts import holds
from support.server import Server

HOMEWORK, WARM_UP = "hw-rush", "hw-warm"
CLASSES = 10
# How far apart classes are, in deviations of the noise, whatever the number of features: a network makes mistakes, and learns.
DISTANCE = 4
PEERS = 10
# In millionths. Every submission has its own, in the four digits that count.
LEARNING_RATES = range(1000, 10000)
CACHED_MEASURED = 20
BURST = 1000
# Chance gives none; below this the data was not learned.
POINTS_MEDIAN_MIN = 20
# Submissions that are late by more than this show that the load generator is what is slow.
LATE_SECONDS = 2
DRAIN_SECONDS = 3 * 3600


def tables(options):
    """CSV of training, public and sealed rows: pixels of a class's picture, mixed with noise."""
    rng = numpy.random.default_rng(options.seed)
    noise = 1 / (1 + DISTANCE / math.sqrt(2 * options.features))  # share of it in a pixel
    pictures = rng.integers(0, 256, (CLASSES, options.features))
    header = ",".join([*(f"pixel{i}" for i in range(options.features)), "label"])
    texts = []
    for rows in (options.rows, max(options.rows // 5, 50), max(options.rows // 5, 50)):
        labels = rng.integers(0, CLASSES, rows)
        pixels = (1 - noise) * pictures[labels] + noise * rng.integers(0, 256, (rows, options.features))
        lines = (",".join([*map(str, row), f"c{label}"]) for row, label in zip(pixels.astype(int).tolist(), labels))
        texts.append("\n".join([header, *lines]).encode() + b"\n")
    return texts


def arrivals(options, rng):
    """Seconds after the start, one for each submission, in order."""
    count, length = options.students * options.submissions, 60 * options.minutes
    if options.arrivals == "together":
        return [0.0] * count
    # Growing: the density of arrivals is proportional to the time since the start.
    shape = 0.5 if options.arrivals == "growing" else 1
    return sorted(length * rng.random() ** shape for _ in range(count))


def percentiles(values, scale=1.0, digits=3):
    ordered = sorted(values)

    def at(share):
        return round(scale * ordered[min(int(share * len(ordered)), len(ordered) - 1)], digits)
    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": round(scale * ordered[-1], digits)}


def jain(values):
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values))


def seconds(timestamp):
    return timestamp.ToNanoseconds() / 1e9


class Entry:
    """One submission of one student, from the plan to the answer."""

    def __init__(self, student, number, spec, at):
        self.student, self.number, self.spec, self.at = student, number, spec, at
        self.took = self.late = 0.0
        self.accepted = self.ended = None
        self.answered = 0.0
        self.faults = []


class Rush:
    def __init__(self, server, options):
        self.options = options
        self.random = random.Random(options.seed)
        students = [f"s{i:04}" for i in range(options.students)]
        self.room = Classroom(server, students)
        self.data = tables(options)
        data = self.room.upload(self.data)
        for homework in (WARM_UP, HOMEWORK):
            self.room.publish(
                homework, data, self.base_spec(), seed_count=options.seeds,
                score_rule=c.course.ScoreRule(linear=c.course.ScoreRule.Linear(from_value=1 / CLASSES, to_value=1, to_points=100)),
                attempts=c.course.AttemptLimits(burst=BURST, queued_max=max(3, options.submissions)))
        self.plan = self.make_plan(students)
        self.lock = threading.Lock()
        self.waiting = len(self.plan)

    def base_spec(self):
        units = [int(each) for each in self.options.layers.split(",")]
        return c.spec.TrainingSpec(
            target_column="label", layers=[c.spec.LayerSpec(units=each, activation=c.spec.ACTIVATION_RELU) for each in units],
            batch_size=64, epochs=self.options.epochs)

    def make_plan(self, students):
        """Each student's submissions in their order, at times that chance gives them; every spec once."""
        turns = [student for student in students for _ in range(self.options.submissions)]
        self.random.shuffle(turns)
        made = dict.fromkeys(students, 0)
        plan = []
        step = len(LEARNING_RATES) // len(turns)
        for number, (student, at) in enumerate(zip(turns, arrivals(self.options, self.random))):
            spec = c.spec.TrainingSpec(optimizer=c.spec.OptimizerSpec(
                kind=c.spec.OptimizerSpec.ADAM, learning_rate=LEARNING_RATES[number * step] / 1e6))
            plan.append(Entry(student, made[student], spec, at))
            made[student] += 1
        return plan

    def warm_up(self):
        """Grades something, as any server has but on its first day: what is slower the first time is charged to who comes first."""
        submitted = [(entry.student, self.room.submit(entry.student, WARM_UP, entry.spec).name)
                     for entry in self.plan[:2 * self.options.workers]]
        for student, name in submitted:
            self.room.wait(student, name)

    def run(self):
        self.warm_up()
        self.started = time.monotonic()
        threads = [threading.Thread(target=self.submit_share, args=(self.plan[first::8],)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.submitted = time.monotonic()
        eventually(lambda: self.waiting == 0, "every student has an answer", DRAIN_SECONDS)
        self.ended = time.monotonic()

    def submit_share(self, entries):
        for entry in entries:
            time.sleep(max(0.0, self.started + entry.at - time.monotonic()))
            begin = time.monotonic()
            entry.late = begin - self.started - entry.at
            try:
                entry.accepted = self.room.submit(entry.student, HOMEWORK, entry.spec)
            except grpc.RpcError as error:
                entry.faults.append(f"refused: {error.code()}: {error.details()}")
                self.answer(entry)
                continue
            entry.took = time.monotonic() - begin
            self.wait(entry)

    def wait(self, entry):
        request = c.submission.WaitSubmissionRequest(name=entry.accepted.name)
        request.timeout.FromSeconds(3600)
        future = self.room.clients[entry.student].submissions.WaitSubmission.future(request, timeout=DRAIN_SECONDS)
        future.add_done_callback(lambda done: self.waited(entry, done))

    def waited(self, entry, future):
        entry.answered = time.time()
        try:
            entry.ended = future.result()
        except grpc.RpcError as error:
            entry.faults.append(f"not waited for: {error.code()}: {error.details()}")
            return self.answer(entry)
        if not entry.ended.HasField("finish_time"):
            return self.wait(entry)
        self.answer(entry)

    def answer(self, _entry):
        with self.lock:
            self.waiting -= 1

    # What must hold.

    def check(self):
        """Every fault, as a line."""
        faults = [f"{entry.student} #{entry.number}: {fault}" for entry in self.plan for fault in entry.faults]
        listed = self.room.list(HOMEWORK)
        names = {entry.accepted.name: entry for entry in self.plan if entry.accepted is not None}
        if len(names) != len(self.plan):
            faults.append(f"{len(self.plan) - len(names)} submissions are not there, or are one with another")
        faults += [f"{each.name} was not submitted" for each in listed if each.name not in names]
        faults += [f"{name} is lost" for name in set(names) - {each.name for each in listed}]
        graded = [event.submission_graded.submission for event in self.room.events()
                  if event.HasField("submission_graded") and event.submission_graded.assignment == HOMEWORK]
        if sorted(graded) != sorted(names):
            faults.append(f"the gradebook has {len(graded)} results of {len(set(graded))} submissions, not {len(names)}")
        key = self.room.teacher.submissions.GetSigningKey(c.submission.GetSigningKeyRequest(), timeout=60).public_key
        for each in listed:
            if each.name in names:
                faults += [f"{each.name}: {fault}" for fault in self.check_one(names[each.name], each, key)]
        points = statistics.median(each.result.points for each in listed) if listed else 0
        if points < POINTS_MEDIAN_MIN:
            faults.append(f"half of the submissions have at most {points} points")
        return faults + self.check_standings()

    def check_one(self, entry, submission, key):
        faults = []
        if submission.state != DONE:
            return [f"ended as {c.submission.SubmissionState.Name(submission.state)}: {submission.error}"]
        if submission.accepted_at != entry.accepted.accepted_at:
            faults.append("its time of acceptance changed")
        if submission.cached:
            faults.append("was answered from the cache, though it is the only one of its spec")
        if submission.result.max_points != 100:
            faults.append(f"has no points: {submission.result}")
        document = self.room.receipt(entry.student, submission.name)
        receipt = json.loads(document)
        if not holds(document, key):
            faults.append("the signature of its receipt does not hold")
        said = (receipt["submission"], receipt["student"], receipt["result"]["points"], len(receipt["runs"]))
        if said != (submission.name, entry.student, submission.result.points, self.options.seeds):
            faults.append(f"its receipt says {said}")
        return faults

    def check_standings(self):
        faults = []
        for student in self.room.students:
            standing = self.room.clients[student].submissions.GetStanding(c.submission.GetStandingRequest(
                assignment=self.plan[0].accepted.name.rpartition("/submissions/")[0]), timeout=60)
            if standing.attempts_left != BURST - self.options.submissions:
                faults.append(f"{student} has {standing.attempts_left} attempts left")
        return faults

    # What is reported.

    def cached_ms(self):
        """Latencies of specs that others, and that oneself, had graded before."""
        other, own = [], []
        for entry in self.plan[:CACHED_MEASURED]:
            stranger = next(student for student in self.room.students if student != entry.student)
            begin = time.monotonic()
            submission = self.room.submit(stranger, HOMEWORK, entry.spec)
            submission = self.room.wait(stranger, submission.name)
            other.append(time.monotonic() - begin)
            assert submission.cached and submission.result.points == entry.ended.result.points, submission
            begin = time.monotonic()
            again = self.room.submit(entry.student, HOMEWORK, entry.spec)
            own.append(time.monotonic() - begin)
            assert again.name == entry.accepted.name and again.HasField("result"), again
        return {"other_student": percentiles(other, 1e3, 1), "same_student": percentiles(own, 1e3, 1)}

    def queue_waits(self):
        """From acceptance to the first training's start."""
        waits = []
        for entry in self.plan:
            jobs = [self.room.clients[entry.student].job(name) for name in entry.ended.training_jobs]
            waits.append(min(seconds(job.start_time) for job in jobs) - seconds(entry.accepted.accepted_at))
        return waits

    def fairness(self):
        # From the first acceptance to the first result: two that one student submits at the same moment may overtake each other.
        accepted, finished = {}, {}
        for entry in sorted(self.plan, key=lambda entry: seconds(entry.accepted.accepted_at)):
            accepted.setdefault(entry.student, seconds(entry.accepted.accepted_at))  # in the order of their arrival
            finished[entry.student] = min(seconds(entry.ended.finish_time), finished.get(entry.student, math.inf))
        delays = [finished[student] - accepted[student] for student in accepted]
        groups = [delays[at:at + PEERS] for at in range(0, len(delays), PEERS)]
        return {"first_delay_s": percentiles(delays), "jain_delay": round(jain(delays), 4),
                "jain_rate": round(jain([1 / delay for delay in delays]), 4),
                "jain_peers": round(statistics.mean(map(jain, groups)), 4)}

    def report(self):
        points = [entry.ended.result.points for entry in self.plan]
        return {
            **vars(self.options), "trainings": len(self.plan) * self.options.seeds,
            "submit_ms": percentiles([entry.took for entry in self.plan], 1e3, 1),
            "submits_per_s": round(len(self.plan) / max(self.submitted - self.started, 1e-3), 2),
            "late_submits": sum(entry.late > LATE_SECONDS for entry in self.plan),
            "queue_wait_s": percentiles(self.queue_waits()),
            "grade_s": percentiles([seconds(entry.ended.finish_time) - seconds(entry.accepted.accepted_at)
                                    for entry in self.plan]),
            "notice_ms": percentiles([entry.answered - seconds(entry.ended.finish_time) for entry in self.plan], 1e3, 1),
            "wall_s": round(self.ended - self.started, 1),
            "trainings_per_s": round(len(self.plan) * self.options.seeds / (self.ended - self.started), 2),
            "fairness": self.fairness(), "points": {"min": min(points), "median": statistics.median(points), "max": max(points)},
            "cached_ms": self.cached_ms()}


def rush(folder, options):
    """(faults, report)"""
    arguments = ("--log-level", "warning")
    with Server(folder / "data", workers=options.workers, options=arguments) as server:
        each = Rush(server, options)
        with each.room:
            each.run()
            faults = each.check()
            report = {} if faults else each.report()
        server.stop()
    return faults, report


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=300)
    parser.add_argument("--submissions", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--arrivals", choices=("uniform", "growing", "together"), default="growing")
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--features", type=int, default=784)
    parser.add_argument("--layers", default="100,100")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.students < 2 or not 0 < options.students * options.submissions <= len(LEARNING_RATES):
        parser.error(f"students must be at least 2, submissions 1 to {len(LEARNING_RATES)} in all")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ty-", dir="/tmp"))
    try:
        faults, report = rush(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    print(json.dumps({**report, "faults": len(faults)}))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())

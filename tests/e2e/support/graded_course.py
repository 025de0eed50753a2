"""A course on a real server, as attackers meet it: a teacher, a grader, two students, a viewer, somebody who is in no course and somebody
without a token. The sealed table has values that are nowhere else, so that a trace of it is found wherever it is told:

- its column `marker` lies between 7777.12 and 7777.14 and nobody else's does; its column `site` has a place that only it has;
- its number of rows is a prime, so a share of them is no short decimal.
"""

import csv
import datetime
import io
import os
import subprocess
import uuid

from support import contract as c
from support.caller import Caller
from support.case import WDBC
from support.client import CHUNK_BYTES, crc32c
from support.server import BIN, Server

SEALED_ROWS = 1237
MARKER_LOW, MARKER_HIGH = 7777.12, 7777.14
SEALED_SITE = "zanzibar"
COURSE = "courses/dl"
STUDENT, VIEWER, INSTRUCTOR, GRADER = (c.auth.USER_ROLE_STUDENT, c.auth.USER_ROLE_VIEWER, c.auth.USER_ROLE_INSTRUCTOR,
                                       c.auth.USER_ROLE_GRADER)
USERS = {"teacher": INSTRUCTOR, "tutor": GRADER, "ann": STUDENT, "bob": STUDENT, "vic": VIEWER, "eve": STUDENT}
ENROLLED = {"tutor": c.course.COURSE_ROLE_GRADER, "ann": c.course.COURSE_ROLE_STUDENT, "bob": c.course.COURSE_ROLE_STUDENT,
            "vic": c.course.COURSE_ROLE_VIEWER}


def moscow(seconds):
    """`seconds` from now, as assignments have it."""
    zone = datetime.timezone(datetime.timedelta(hours=3))
    return (datetime.datetime.now(zone) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")


def _table(rows):
    with open(WDBC, newline="") as file:
        header, *_ = csv.reader(file)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["marker", "site", *header], *rows])
    return text.getvalue().encode()


def tables(sealed_rows=SEALED_ROWS):
    """CSV of {"training", "public", "sealed"}: rows of wdbc. Of the sealed ones some have a place that no other has, some have none."""
    with open(WDBC, newline="") as file:
        rows = list(csv.reader(file))[1:]
    sites = ("paris", "quito", "riga")
    marked = [[f"{6000.5 + 97 * (i % 31)}", sites[i % 3], *row] for i, row in enumerate(rows)]
    sealed = [[f"{7777.12001 + i * 1e-5:.5f}", SEALED_SITE if i % 7 == 0 else sites[i % 3], *rows[(3 * i + 2) % len(rows)]]
              for i in range(sealed_rows)]
    return {"training": _table(marked[0::2]), "public": _table(marked[1::2]), "sealed": _table(sealed)}


class GradedCourse:
    """Of a running server that is its own; close() ends it."""

    def __init__(self, folder, options=(), heard=None, workers=2):
        self.folder = folder
        self.root_bearer = subprocess.run([BIN / "trainyard-server", "add-admin", "root", "--data-dir", folder / "data"],
                                          capture_output=True, text=True, timeout=60, check=True).stdout.strip()
        self.server = Server(folder / "data", workers=workers, options=("--log-level", "debug", *options))
        self.server.start()
        self.heard = heard
        self.root = Caller(self.server.address, self.root_bearer, "root")
        self.people = {}
        for user, role in USERS.items():
            self.root.auths.CreateUser(user_id=user, user=c.auth.User(role=role))
            self.people[user] = self.caller(user)
        self.people["nobody"] = Caller(self.server.address, "", "nobody", heard)
        self.teacher, self.ann, self.bob, self.eve = (self.people[name] for name in ("teacher", "ann", "bob", "eve"))
        self.data = {}

    def close(self):
        for caller in [self.root, *self.people.values()]:
            caller.close()
        self.server.kill()

    def token(self, user, **fields):
        return self.root.auths.CreateToken(user=f"users/{user}", token=c.auth.Token(**fields)).bearer

    def caller(self, user, **token):
        return Caller(self.server.address, self.token(user, **token), user, self.heard)

    def upload(self, who, data, display_name="", **options):
        """A READY dataset of the caller's."""
        name = who.datasets.CreateDataset(dataset=c.dataset.Dataset(display_name=display_name)).name
        write(who, name, data)
        return who.datasets.FinalizeDataset(name=name, **options)

    def make(self, sealed_rows=SEALED_ROWS):
        """Datasets, course and roster. `data` has the names; `open_copy` is what the tests themselves know of the sealed rows."""
        for role, text in tables(sealed_rows).items():
            self.data[role] = self.upload(self.teacher, text, role).name
        self.open_copy = self.upload(self.root, tables(sealed_rows)["sealed"], "open copy")
        self.teacher.datasets.SealDataset(name=self.data["sealed"])
        self.teacher.courses.CreateCourse(course=c.course.Course(name=COURSE))
        self.teacher.courses.UpdateRoster(course=COURSE, enrolments=[
            c.course.Enrolment(user=user, role=role, full_name=f"Student {user}",
                               external=c.course.ExternalIds(github_login=user)) for user, role in ENROLLED.items()])
        return self

    def assignment(self, name, **changes):
        """Three seeds on all columns, accuracy of the sealed rows, a million points from 0.5 to 1. Not published."""
        fields = dict(
            name=f"{COURSE}/assignments/{name}", max_points=1_000_000, training_dataset=self.data["training"],
            public_dataset=self.data["public"], sealed_dataset=self.data["sealed"], replay_fraction=0,
            base_spec=c.spec.TrainingSpec(target_column="diagnosis", epochs=4, batch_size=16,
                                          layers=[c.spec.LayerSpec(units=4)]),
            spec_rules=[c.course.SpecRule(path=path) for path in ("layers", "optimizer", "epochs", "batch_size")],
            budget=c.course.WorkBudget(parameters_max=5000, epochs_max=200),
            score_rule=c.course.ScoreRule(linear=c.course.ScoreRule.Linear(
                from_value=0.5, to_value=1, to_points=1_000_000)),
            attempts=c.course.AttemptLimits(burst=50, queued_max=20))
        fields.update(changes)
        return c.course.Assignment(**fields)

    def publish(self, name, **changes):
        return self.teacher.courses.PublishAssignment(assignment=self.assignment(name, **changes))

    def submit(self, who, assignment, units=4, **fields):
        spec = fields.pop("spec", None) or c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=units)])
        return who.submissions.CreateSubmission(assignment=f"{COURSE}/assignments/{assignment}", spec=spec,
                                                request_id=fields.pop("request_id", str(uuid.uuid4())), **fields)

    def wait(self, who, name):
        request = c.submission.WaitSubmissionRequest(name=name)
        request.timeout.FromSeconds(50)
        return who.call("SubmissionService", "WaitSubmission", [request])[0]

    def graded(self, who, assignment, units=4, **fields):
        """Submitted, and ended."""
        return self.wait(who, self.submit(who, assignment, units, **fields).name)

    def cli(self, who, *arguments, server=None):
        """(exit code, stdout and stderr) of the command line as somebody."""
        bearer = who.bearer or "ty_000000000000_" + "0" * 64
        run = subprocess.run([BIN / "trainyard", "--server", server or self.server.address, *map(str, arguments)],
                             capture_output=True, text=True, errors="replace", timeout=60, stdin=subprocess.DEVNULL,
                             cwd=self.folder, env={**os.environ, "TRAINYARD_TOKEN": bearer})
        return run.returncode, run.stdout + run.stderr

    def metrics_address(self):
        return self.root.admins.GetServerInfo().metrics_address


def write(who, name, data):
    requests = [c.dataset.WriteDatasetRequest(name=name, offset=at, data=data[at:at + CHUNK_BYTES],
                                              crc32c=crc32c(data[at:at + CHUNK_BYTES]))
                for at in range(0, len(data), CHUNK_BYTES)]
    return who.call("DatasetService", "WriteDataset", requests)[0]

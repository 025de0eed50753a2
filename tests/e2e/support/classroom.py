"""A course, made by the contract: an administrator, a teacher, students with tokens of their own, and assignments.

    room = Classroom(server, ["ann", "bob"])
    room.publish("hw-a", room.upload(thirds(WDBC.read_text())), c.spec.TrainingSpec(target_column="diagnosis"))
    submission = room.submit("ann", "hw-a", c.spec.TrainingSpec(epochs=3))
    room.wait("ann", submission.name)
"""

import time
import uuid

import grpc

from support import contract as c
from support.client import DEADLINE_SECONDS, Client

COURSE = "courses/dl"
# What students choose in the assignments made here.
CHOSEN = ("layers", "optimizer", "epochs", "batch_size")
DONE = c.submission.SUBMISSION_STATE_DONE


def thirds(text):
    """Three tables of a CSV text, each with the header and every third row."""
    header, *rows = text.splitlines(keepends=True)
    return ["".join([header, *rows[first::3]]).encode() for first in range(3)]


def new_submission(homework, spec, **fields):
    """A request with an id of its own."""
    return c.submission.CreateSubmissionRequest(assignment=f"{COURSE}/assignments/{homework}", spec=spec,
                                                request_id=str(uuid.uuid4()), **fields)


def patiently(call, request):
    """The answer of a call that may be one of too many for the server's rate limit: made again until it is let in."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return call(request, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class Classroom:
    """`clients` by user: root, teacher and the students, on one connection."""

    def __init__(self, server, students):
        self.server = server
        self.students = list(students)
        self.connection = Client(server.address)
        self.tokens = {"root": self.connection.auth.CreateUser(c.auth.CreateUserRequest(
            user_id="root", user=c.auth.User(role=c.auth.USER_ROLE_ADMIN)), timeout=DEADLINE_SECONDS).bearer}
        self.clients = {"root": self._client("root")}
        self._add_user("teacher", c.auth.USER_ROLE_INSTRUCTOR)
        for student in self.students:
            self._add_user(student, c.auth.USER_ROLE_STUDENT)
        self.teacher = self.clients["teacher"]
        self._make_course()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.connection.close()

    def reconnect(self):
        """After a restart of the server."""
        self.connection.close()
        self.connection = Client(self.server.address)
        self.clients = {user: self._client(user) for user in self.tokens}
        self.teacher = self.clients["teacher"]

    def _client(self, user):
        return Client(self.server.address, self.tokens[user], self.connection)

    def _add_user(self, user, role):
        root = self.clients["root"].auth
        patiently(root.CreateUser, c.auth.CreateUserRequest(user_id=user, user=c.auth.User(role=role)))
        self.tokens[user] = patiently(root.CreateToken, c.auth.CreateTokenRequest(user=f"users/{user}")).bearer
        self.clients[user] = self._client(user)

    def _make_course(self):
        courses = self.teacher.courses
        courses.CreateCourse(c.course.CreateCourseRequest(course=c.course.Course(name=COURSE)), timeout=DEADLINE_SECONDS)
        courses.UpdateRoster(c.course.UpdateRosterRequest(course=COURSE, enrolments=[c.course.Enrolment(
            user=student, role=c.course.COURSE_ROLE_STUDENT, full_name=f"Student {student}",
            external=c.course.ExternalIds(github_login=student)) for student in self.students]), timeout=DEADLINE_SECONDS)

    def upload(self, tables):
        """(training, public, sealed) of three CSV texts, by the teacher; the last is sealed."""
        names = [self.teacher.upload_bytes(table, csv=c.dataset.CsvOptions()).name for table in tables]
        self.teacher.datasets.SealDataset(c.dataset.SealDatasetRequest(name=names[2]), timeout=DEADLINE_SECONDS)
        return names

    def publish(self, homework, datasets, base_spec, **fields):
        """An assignment of accuracy, linear from 0.5 to 1, that changes by name; datasets as upload() gives them, without a last one: public."""
        training, public, *sealed = datasets
        assignment = c.course.Assignment(
            name=f"{COURSE}/assignments/{homework}", max_points=100, training_dataset=training, public_dataset=public,
            sealed_dataset=sealed[0] if sealed else "", base_spec=base_spec,
            spec_rules=[c.course.SpecRule(path=path) for path in CHOSEN],
            **{"score_rule": c.course.ScoreRule(linear=c.course.ScoreRule.Linear(from_value=0.5, to_value=1, to_points=100)),
               "replay_fraction": 0, **fields})
        return self.teacher.courses.PublishAssignment(c.course.PublishAssignmentRequest(assignment=assignment),
                                                      timeout=DEADLINE_SECONDS)

    def submit(self, student, homework, spec, **fields):
        return self.clients[student].submissions.CreateSubmission(new_submission(homework, spec, **fields),
                                                                  timeout=DEADLINE_SECONDS)

    def wait(self, student, name, timeout_seconds=100):
        request = c.submission.WaitSubmissionRequest(name=name)
        request.timeout.FromSeconds(timeout_seconds)
        return self.clients[student].submissions.WaitSubmission(request, timeout=timeout_seconds + 20)

    def list(self, homework, **fields):
        """All submissions to an assignment, as the teacher sees them, newest first."""
        submissions, token = [], ""
        while True:
            page = self.teacher.submissions.ListSubmissions(c.submission.ListSubmissionsRequest(
                assignment=f"{COURSE}/assignments/{homework}", page_size=1000, page_token=token, **fields),
                timeout=DEADLINE_SECONDS)
            submissions += page.submissions
            token = page.next_page_token
            if not token:
                return submissions

    def receipt(self, user, name, staff_copy=False):
        """The document, as text."""
        return self.clients[user].submissions.GetReceipt(c.submission.GetReceiptRequest(
            name=name, staff_copy=staff_copy), timeout=DEADLINE_SECONDS).document

    def gradebook(self):
        return self.teacher.grades.GetGradebook(c.grades.GetGradebookRequest(course=COURSE), timeout=DEADLINE_SECONDS)

    def events(self):
        """The whole event log of the course."""
        events, start = [], 1
        while start:
            page = self.teacher.grades.ListCourseEvents(c.grades.ListCourseEventsRequest(
                course=COURSE, start_sequence=start, page_size=10000), timeout=DEADLINE_SECONDS)
            events += page.events
            start = page.next_sequence
        return events

    def deliver_to(self, url, secret):
        """Check runs of every submission go there from now on."""
        self.teacher.grades.SetDeliveryTarget(c.grades.SetDeliveryTargetRequest(
            course=COURSE, secret=secret, target=c.course_event.DeliveryTarget(
                kind=c.course_event.DeliveryTarget.CHECK_RUN, url=url, repository_prefix="fintech-dl-hse-")),
            timeout=DEADLINE_SECONDS)

    def deliveries(self):
        deliveries, token = [], ""
        while True:
            page = self.teacher.grades.ListDeliveries(c.grades.ListDeliveriesRequest(
                course=COURSE, page_size=1000, page_token=token), timeout=DEADLINE_SECONDS)
            deliveries += page.deliveries
            token = page.next_page_token
            if not token:
                return deliveries

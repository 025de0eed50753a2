"""Nothing of a sealed table leaves the server: a graded course in which students, strangers and staff call every rpc of the contract with
every name there is, read metrics, log, command line, models and receipts, and provoke errors; then all that was heard is searched for
cells, statistics, digests, the number of rows, the exact score and the points that wait."""

import itertools
import statistics
import unittest

from support import contract as c
from support.caller import SERVICES, WORKER, Refused
from support.case import Case, eventually
from support.client import crc32c
from support.graded_course import COURSE, MARKER_HIGH, MARKER_LOW, SEALED_ROWS, SEALED_SITE, GradedCourse, tables, write
from support.prometheus import fetch
from support.traces import Traces, is_plain

STAFF = ("teacher", "tutor")
READS = ("Get", "List", "Watch", "Wait", "Preview", "Download", "Export", "Predict", "Evaluate", "Diff", "WhoAmI")
GAPS_ROWS = 61


def a(name):
    return f"{COURSE}/assignments/{name}"


class Recording:
    """All that anybody was told."""

    def __init__(self):
        self.heard = []  # (user, where, what)

    def add(self, user, where, what):
        self.heard.append((user, where, what))

    def search(self, traces, wanted):
        return [f"{user}: {where}: {line}" for user, where, what in self.heard if wanted(user, where)
                for line in traces.find(what)]


class Requests:
    """Requests of every rpc, of the names that there are."""

    def __init__(self, names, values, messages):
        self.names, self.values, self.messages = names, values, messages

    def of(self, service, method):
        request = SERVICES[service][method][0]
        choices = []
        for field in request.DESCRIPTOR.fields:
            chosen = self._choose(service, method, field)
            if chosen:
                choices.append([(field, value) for value in chosen])
        for combination in itertools.product(*choices):
            yield self._request(request, combination)

    def _choose(self, service, method, field):
        if field.name == "name":
            return self.names(service, method)
        if field.message_type is not None:
            return self.messages.get(field.message_type.name, [])
        if field.enum_type is not None:
            tried = field.enum_type.name in ("ModelFormat", "GradebookFormat", "RegradeMode")
            return [value.number for value in field.enum_type.values] if tried else []
        return self.values.get(field.name, [])

    @staticmethod
    def _request(request, combination):
        message = request()
        for field, value in combination:
            if field.label == field.LABEL_REPEATED:
                getattr(message, field.name).extend([value])
            elif field.message_type is not None:
                getattr(message, field.name).CopyFrom(value)
            else:
                setattr(message, field.name, value)
        return message


class SealedTest(Case):
    def setUp(self):
        super().setUp()
        self.recording = Recording()
        self.course = GradedCourse(self.folder, options=("--rate-limit", "0"), heard=self.recording.add)
        self.addCleanup(self.course.close)
        self.before_sealing(self.course.make)

    def before_sealing(self, upload):
        """Until it is sealed, a table is its owner's to see."""
        heard, self.course.teacher.heard = self.course.teacher.heard, lambda *unused: None
        made = upload()
        self.course.teacher.heard = heard
        return made

    def seal_more(self):
        """A small table with a missing cell and a row that was rejected, sealed: everything in it is refused by some model, or by the reader."""
        lines = tables(GAPS_ROWS)["sealed"].decode().splitlines()
        cells = lines[5].split(",")
        lines[5] = ",".join([*cells[:2], "", *cells[3:]])
        lines.append(lines[7] + ",7777.13999")
        self.gaps = self.before_sealing(lambda: self.course.upload(
            self.course.teacher, "\n".join(lines).encode(), "gaps", csv=c.dataset.CsvOptions(bad_rows_max=1))).name
        self.course.teacher.datasets.SealDataset(name=self.gaps)

    def grade(self):
        """Graded and told, graded and withheld, refused by each way there is, trained again."""
        course = self.course
        course.publish("hw-now")
        course.publish("hw-later", release=c.course.POINTS_RELEASE_AFTER_CLOSE, closes="2099-01-01 00:00:00")
        course.publish("hw-gaps", sealed_dataset=self.gaps)
        course.publish("hw-sites", spec_rules=[c.course.SpecRule(path=path) for path in ("layers", "feature_options")])
        strict = c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=4)], feature_options=[
            c.spec.FeatureSpec(column="site", unseen=c.spec.UNSEEN_CATEGORY_REFUSE)])
        self.done = [course.graded(who, name, units) for who, name, units in (
            (course.ann, "hw-now", 4), (course.ann, "hw-later", 5), (course.bob, "hw-later", 6))]
        self.refused = [course.graded(course.ann, "hw-gaps"), course.graded(course.ann, "hw-sites", spec=strict)]
        for submission in self.done:
            self.assertEqual(submission.state, c.submission.SUBMISSION_STATE_DONE, submission.error)
        for submission in self.refused:
            self.assertEqual(submission.state, c.submission.SUBMISSION_STATE_UNGRADABLE)
        self.assertTrue(self.done[0].HasField("result"))
        self.assertTrue(self.done[1].withheld)
        self.regrade = course.teacher.submissions.CreateRegrade(assignment=a("hw-later"), students=["ann"]).name
        eventually(lambda: course.root.submissions.GetRegrade(name=self.regrade).submissions_done == 1, "a regrade")
        self.snapshot = course.teacher.grades.PublishSnapshot(course=COURSE).name

    def jobs(self):
        """One of each submission."""
        return [submission.training_jobs[0] for submission in [*self.done, *self.refused] if submission.training_jobs]

    def models(self):
        return [self.course.root.jobs.GetTrainingJob(name=job).model for job in self.jobs()]

    def requests(self):
        jobs, models = self.jobs(), self.models()
        submissions = [submission.name for submission in [*self.done, *self.refused]]
        assignments = [a(name) for name in ("hw-now", "hw-later", "hw-gaps", "hw-sites")]
        sealed = [self.course.data["sealed"], self.gaps]
        by_service = {"DatasetService": [*sealed, *self.course.data.values()], "JobService": jobs, "AnalysisService": jobs,
                      "ModelService": models[1:3], "AuthService": ["users/ann", f"tokens/{self.course.root.token_id}"],
                      "SubmissionService": submissions, "CourseService": [COURSE], "GradeService": [COURSE]}

        def names(service, method):
            if "Regrade" in method:
                return [self.regrade]
            if service == "CourseService" and ("Assignment" in method or "Commitments" in method):
                return assignments
            if method in ("SealDataset", "DeleteDataset"):
                return sealed
            return by_service.get(service, [])
        target = c.spec.TrainingSpec(target_column="diagnosis")
        test = c.spec.TrainingSpec(target_column="diagnosis", test_dataset=sealed[0])
        row = c.model.PredictRequest.Row(cells=["0"] * 32)
        return Requests(names, {
            "course": [COURSE], "assignment": assignments, "dataset": sealed, "verify_dataset": ["", *sealed],
            "labels_dataset": ["", *sealed], "student": ["", "ann", "bob"], "user": ["users/ann"], "snapshot": ["", self.snapshot],
            "page_size": [1000], "start_sequence": [0], "explain": [True], "staff_copy": [False, True], "row_count": [1000]}, {
            "TrainingJob": [*(c.job.TrainingJob(dataset=name, spec=target) for name in sealed),
                            c.job.TrainingJob(dataset=self.course.data["training"], spec=test)],
            "AnalysisSpec": [c.analysis_spec.AnalysisSpec(
                model=models[0], layer_statistics=c.analysis_spec.LayerStatisticsSpec())],
            "TrainingSpec": [c.spec.TrainingSpec(layers=[c.spec.LayerSpec(units=4)])], "Row": [row]})

    def call_everything(self):
        """Every rpc as everybody: first what reads, then what writes."""
        requests = self.requests()
        every = sorted(((service, method) for service, methods in SERVICES.items() for method in methods),
                       key=lambda each: (not each[1].startswith(READS), each[1].startswith(("Delete", "Revoke"))))
        called = 0
        for (service, method), who in itertools.product(every, self.course.people.values()):
            if SERVICES[service][method][2]:
                called += self.call_stream(who, service, method)
                continue
            for request in requests.of(service, method):
                called += self.try_call(who, service, method, [request])
        return called

    def try_call(self, who, service, method, requests):
        try:
            who.call(service, method, requests)
        except Refused as refused:
            self.assertNotIn(refused.code, ("UNKNOWN", "INTERNAL"), refused)
        return 1

    def call_stream(self, who, service, method):
        if method == "WriteDataset":
            data = b"more\n"
            return sum(self.try_call(who, service, method, [c.dataset.WriteDatasetRequest(
                name=name, data=data, crc32c=crc32c(data))]) for name in (self.course.data["sealed"], self.gaps))
        if method == "ImportModel":
            return self.try_call(who, service, method, [c.model.ImportModelRequest(data=b"no bundle")])
        table = tables(20)["public"]
        return sum(self.try_call(who, service, method, [c.model.PredictTableRequest(
            options=c.model.PredictTableRequest.Options(name=model), data=table)]) for model in self.models()[1:3])

    def read_pages(self):
        for page in ("metrics", "metrics/jobs"):
            text = fetch(f"http://{self.course.metrics_address()}/{page}")
            self.assertIn("trainyard_", text)
            self.recording.add("scraper", page, text)

    def use_command_line(self):
        now, later = self.done[0].name, self.done[1].name
        sealed = self.course.data["sealed"]
        shown = [("submission", "show", later), ("submission", "show", now), ("submission", "receipt", later)]
        students = [("assignment", "show", "dl/hw-later"), ("submission", "watch", later), ("submission", "standing", "dl/hw-later"),
                    ("submission", "receipt", "--staff", later), ("dataset", "preview", sealed), ("gradebook", "show", "dl"),
                    ("assignment", "leaderboard", "dl/hw-later"), ("job", "history", self.done[1].training_jobs[0])]
        owners = [("dataset", "show", sealed), ("dataset", "rejects", self.gaps), ("dataset", "list"), ("course", "events", "dl")]
        graded = ("grade", "--assignment", "dl/hw-later", "--hidden", "5", "--wait", "--at-least", "0.5", "--junit", "j.xml",
                  "--gradescope", "g.json", "--reporter", "r.txt", "--classroom50", "c.json", "--github")
        runs = [(self.course.ann, output, command) for command in shown for output in ("text", "json")]
        runs += [(self.course.ann, "text", command) for command in (*students, graded)]
        runs += [(self.course.teacher, "text", command) for command in owners] + [(self.course.eve, "text", shown[0])]
        for who, output, command in runs:
            _, text = self.course.cli(who, "-o", output, *command)
            self.recording.add(who.user, f"trainyard {' '.join(map(str, command))}", text)
        for document in ("j.xml", "g.json", "r.txt", "c.json"):
            self.recording.add("ann", document, (self.folder / document).read_bytes())

    def cells(self):
        traces = Traces()
        traces.between(MARKER_LOW, MARKER_HIGH, "a cell")
        traces.text(SEALED_SITE, "a cell")
        return traces

    def statistics(self, traces):
        """What a dataset's answer tells of it."""
        for column in self.course.open_copy.columns:
            if column.standard_deviation:
                traces.number(column.mean, f"mean of {column.name}")
                traces.number(column.standard_deviation, f"deviation of {column.name}")
        traces.number(SEALED_ROWS, "number of rows")
        traces.number(self.course.open_copy.size_bytes, "size")
        for digest in (self.course.open_copy.digest, self.course.open_copy.table_digest):
            traces.text(digest.rpartition(":")[2], "digest")
        return traces

    def exact(self, traces):
        """What the server found out on the sealed rows: computed from the models on an open copy, and what the staff's receipts say."""
        root = self.course.root
        traces.shares_of(SEALED_ROWS, "exact accuracy")
        for submission in self.done:
            whole = root.submissions.GetReceipt(name=submission.name, staff_copy=True).document
            self.assertTrue(traces.find(whole), "the staff's receipt has it")
            for job in submission.training_jobs:
                model = root.jobs.GetTrainingJob(name=job).model
                for metric in root.models.EvaluateModel(name=model, dataset=self.course.open_copy.name).metrics:
                    if not is_plain(metric.value):
                        traces.number(metric.value, f"{metric.name} of {model}")
            points = root.submissions.GetSubmission(name=submission.name).result.points
            if submission.withheld:
                traces.number(points, "points that wait")
                traces.number(points / 1_000_000, "points that wait")
        return traces

    def test_nothing_of_a_sealed_table_is_told(self):
        self.seal_more()
        self.grade()
        outside = self.exact(self.statistics(self.cells()))  # before students delete their models
        self.check_the_search(outside)
        called = self.call_everything()
        self.assertGreater(called, 1000)
        self.read_pages()
        self.use_command_line()
        self.recording.add("operator", "log", self.course.server.log())
        self.assertEqual(self.recording.search(self.cells(), lambda user, where: True), [])
        self.assertEqual(self.recording.search(outside, lambda user, where: user not in STAFF), [])
        answers = self.statistics(self.cells())
        told_staff = self.recording.search(
            answers, lambda user, where: user in STAFF and "/trainyard.v1.DatasetService/" in where and "Status" not in where)
        self.assertEqual(told_staff, [])
        self.check_the_refusals()

    def check_the_search(self, traces):
        """The same search finds what is told of an open copy, so that finding nothing means something."""
        heard, root, copy = Recording(), self.course.root, self.course.open_copy
        root.heard = heard.add
        root.datasets.PreviewDataset(name=copy.name, row_count=1)
        root.datasets.GetDataset(name=copy.name)
        root.models.EvaluateModel(name=self.models()[0], dataset=copy.name)
        root.submissions.GetSubmission(name=self.done[1].name)
        root.heard = lambda *unused: None
        for what in ("a cell", "mean of marker", "number of rows", "size", "digest", "exact accuracy", "loss of ", "points that wait"):
            self.assertTrue(any(what in line for line in heard.search(traces, lambda user, where: True)), what)

    def check_the_refusals(self):
        """Why a submission is ungradable, without what was there."""
        for submission in self.refused:
            self.assertIn("refuses rows of the evaluation data", submission.error.message)
        mine = [what for user, where, what in self.recording.heard
                if user == "teacher" and where.endswith("FinalizeDataset") and isinstance(what, Refused)]
        self.assertTrue(mine)

    def test_the_columns_of_a_sealed_table_are_not_labels_of_another(self):
        """The owner's way around the seal: a table of as many rows takes them as its labels."""
        teacher = self.course.teacher
        name = teacher.datasets.CreateDataset().name
        write(teacher, name, b"n\n" + b"".join(b"%d\n" % i for i in range(SEALED_ROWS)))
        with self.assertRaises(Refused) as refused:
            teacher.datasets.FinalizeDataset(name=name, labels_dataset=self.course.data["sealed"])
        self.assertEqual((refused.exception.code, refused.exception.reason), ("FAILED_PRECONDITION", "INVALID_STATE"))

    def test_workers_rpcs_are_not_for_clients(self):
        for method in WORKER["WorkerService"]:
            with self.assertRaises(Refused) as refused:
                self.course.ann.call("WorkerService", method, [WORKER["WorkerService"][method][0]()], WORKER)
            self.assertEqual(refused.exception.code, "UNIMPLEMENTED")

    def test_evaluation_takes_the_same_time_whatever_is_sealed(self):
        """From the end of training to points, 1 237 rows and 61 take whole classes of 100 ms, and the same number of them."""
        self.course.publish("hw-large")
        small = self.course.upload(self.course.teacher, tables(GAPS_ROWS)["sealed"], "small").name
        self.course.teacher.datasets.SealDataset(name=small)
        self.course.publish("hw-small", sealed_dataset=small)
        took = {name: [self.evaluation_seconds(name, units) for units in range(2, 7)] for name in ("hw-large", "hw-small")}
        for name, seconds in took.items():
            self.assertGreaterEqual(min(seconds), 0.1, name)
        medians = [statistics.median(seconds) for seconds in took.values()]
        self.assertLess(abs(medians[0] - medians[1]), 0.1, took)

    def evaluation_seconds(self, assignment, units):
        submission = self.course.graded(self.course.ann, assignment, units)
        ended = max(self.course.root.jobs.GetTrainingJob(name=job).end_time.ToNanoseconds()
                    for job in submission.training_jobs)
        return (submission.finish_time.ToNanoseconds() - ended) / 1e9


class TracesTest(unittest.TestCase):
    """What the search must find, wherever it is hidden."""

    def test_whatever_is_planted_is_found(self):
        traces = Traces()
        traces.between(MARKER_LOW, MARKER_HIGH, "cell")
        traces.text(SEALED_SITE, "cell")
        traces.number(SEALED_ROWS, "rows")
        traces.shares_of(SEALED_ROWS, "share")
        traces.number(0.123456789012345, "loss")
        share = 1141 / SEALED_ROWS
        planted = [
            c.dataset.Dataset(row_count=SEALED_ROWS), c.dataset.Dataset(columns=[c.dataset.Column(max=7777.13)]),
            c.dataset.PreviewDatasetResponse(rows=[c.dataset.PreviewDatasetResponse.Row(cells=["1", "7777.12345"])]),
            c.submission.Submission(result=c.submission.SubmissionResult(score=share)),
            c.submission.Receipt(document='{"sealed_value":{"decimal":"%r"}}' % share),
            c.submission.Receipt(document='{"hex":"%s"}' % share.hex()), c.common.Metric(value=0.123456789012345),
            c.model.ExportModelResponse(data=b"\x01\x02\x03" + c.common.Metric(value=share).SerializeToString()[1:]),
            c.model.ExportModelResponse(data=SEALED_SITE.encode()), f'line 7, column "site": "{SEALED_SITE}"',
            "1 237 rows", "1,237 rows", "rows=1237 took=0.2", f"trainyard_score {share!r}", "7777.13999"]
        for heard in planted:
            self.assertTrue(traces.find(heard), heard)

    def test_what_is_anybodys_is_not_taken_for_it(self):
        traces = Traces()
        traces.number(SEALED_ROWS, "rows")
        traces.shares_of(SEALED_ROWS, "share")
        for heard in ("2026-11-26T20:48:52.1237Z pid=1237", "0.1237", "models/1237abc", "ab1237", "0.92", "0.9224", "7777.5",
                      c.submission.Submission(public_score=0.9049295774647887)):
            self.assertEqual(traces.find(heard), [], heard)


if __name__ == "__main__":
    unittest.main()

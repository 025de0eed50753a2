"""A real Prometheus over a real server under load; see prometheus_check.sh.

Every expression of every dashboard, recording rule and alert must answer with a number, or stand in prometheus_silent.yaml
with its reason; and the loss that Prometheus has of a job must be what the job's event log has for that time.
"""

import contextlib
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import grpc
import yaml

from support import contract as c
from support.case import WDBC, eventually
from support.classroom import DONE, Classroom, thirds
from support.client import Client, diagnosis_spec
from support.hook import Hook
from support.prometheus import SHIPPED, Prometheus, check_metrics, fetch, parse
from support.server import Server

DASHBOARDS = c.ROOT / "deploy/grafana/dashboards"
SILENT = pathlib.Path(__file__).with_name("prometheus_silent.yaml")
# Checkpoints and preemptions come at once, so that there are some within seconds.
OPTIONS = ("--checkpoint-interval", "100ms", "--preempt-after", "0s", "--preempt-quantum", "0s", "--log-level", "error")
ANSWER_SECONDS = 60
# Between a value's event, a scrape of it and the event's commit.
CLOCK_SECONDS = 1.5
SAMPLES_MIN = 6  # of a loss, and how long they are waited for
SAMPLES_SECONDS = 20
# Pages have 16 digits.
EXPOSITION_ERROR = 1e-15
# What Grafana puts for its variables.
VARIABLES = {"$__rate_interval": "10s", "$__range": "1m", "$instance": ".*", "$queue": ".*",
             "$job_id": ".*", "$assignment": ".*"}
# Runs for minutes: until it is stopped.
ENDLESS = diagnosis_spec(layers=[c.spec.LayerSpec(units=256), c.spec.LayerSpec(units=256)], epochs=100_000)


class Misses:
    def __init__(self):
        self.lines = []

    def __call__(self, line):
        print(f"MISS {line}", flush=True)
        self.lines.append(line)


def promtool(misses, *arguments):
    run = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    if run.returncode != 0:
        misses(f"promtool {' '.join(map(str, arguments))}: {run.stdout}{run.stderr}")


def panels_of(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_expressions(path):
    dashboard = json.loads(path.read_text())
    for panel in panels_of(dashboard):
        for target in panel.get("targets", []):
            yield f"{path.stem}/{panel['title']}/{target['refId']}", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield f"{path.stem}/annotation/{annotation['name']}", annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            # label_values(METRIC, label)
            yield f"{path.stem}/variable/{variable['name']}", variable["query"]["query"].split("(")[1].rpartition(",")[0]


def rule_expressions(path):
    for group in yaml.safe_load(path.read_text())["groups"]:
        for rule in group["rules"]:
            yield f"{path.stem}/{rule.get('alert') or rule['record']}", rule["expr"]


def all_expressions():
    """{what it is: expression as Prometheus gets it}"""
    found = {}
    for path in sorted(DASHBOARDS.glob("*.json")):
        found.update(dashboard_expressions(path))
    for name in ("recording.yml", "alerts.yml"):
        found.update(rule_expressions(SHIPPED / name))
    for name, expression in found.items():
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        found[name] = expression
    return found


class CourseLoad:
    """What a class does, with points sent to a hook: every way in which a submission ends that is nobody's fault."""

    HOMEWORK = "hw-a"

    def __init__(self, server, hook):
        self.room = Classroom(server, ["ann", "bob"])
        self.room.deliver_to(hook.url, hook.secret)
        # Every submission is trained again. Limits that are never met, so that points are told.
        self.room.publish(self.HOMEWORK, self.room.upload(thirds(WDBC.read_text())),
                          c.spec.TrainingSpec(target_column="diagnosis", batch_size=16), seed_count=1, replay_fraction=1,
                          attempts=c.course.AttemptLimits(burst=1000, ungradable_max=1000),
                          leak_limits=c.course.LeakLimits(student_bits_max=100_000, class_bits_max=100_000))
        self.token = self.room.tokens["root"]

    def __exit__(self, *unused):
        self.room.connection.close()

    def __enter__(self):
        return self

    def round(self, number):
        spec = c.spec.TrainingSpec(epochs=2 + number, layers=[c.spec.LayerSpec(units=4)])
        for student in ("ann", "bob"):  # the second from the cache
            graded = self.room.wait(student, self.room.submit(student, self.HOMEWORK, spec).name)
            assert graded.state == DONE, graded
        diverges = c.spec.TrainingSpec(
            epochs=2 + number, layers=[c.spec.LayerSpec(units=4, activation=c.spec.ACTIVATION_IDENTITY)],
            optimizer=c.spec.OptimizerSpec(kind=c.spec.OptimizerSpec.SGD, learning_rate=1e6))
        self.room.wait("ann", self.room.submit("ann", self.HOMEWORK, diverges).name)
        endless = self.room.submit("ann", self.HOMEWORK, c.spec.TrainingSpec(epochs=100_000 - number))
        self.room.clients["ann"].submissions.CancelSubmission(c.submission.CancelSubmissionRequest(name=endless.name))
        with contextlib.suppress(grpc.RpcError):
            self.room.submit("ann", self.HOMEWORK, c.spec.TrainingSpec(seed=7))


class Load:
    """Everything that people do with a server, again and again until it is stopped."""

    def __init__(self, course, client):
        self.course, self.client = course, client
        self.dataset = self.client.upload(WDBC).name
        self.model = self.client.wait(self.client.submit(self.dataset, diagnosis_spec()).name).model
        self.stop = threading.Event()
        self.error = None
        self.rounds = 0
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        self.thread.join()

    def run(self):
        try:
            while not self.stop.is_set():
                self.round()
                self.rounds += 1
        except Exception as error:  # told by the main thread
            self.error = error

    def round(self):
        self.uploads()
        self.jobs()
        self.refused()
        self.course.round(self.rounds)
        self.client.predict(self.model, [[1.0] * 30] * 3)

    def uploads(self):
        self.client.upload(WDBC)  # the same bytes again
        header, *rows = WDBC.read_text().splitlines()
        bad_cell = "oops" + rows[0][rows[0].index(","):]
        table = "\n".join([header, *rows, bad_cell, "1,2,3"]) + "\n"
        self.client.upload_bytes(table.encode(), csv=c.dataset.CsvOptions(bad_rows_max=9))

    def jobs(self):
        batch = self.client.submit(self.dataset, ENDLESS, priority=c.job.JOB_PRIORITY_BATCH)
        eventually(lambda: self.client.job(batch.name).state == c.job.JOB_STATE_RUNNING, "the batch job runs")
        interactive = self.client.submit(self.dataset, diagnosis_spec(), priority=c.job.JOB_PRIORITY_INTERACTIVE)
        self.watch(interactive.name)
        self.client.jobs.CancelTrainingJob(c.job.CancelTrainingJobRequest(name=batch.name))
        diverges = self.client.submit(self.dataset, diagnosis_spec(
            optimizer=c.spec.OptimizerSpec(kind=c.spec.OptimizerSpec.SGD, learning_rate=1e6)))
        self.client.wait(diverges.name)

    def watch(self, name):
        """To the end, then a stretch of it again, thinned out."""
        for _ in self.client.watch(name):
            pass
        request = c.job.WatchTrainingJobRequest(name=name, start_sequence=3)
        request.min_interval.FromSeconds(1)
        for _ in self.client.jobs.WatchTrainingJob(request, timeout=20):
            pass

    def refused(self):
        again = str(uuid.uuid4())
        first = self.client.submit(self.dataset, diagnosis_spec(epochs=1), request_id=again)
        self.client.submit(self.dataset, diagnosis_spec(epochs=1), request_id=again)
        self.client.wait(first.name)
        with contextlib.suppress(grpc.RpcError):
            self.client.submit(self.dataset, diagnosis_spec(target_column="nonesuch"))


def answers(prometheus, expression):
    return any(not math.isnan(value) for _, value in prometheus.query(expression))


def check_answers(prometheus, load, expected, misses):
    """Each must answer once within the time: they have windows of different lengths."""
    left = dict(expected)
    deadline = time.monotonic() + ANSWER_SECONDS
    while left and time.monotonic() < deadline and load.error is None:
        left = {name: expression for name, expression in left.items() if not answers(prometheus, expression)}
        time.sleep(0.2)
    for name, expression in left.items():
        misses(f"{name} has no data, and is not in {SILENT.name}: {expression}")


def check_silent(prometheus, silent, expressions, misses):
    for name in silent:
        if name not in expressions:
            misses(f"{SILENT.name} names {name}, which is not there")
        elif not silent[name].get("machine") and answers(prometheus, expressions[name]):
            misses(f"{SILENT.name} says {name} is silent ({silent[name]['reason']}), but it answers")


def losses_of(events):
    """[(time, loss)] of train and validation, as the log has them."""
    train, validation = [], []
    for event in events:
        at = event.create_time.ToNanoseconds() / 1e9
        if event.HasField("step"):
            train.append((at, event.step.loss))
        elif event.HasField("epoch"):
            train.append((at, event.epoch.train_loss))
            validation += [(at, metric.value) for metric in event.epoch.validation if metric.name == "loss"]
    return {"train": train, "validation": validation}


def is_logged(at, value, logged):
    """Whether `value` was the newest of the log at about the time `at`."""
    for (time_of, loss), (until, _) in zip(logged, [*logged[1:], (math.inf, None)]):
        if math.isclose(loss, value, rel_tol=EXPOSITION_ERROR) and time_of - CLOCK_SECONDS <= at <= until + CLOCK_SECONDS:
            return True
    return False


def check_losses(prometheus, client, job, misses):
    """Returns how many samples were compared."""
    selector = f'trainyard_job_loss{{job_id="{job.split("/")[1]}"}}'
    deadline = time.monotonic() + SAMPLES_SECONDS
    series = list(prometheus.samples(selector, "5m"))
    while sum(len(samples) for _, samples in series) < SAMPLES_MIN and time.monotonic() < deadline:
        time.sleep(0.2)
        series = list(prometheus.samples(selector, "5m"))
    # The job may still train: the log is read after the samples, when what they show is durable.
    time.sleep(CLOCK_SECONDS)
    logged = losses_of(client.events(job))
    compared = 0
    for labels, samples in series:
        for at, value in samples:
            compared += 1
            if not is_logged(at, value, logged[labels["split"]]):
                misses(f"{selector} was {value!r} ({labels['split']}) at {at}, which the event log does not have")
    if compared < SAMPLES_MIN:
        misses(f"only {compared} samples of {selector}")
    return compared


def check_endpoints(metrics, misses):
    series = {}
    for path in ("/metrics", "/metrics/jobs"):
        page = fetch(metrics + path)
        series[path] = len(parse(page))
        if fault := check_metrics(page):
            misses(f"promtool check metrics of {path}: {fault}")
    return series


def run(folder, misses):
    expressions = all_expressions()
    silent = yaml.safe_load(SILENT.read_text())
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(folder / "data", workers=2, options=OPTIONS))
        course = stack.enter_context(CourseLoad(server, stack.enter_context(Hook(folder, "secret"))))
        client = stack.enter_context(Client(server.address, course.token))
        metrics = client.info().metrics_address
        prometheus = stack.enter_context(Prometheus(folder, metrics))
        load = Load(course, client)
        endless = client.submit(load.dataset, ENDLESS, display_name="endless").name
        with load:
            check_answers(prometheus, load, {name: each for name, each in expressions.items() if name not in silent}, misses)
        if load.error is not None:
            misses(f"the load ended early: {load.error!r}")
        series = check_endpoints(f"http://{metrics}", misses)
        check_silent(prometheus, silent, expressions, misses)
        compared = check_losses(prometheus, client, endless, misses)
    return {"expressions": len(expressions), "silent": len(silent), "series": series, "losses_compared": compared,
            "rounds_of_load": load.rounds}


def main():
    misses = Misses()
    started = time.monotonic()
    promtool(misses, "check", "config", SHIPPED / "prometheus.yml")
    promtool(misses, "check", "rules", SHIPPED / "recording.yml", SHIPPED / "alerts.yml")
    promtool(misses, "test", "rules", SHIPPED / "alerts_test.yml")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ty-", dir="/tmp"))
    try:
        result = run(folder, misses)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({**result, "misses": len(misses.lines), "seconds": round(time.monotonic() - started, 1)}))
    return 1 if misses.lines else 0


if __name__ == "__main__":
    sys.exit(main())

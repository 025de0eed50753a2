"""Operators' view: a real Prometheus scrapes a real server, promtool accepts both endpoints, and numbers agree."""

import json
import socket
import subprocess
import unittest
import urllib.parse
import urllib.request

from support import contract as c
from support.case import Case, WDBC, eventually
from support.client import Client, diagnosis_spec
from support.server import Server


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def parse(text):
    """{(name, labels as text): value} of the exposition format."""
    samples = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.rpartition(" ")
            name, _, labels = key.partition("{")
            samples[name, labels.rstrip("}")] = float(value)
    return samples


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MetricsTest(Case):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.folder / "data"))
        self.client = self.enterContext(Client(self.server.address))
        self.metrics = "http://" + self.client.info().metrics_address

    def train(self, **changes):
        dataset = self.client.upload(WDBC)
        return self.client.wait(self.client.submit(dataset.name, diagnosis_spec(**changes), display_name='a "b"').name)

    def test_promtool_accepts_both_endpoints(self):
        self.train()
        for path in ("/metrics", "/metrics/jobs"):
            check = subprocess.run(["promtool", "check", "metrics"], input=fetch(self.metrics + path),
                                   capture_output=True, text=True)
            self.assertEqual(check.returncode, 0, f"{path}: {check.stdout}{check.stderr}")

    def test_counters_count_what_happened(self):
        before = parse(fetch(self.metrics + "/metrics"))
        self.train()
        after = parse(fetch(self.metrics + "/metrics"))

        def grown(name):
            return sum(value for (key, _), value in after.items() if key == name) - sum(
                value for (key, _), value in before.items() if key == name)

        self.assertEqual(grown("trainyard_jobs_submitted_total"), 1)
        self.assertEqual(grown("trainyard_jobs_finished_total"), 1)
        self.assertEqual(grown("trainyard_jobs_failed_total"), 0)
        self.assertEqual(grown("trainyard_dataset_upload_bytes_total"), WDBC.stat().st_size)
        self.assertEqual(grown("trainyard_job_queue_wait_seconds_count"), 1)
        epoch = [e.epoch for e in self.client.events(self.last_job()) if e.HasField("epoch")][-1]
        self.assertEqual(grown("trainyard_training_steps_total"), epoch.steps_done)
        self.assertEqual(grown("trainyard_training_samples_total"), epoch.rows_seen)

    def last_job(self):
        return self.client.jobs.ListTrainingJobs(c.job.ListTrainingJobsRequest()).training_jobs[0].name

    def test_the_loss_shown_is_the_loss_logged(self):
        job = self.train()
        last = [e.epoch for e in self.client.events(job.name) if e.HasField("epoch")][-1]
        validation = {metric.name: metric.value for metric in last.validation}["loss"]
        series = parse(fetch(self.metrics + "/metrics/jobs"))
        job_id = job.name.split("/")[1]
        losses = {labels: value for (name, labels), value in series.items()
                  if name == "trainyard_job_loss" and f'job_id="{job_id}"' in labels}
        shown = {split: value for split in ("train", "validation") for labels, value in losses.items()
                 if f'split="{split}"' in labels}
        self.assertAlmostEqual(shown["train"], last.train_loss, places=6)
        self.assertAlmostEqual(shown["validation"], validation, places=6)

    def test_prometheus_scrapes_and_answers(self):
        self.start_prometheus()
        name = self.train(epochs=200).name
        queries = {
            "trainyard_build_info": lambda value: value == 1,
            "sum(trainyard_jobs_finished_total)": lambda value: value == 1,
            f'trainyard_job_progress_ratio{{job_id="{name.split("/")[1]}"}}': lambda value: value == 1,
            "process_resident_memory_bytes{job='trainyard'}": lambda value: value > 1e6,
            'sum(grpc_server_handled_total{grpc_method="CreateTrainingJob",grpc_code="OK"})': lambda value: value == 1,
        }
        for query, holds in queries.items():
            eventually(lambda: any(holds(value) for value in self.query(query)), query, seconds=20)

    def start_prometheus(self):
        address = f"127.0.0.1:{free_port()}"
        target = self.metrics.removeprefix("http://")
        config = self.folder / "prometheus.yml"
        shipped = (c.ROOT / "deploy/prometheus.yml").read_text()
        config.write_text(shipped.replace("127.0.0.1:9400", target).replace("15s", "1s").replace("5s", "1s"))
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/tsdb",
             f"--web.listen-address={address}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.prometheus = f"http://{address}"
        eventually(self.prometheus_ready, "Prometheus is ready")

    def prometheus_ready(self):
        try:
            return "Ready" in fetch(self.prometheus + "/-/ready")
        except OSError:
            return False

    def query(self, expression):
        answer = json.loads(fetch(f"{self.prometheus}/api/v1/query?query={urllib.parse.quote(expression)}"))
        self.assertEqual(answer["status"], "success")
        return [float(result["value"][1]) for result in answer["data"]["result"]]

    def test_many_short_jobs_leave_the_series_bounded(self):
        dataset = self.client.upload(WDBC)
        for _ in range(250):
            self.client.submit(dataset.name, diagnosis_spec(layers=[], epochs=1))
        eventually(lambda: self.client.info().jobs_pending + self.client.info().jobs_running == 0, "all are done", 120)
        jobs = {labels for (name, labels) in parse(fetch(self.metrics + "/metrics/jobs"))
                if name == "trainyard_job_info"}
        self.assertLessEqual(len(jobs), 200)
        self.assertGreater(len(jobs), 0)
        self.assertLess(len(parse(fetch(self.metrics + "/metrics"))), 1000)


if __name__ == "__main__":
    unittest.main()

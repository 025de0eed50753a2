"""Operators' view: a real Prometheus scrapes a real server, promtool accepts both endpoints, and numbers agree."""

import unittest

from support import contract as c
from support.case import Case, WDBC, eventually
from support.client import Client, diagnosis_spec
from support.prometheus import Prometheus, check_metrics, fetch, parse
from support.server import Server


JOBS = 1000
# METRICS.md's bounds.
JOBS_SHOWN_MAX = 200
SERIES_PER_JOB = 8
SERVICE_SERIES_MAX = 1000


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
            self.assertEqual(check_metrics(fetch(self.metrics + path)), "", path)

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
        prometheus = self.enterContext(Prometheus(self.folder, self.metrics.removeprefix("http://")))
        name = self.train(epochs=200).name
        queries = {
            "trainyard_build_info": lambda value: value == 1,
            "sum(trainyard_jobs_finished_total)": lambda value: value == 1,
            f'trainyard_job_progress_ratio{{job_id="{name.split("/")[1]}"}}': lambda value: value == 1,
            "process_resident_memory_bytes{job='trainyard'}": lambda value: value > 1e6,
            'sum(grpc_server_handled_total{grpc_method="CreateTrainingJob",grpc_code="OK"})': lambda value: value == 1,
        }
        for query, holds in queries.items():
            eventually(lambda: any(holds(value) for _, value in prometheus.query(query)), query, seconds=20)

    def test_a_thousand_short_jobs_leave_the_series_bounded(self):
        dataset = self.client.upload(WDBC)
        before = len(parse(fetch(self.metrics + "/metrics")))
        for _ in range(JOBS):
            self.client.submit(dataset.name, diagnosis_spec(layers=[], epochs=1))
        eventually(lambda: self.client.info().jobs_pending + self.client.info().jobs_running == 0, "all are done", 120)
        live = parse(fetch(self.metrics + "/metrics/jobs"))
        jobs = {labels for (name, labels) in live if name == "trainyard_job_info"}
        self.assertEqual(len(jobs), JOBS_SHOWN_MAX - 1)  # room for the one that the worker could run
        self.assertLessEqual(len(live), SERIES_PER_JOB * JOBS_SHOWN_MAX)
        service = parse(fetch(self.metrics + "/metrics"))
        self.assertLess(len(service), SERVICE_SERIES_MAX)
        # What grew are codes and methods of calls, not jobs.
        self.assertLess(len(service) - before, 50)
        print(f"{len(service)} series of the service, {len(live)} of {len(jobs)} jobs after {JOBS} jobs")


if __name__ == "__main__":
    unittest.main()

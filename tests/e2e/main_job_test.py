"""The main job through the published contract alone: upload, finalize, submit, watch, predict, export."""

import hashlib
import unittest

import grpc

from support import contract as c
from support.case import Case, WDBC, rows_of, training_of
from support.client import Client, diagnosis_spec, error_of
from support.server import Server


class MainJobTest(Case):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.folder / "data"))
        self.client = self.enterContext(Client(self.server.address))

    def test_a_table_becomes_a_model_that_predicts(self):
        dataset = self.client.upload(WDBC, display_name="wdbc")
        self.assertEqual((dataset.row_count, len(dataset.columns)), (569, 31))
        self.assertEqual(dataset.digest, "sha256:" + hashlib.sha256(WDBC.read_bytes()).hexdigest())

        job = self.client.submit(dataset.name, diagnosis_spec())
        messages = list(self.client.watch(job.name))  # ends by itself, with OK
        self.assertEqual(messages[0].snapshot.name, job.name)
        events = [message.event for message in messages if message.HasField("event")]
        self.assert_dense(events)
        self.assertEqual(events, self.client.events(job.name))

        job = self.client.job(job.name)
        self.assert_succeeded(job)
        self.check_curve(events)
        self.check_predictions(job, dataset.name)

    def check_curve(self, events):
        losses = [event.epoch.train_loss for event in events if event.HasField("epoch")]
        self.assertEqual(len(losses), 20)
        self.assertLess(losses[-1], 0.2)
        self.assertLess(losses[-1], losses[0] / 2)

    def check_predictions(self, job, dataset):
        """Every row: labels mostly right, probabilities that sum to 1, and the accuracy that Evaluate says."""
        model = self.client.models.GetModel(c.model.GetModelRequest(name=job.model))
        self.assertEqual(list(model.classes), ["benign", "malignant"])
        rows, labels = rows_of(WDBC)
        predictions = self.client.predict(job.model, rows)
        right = sum(prediction.label == label for prediction, label in zip(predictions, labels, strict=True))
        self.assertGreaterEqual(right / len(labels), 0.95)
        for prediction in predictions:
            self.assertAlmostEqual(sum(prediction.probabilities), 1, places=5)
            likeliest = max(range(2), key=lambda k: prediction.probabilities[k])
            self.assertEqual(prediction.label, model.classes[likeliest])

        evaluation = self.client.models.EvaluateModel(c.model.EvaluateModelRequest(name=job.model, dataset=dataset))
        metrics = {metric.name: metric.value for metric in evaluation.metrics}
        self.assertEqual(evaluation.row_count, len(labels))
        self.assertAlmostEqual(metrics["accuracy"], right / len(labels), places=9)
        self.check_export(model)

    def check_export(self, model):
        exported = b"".join(message.data for message in self.client.models.ExportModel(
            c.model.ExportModelRequest(name=model.name, format=c.model.MODEL_FORMAT_NATIVE)))
        self.assertEqual("sha256:" + hashlib.sha256(exported).hexdigest(), model.digest)
        self.assertEqual(model.receipt.result_digest, model.digest)

    def test_the_same_job_twice_gives_the_same_bytes(self):
        dataset = self.client.upload(WDBC)
        jobs = [self.client.wait(self.client.submit(dataset.name, diagnosis_spec(epochs=5)).name) for _ in range(2)]
        self.assertEqual(jobs[0].receipt.result_digest, jobs[1].receipt.result_digest)
        first, second = (training_of(self.client.events(job.name)) for job in jobs)
        self.assertEqual(first, second)
        other = self.client.wait(self.client.submit(dataset.name, diagnosis_spec(epochs=5, seed=8)).name)
        self.assertNotEqual(other.receipt.result_digest, jobs[0].receipt.result_digest)

    def test_a_watch_resumes_at_any_sequence(self):
        dataset = self.client.upload(WDBC)
        name = self.client.wait(self.client.submit(dataset.name, diagnosis_spec(epochs=3)).name).name
        stored = self.client.events(name)
        for start in (1, 2, len(stored) // 2, len(stored)):
            seen = [m.event for m in self.client.watch(name, start) if m.HasField("event")]
            self.assertEqual(seen, stored[start - 1:])

    def test_every_fault_of_a_spec_is_named_at_once(self):
        dataset = self.client.upload(WDBC)
        bad = diagnosis_spec(layers=[c.spec.LayerSpec(units=0)], epochs=-1, target_column="diagnosys")
        with self.assertRaises(grpc.RpcError) as caught:
            self.client.submit(dataset.name, bad)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        reason, _, violations = error_of(caught.exception)
        self.assertEqual(reason, "INVALID_SPEC")
        fields = " ".join(violation.field for violation in violations)
        for field in ("layers[0].units", "epochs", "target_column"):
            self.assertIn(field, fields)

    def test_cancel_stops_a_running_job_and_the_worker_takes_the_next(self):
        dataset = self.client.upload(WDBC)
        name = self.client.submit(dataset.name, diagnosis_spec(epochs=100000)).name
        for message in self.client.watch(name):
            if message.HasField("event") and message.event.HasField("step"):
                self.client.jobs.CancelTrainingJob(c.job.CancelTrainingJobRequest(name=name))
                break
        self.assertEqual(self.client.wait(name, 30).state, c.job.JOB_STATE_CANCELLED)
        self.assert_dense(self.client.events(name))
        after = self.client.wait(self.client.submit(dataset.name, diagnosis_spec(epochs=2)).name)
        self.assert_succeeded(after)


if __name__ == "__main__":
    unittest.main()

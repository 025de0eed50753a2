"""The command line with a real server: exit codes, JSON that programs can read, and bad input shown readably."""

import json
import os
import signal
import subprocess
import unittest

from support import contract as c
from support.case import Case, IRIS, WDBC, eventually, rows_of
from support.client import Client
from support.server import BIN, Server

OK, REFUSED, USAGE, UNREACHABLE, INFRA, INTERRUPTED = 0, 1, 2, 3, 4, 130
LONG_TRAINING = ("--hidden", "256,256", "--epochs", "100000")


class CliTest(Case):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.folder / "data"))

    def command(self, *arguments, server=None):
        return [str(BIN / "trainyard"), "--server", server or self.server.address, *map(str, arguments)]

    def run_cli(self, *arguments, expect=OK, server=None):
        run = subprocess.run(self.command(*arguments, server=server), cwd=self.folder, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, expect, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def json_of(self, *arguments):
        return json.loads(self.run_cli("-o", "json", *arguments).stdout)

    def upload(self, path=WDBC, *options):
        return self.json_of("dataset", "upload", path, *options)["name"]

    def submit(self, dataset, *options):
        return self.json_of("train", "--dataset", dataset, "--target", "diagnosis", *options)["name"]

    def file(self, text, name="table.csv"):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


class MainJobTest(CliTest):
    def test_upload_train_predict_export_as_a_person_would(self):
        out = self.run_cli("dataset", "upload", WDBC, "--name", "wdbc").stdout
        self.assertIn("radius_mean", out)
        self.assertIn("569", out)
        job = self.submit(self.upload(), "--hidden", "16", "--epochs", "20", "--seed", "7", "--learning-rate", "0.01")
        watched = self.run_cli("job", "watch", job).stdout
        self.assertIn("accuracy", watched)
        model = self.json_of("job", "get", job)["model"]
        self.assertIn(model, watched)
        self.check_table_predictions(model)
        self.check_exports(model)

    def check_table_predictions(self, model):
        out = self.folder / "predictions.csv"
        self.run_cli("model", "predict", model, WDBC, "-f", out)
        records = [line.split(",") for line in out.read_text().splitlines()]
        self.assertEqual(records[0], ["prediction", "probability_benign", "probability_malignant"])
        rows, labels = rows_of(WDBC)
        right = sum(record[0] == label for record, label in zip(records[1:], labels, strict=True))
        self.assertGreaterEqual(right / len(labels), 0.95)
        # The same rows through the unary call say the same.
        with Client(self.server.address) as client:
            for record, prediction in zip(records[1:], client.predict(model, rows), strict=True):
                self.assertEqual(record[0], prediction.label)
                self.assertAlmostEqual(float(record[1]), prediction.probabilities[0], places=6)

    def check_exports(self, model):
        for kind in ("onnx", "json", "native"):
            path = self.folder / f"model.{kind}"
            self.run_cli("model", "export", model, "--format", kind, "-f", path)
            self.assertGreater(path.stat().st_size, 100)
        json.loads((self.folder / "model.json").read_text())

    def test_what_programs_read_is_json(self):
        dataset = self.upload()
        job = self.submit(dataset, "--epochs", "2")
        self.run_cli("job", "wait", job)
        self.assertEqual(self.json_of("dataset", "get", dataset)["row_count"], "569")
        self.assertEqual(self.json_of("dataset", "list")["datasets"][0]["name"], dataset)
        finished = self.json_of("job", "get", job)
        self.assertEqual(finished["state"], "JOB_STATE_SUCCEEDED")
        self.assertEqual(self.json_of("job", "list")["training_jobs"][0]["name"], job)
        self.assertEqual(self.json_of("model", "get", finished["model"])["training_job"], job)
        self.assertTrue(self.json_of("server", "info")["version"])
        lines = self.run_cli("-o", "json", "job", "watch", job).stdout.splitlines()
        sequences = [int(d["event"]["sequence"]) for d in map(json.loads, lines) if "event" in d]
        self.assertEqual(sequences, list(range(1, int(finished["last_sequence"]) + 1)))

    def test_a_spec_file_gives_the_same_job_as_flags(self):
        dataset = self.upload()
        spec = self.file("target_column: diagnosis\nlayers:\n  - {units: 8, activation: tanh}\nepochs: 3\nseed: 5\n"
                         "optimizer: {kind: sgd, learning_rate: 0.1}\n", "spec.yaml")
        by_file = self.json_of("train", "--dataset", dataset, "--spec", spec)["name"]
        by_flags = self.submit(dataset, "--hidden", "8", "--activation", "tanh", "--epochs", "3", "--seed", "5",
                               "--optimizer", "sgd", "--learning-rate", "0.1")
        digests = set()
        for job in (by_file, by_flags):
            self.run_cli("job", "wait", job)
            digests.add(self.json_of("job", "get", job)["receipt"]["result_digest"])
        self.assertEqual(len(digests), 1)

    def test_three_classes_and_a_local_file(self):
        run = self.run_cli("train", "--dataset", IRIS, "--target", "species", "--hidden", "16", "--epochs", "100",
                           "--learning-rate", "0.01", "--follow")
        self.assertIn("accuracy", run.stdout)


class ExitCodeTest(CliTest):
    def test_1_a_job_that_fails_by_its_spec(self):
        job = self.submit(self.upload(), "--optimizer", "sgd", "--learning-rate", "1000000", "--scaling", "none",
                          "--hidden", "64,64,64", "--epochs", "50")
        run = self.run_cli("job", "watch", job, expect=REFUSED)
        self.assertIn("NON_FINITE_LOSS", run.stdout + run.stderr)
        self.assertIn("learning", run.stdout + run.stderr)
        self.run_cli("job", "wait", job, expect=REFUSED)

    def test_1_a_refused_request_names_every_fault(self):
        run = self.run_cli("train", "--dataset", self.upload(), "--target", "diagnosys", "--hidden", "0", "--epochs", "0",
                           expect=REFUSED)
        for part in ("diagnosys", "units", "epochs"):
            self.assertIn(part, run.stderr)
        self.run_cli("job", "get", "trainingJobs/none", expect=REFUSED)

    def test_2_usage(self):
        for arguments in (("frobnicate",), ("train", "--no-such-flag"), ("job", "watch"), ()):
            self.run_cli(*arguments, expect=USAGE)

    def test_2_a_bad_spec_file_says_line_and_nearest_key(self):
        spec = self.file("target_column: diagnosis\nepochz: 3\n", "spec.yaml")
        run = self.run_cli("train", "--dataset", self.upload(), "--spec", spec, expect=USAGE)
        self.assertIn("2", run.stderr)
        self.assertIn("epochs", run.stderr)

    def test_3_no_server(self):
        run = self.run_cli("server", "info", server="127.0.0.1:1", expect=UNREACHABLE)
        self.assertIn("127.0.0.1:1", run.stderr)

    def test_4_a_job_that_fails_by_the_service(self):
        job = self.submit(self.upload(), *LONG_TRAINING)
        watch = subprocess.Popen(self.command("job", "watch", job), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with Client(self.server.address) as client:
            for attempt in (1, 2, 3):
                eventually(lambda: client.job(job).attempt == attempt
                           and client.job(job).state == c.job.JOB_STATE_RUNNING, f"attempt {attempt}")
                os.kill(self.server.worker_pids()[0], signal.SIGKILL)
        out, err = watch.communicate(timeout=60)
        self.assertEqual(watch.returncode, INFRA, out + err)

    def test_130_interrupting_a_watch_leaves_the_job_alone(self):
        job = self.submit(self.upload(), *LONG_TRAINING)
        shown = self.folder / "watch.txt"
        with open(shown, "w") as file:
            watch = subprocess.Popen(self.command("job", "watch", job), stdout=file, stderr=file)
        eventually(lambda: "epoch 2/" in shown.read_text(), "the watch shows training")
        watch.send_signal(signal.SIGINT)
        self.assertEqual(watch.wait(timeout=20), INTERRUPTED, shown.read_text())
        self.assertIn(f"job watch {job}", shown.read_text())
        self.assertEqual(self.json_of("job", "get", job)["state"], "JOB_STATE_RUNNING")
        self.run_cli("job", "cancel", job)


class BadInputTest(CliTest):
    def test_bad_tables_are_refused_with_line_and_remedy_and_the_server_goes_on(self):
        lines = WDBC.read_text().splitlines()
        text_cell = lines[:]
        text_cell[41] = "n/a," + text_cell[41].split(",", 1)[1]
        cases = {
            "text in a column of numbers": ("\n".join(text_cell) + "\n", ["42", "radius_mean", "n/a", "bad-rows-max"]),
            "a ragged record": ("\n".join(lines[:100] + ["1,2,3"] + lines[100:]) + "\n", ["101", "31", "3"]),
            "an empty file": ("", ["empty"]),
            "only a header": (lines[0] + "\n", ["row"]),
            "no text at all": (bytes(range(256)) * 40, ["line"]),
            "an open quote": (lines[0] + '\n"1,2,3\n', ["quote"]),
        }
        for name, (content, parts) in cases.items():
            with self.subTest(name):
                run = self.run_cli("dataset", "upload", self.file(content), expect=REFUSED)
                for part in parts:
                    self.assertIn(part, run.stdout + run.stderr)
        rejected = self.json_of("dataset", "list").get("datasets", [])
        self.assertTrue(rejected, "rejected uploads should stay for another try")
        for dataset in rejected:
            self.assertEqual(dataset["state"], "UPLOADING")
            self.run_cli("dataset", "delete", dataset["name"])
        self.upload()

    def test_a_rejected_table_is_reported_and_read_again(self):
        lines = WDBC.read_text().splitlines()
        path = self.file("\n".join(lines[:100] + ["1,2,3"] + lines[100:]) + "\n")
        self.run_cli("dataset", "upload", path, expect=REFUSED)
        name = self.json_of("dataset", "list")["datasets"][0]["name"]
        report = self.run_cli("dataset", "rejects", name).stdout.splitlines()
        self.assertEqual(report[0], "line,column,byte_offset,expected,actual")
        self.assertTrue(report[1].startswith("101,"), report)
        self.assertEqual(len(report), 2)
        self.assertEqual(self.json_of("dataset", "finalize", name, "--bad-rows-max", "1")["row_count"], "569")

    def test_bad_rows_may_be_dropped(self):
        lines = WDBC.read_text().splitlines()
        path = self.file("\n".join(lines[:100] + ["1,2,3"] + lines[100:]) + "\n")
        dataset = self.json_of("dataset", "upload", path, "--bad-rows-max", "1")
        self.assertEqual((dataset["row_count"], dataset["rejected_row_count"]), ("569", "1"))

    def test_a_file_that_is_not_there(self):
        run = self.run_cli("dataset", "upload", self.folder / "none.csv", expect=USAGE)
        self.assertIn("none.csv", run.stderr)

    def test_a_bad_prediction_row_is_named(self):
        job = self.submit(self.upload(), "--epochs", "1")
        self.run_cli("job", "wait", job)
        model = self.json_of("job", "get", job)["model"]
        run = self.run_cli("model", "predict", model, "--row", "1,2,3", expect=REFUSED)
        self.assertIn("30", run.stderr)
        run = self.run_cli("model", "predict", model, self.file("a,b\n1,2\n"), expect=REFUSED)
        self.assertIn("radius_mean", run.stderr)


if __name__ == "__main__":
    unittest.main()

"""Tables as people have them, through the published contract: messy files, pairs of files, splits, folds, models out and in."""

import csv
import gzip
import io
import statistics
import subprocess
import unittest

import grpc

from support import contract as c
from support.case import AUTO_IMPORTS, Case, IMAGES, IRIS, LABELS
from support.client import Client, error_of
from support.server import Server

RELU = c.spec.ACTIVATION_RELU


def records_of(text):
    return list(csv.reader(io.StringIO(text)))


def price_spec(**changes):
    """A regression on auto_imports.csv that ends within a second or two."""
    fields = dict(layers=[c.spec.LayerSpec(units=32, activation=RELU)], epochs=100, seed=1,
                  optimizer=c.spec.OptimizerSpec(learning_rate=0.003))
    fields.update(changes)
    return c.spec.TrainingSpec(**fields)


def species_spec(**changes):
    fields = dict(target_column="species", layers=[c.spec.LayerSpec(units=16, activation=RELU)], epochs=60, seed=1,
                  optimizer=c.spec.OptimizerSpec(learning_rate=0.01))
    fields.update(changes)
    return c.spec.TrainingSpec(**fields)


def metric(metrics, name):
    return next(m.value for m in metrics if m.name == name)


class TablesTest(Case):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.folder / "data"))
        self.client = self.enterContext(Client(self.server.address))

    def train(self, dataset, spec):
        job = self.client.wait(self.client.submit(dataset, spec).name)
        self.assert_succeeded(job)
        return job

    def assert_refused(self, code, reason, call, *arguments, **options):
        with self.assertRaises(grpc.RpcError) as raised:
            call(*arguments, **options)
        self.assertEqual(raised.exception.code(), code, raised.exception)
        self.assertEqual(error_of(raised.exception)[0], reason)
        return raised.exception


class MessyTableTest(TablesTest):
    def test_a_raw_table_trains_and_predicts_with_defaults(self):
        dataset = self.client.upload(AUTO_IMPORTS)
        self.assertEqual(dataset.row_count, 201)
        columns = {column.name: column for column in dataset.columns}
        self.assertEqual(columns["c1"].missing_count, 37)  # normalized losses, `?`
        self.assertEqual(columns["c1"].type, c.dataset.COLUMN_TYPE_NUMERIC)
        self.assertEqual(columns["c2"].kind, c.dataset.COLUMN_KIND_CATEGORY)  # make
        self.assertEqual([q.probability for q in columns["c25"].quantiles], [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
        job = self.train(dataset.name, price_spec())
        self.assertEqual(job.resolved_spec.target_column, "c25")
        self.assertEqual(job.resolved_spec.task, c.spec.TASK_REGRESSION)
        self.assertTrue(any("c25" in warning for warning in job.warnings), job.warnings)
        # In dollars, not in standard deviations.
        self.assertGreater(metric(job.test_metrics, "r2"), 0.6)
        self.assertGreater(metric(job.test_metrics, "rmse"), 100)
        self.check_predictions(job.model)

    def check_predictions(self, model):
        """The file as it was uploaded, and its rows as text, give the same prices."""
        data = AUTO_IMPORTS.read_bytes()
        rows = records_of(data.decode())
        answer = records_of(self.client.predict_table(model, data))
        self.assertEqual(answer[0], ["prediction"])
        prices = [float(record[0]) for record in answer[1:]]
        actual = [float(row[-1]) for row in rows]
        self.assertEqual(len(prices), len(actual))
        self.assertLess(statistics.mean(abs(p - a) for p, a in zip(prices, actual)), 3000)
        by_cells = self.client.predict_cells(model, [row[:-1] for row in rows[:20]])
        for price, prediction in zip(prices, by_cells):
            self.assertAlmostEqual(price, prediction.value, delta=1e-3 * abs(price))

    def test_columns_are_found_by_name_in_any_order(self):
        model = self.train(self.client.upload(IRIS).name, species_spec()).model
        records = records_of(IRIS.read_text())
        turned = "\n".join(",".join(["x", *reversed(record)]) for record in [records[0], *records[1:]])
        self.assertEqual(self.client.predict_table(model, turned.encode()),
                         self.client.predict_table(model, IRIS.read_bytes()))
        without = "\n".join(",".join(record[1:]) for record in records)
        error = self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", self.client.predict_table,
                                    model, without.encode())
        self.assertIn(records[0][0], str(error))

    def test_semicolons_and_decimal_commas_are_found(self):
        dataset = self.client.upload_bytes("größe;preis;art\n1,5;10,25;a\n2,5;-3;b\n3;7,125;a\n".encode())
        self.assertEqual(dataset.csv.delimiter, ";")
        self.assertEqual(dataset.csv.decimal_mark, c.dataset.CsvOptions.COMMA)
        self.assertEqual([column.name for column in dataset.columns], ["größe", "preis", "art"])
        self.assertAlmostEqual(dataset.columns[1].mean, (10.25 - 3 + 7.125) / 3)

    def test_compressed_files_are_the_same_table(self):
        data = IRIS.read_bytes()
        plain = self.client.upload_bytes(data)
        zipped = self.client.upload_bytes(gzip.compress(data))
        self.assertEqual(zipped.compression, c.dataset.COMPRESSION_GZIP)
        self.assertEqual(zipped.table_digest, plain.table_digest)
        zstd = subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
        self.assertEqual(self.client.upload_bytes(zstd).table_digest, plain.table_digest)
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "DATASET_REJECTED", self.client.upload_bytes,
                            gzip.compress(data)[:-40])

    def test_all_rejects_can_be_downloaded(self):
        lines = ["x,y"] + [f"{i},{'oops' if i % 20 == 0 else i}" for i in range(4000)]
        name = self.client.start_upload("\n".join(lines).encode())
        finalize = self.client.datasets.FinalizeDataset
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "DATASET_REJECTED", finalize,
                            c.dataset.FinalizeDatasetRequest(name=name))
        report = records_of(self.client.reject_report(name))
        self.assertEqual(report[0], ["line", "column", "byte_offset", "expected", "actual"])
        self.assertEqual([int(record[0]) for record in report[1:]], [i + 2 for i in range(0, 4000, 20)])
        self.assertEqual(report[1][1::2], ["y", "a number"])
        dataset = finalize(c.dataset.FinalizeDatasetRequest(name=name, csv=c.dataset.CsvOptions(bad_rows_max=200)))
        self.assertEqual(dataset.rejected_row_count, 200)
        self.assertEqual(len(records_of(self.client.reject_report(name))), 201)
        clean = self.client.upload(IRIS)
        self.assert_refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", self.client.reject_report, clean.name)

    def test_a_user_knows_a_column_better(self):
        override = c.dataset.ColumnOverride(index=1, kind=c.dataset.COLUMN_KIND_CATEGORY)
        data = "\n".join(["x,zone,y"] + [f"{i % 7},{i % 3},{i % 3 * 10 + 0.5}" for i in range(120)]).encode()
        dataset = self.client.upload_bytes(data, column_overrides=[override])
        self.assertEqual(dataset.columns[1].kind, c.dataset.COLUMN_KIND_CATEGORY)
        self.assertTrue(dataset.columns[1].kind_given)
        job = self.train(dataset.name, c.spec.TrainingSpec(target_column="y", epochs=100))
        model = self.client.models.GetModel(c.model.GetModelRequest(name=job.model))
        self.assertEqual([feature.encoding for feature in model.features],
                         [c.spec.ENCODING_NUMBER, c.spec.ENCODING_ONE_HOT])
        self.assertEqual(list(model.features[1].categories), ["0", "1", "2"])
        wrong = c.dataset.ColumnOverride(name="zome", kind=c.dataset.COLUMN_KIND_CATEGORY)
        error = self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", self.client.upload_bytes, data,
                                    column_overrides=[wrong])
        self.assertIn("zone", str(error))


class PairOfFilesTest(TablesTest):
    def test_images_and_labels_are_one_dataset(self):
        labels = self.client.upload(LABELS)
        images = self.client.upload_bytes(IMAGES.read_bytes(), labels_dataset=labels.name)
        self.assertEqual((images.row_count, len(images.columns)), (60, 785))
        self.assertEqual(images.format, c.dataset.FILE_FORMAT_IDX)
        self.assertEqual(images.columns[-1].name, "label")
        self.assertEqual(images.labels_digest, labels.digest)
        self.client.datasets.DeleteDataset(c.dataset.DeleteDatasetRequest(name=labels.name))
        job = self.train(images.name, c.spec.TrainingSpec(target_column="label", task=c.spec.TASK_MULTICLASS, epochs=5))
        self.assertEqual(len(job.resolved_spec.feature_columns), 784)
        preview = self.client.datasets.PreviewDataset(c.dataset.PreviewDatasetRequest(name=images.name, row_count=2))
        self.assertEqual(len(preview.rows), 2)

    def test_labels_of_another_length_are_refused(self):
        labels = self.client.upload_bytes(b"label\n1\n2\n3\n")
        error = self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "DATASET_REJECTED", self.client.upload_bytes,
                                    IMAGES.read_bytes(), labels_dataset=labels.name)
        self.assertIn("60", str(error))
        self.assertIn("3", str(error))


class SplitTest(TablesTest):
    def test_folds_are_one_job_with_mean_and_spread(self):
        job = self.train(self.client.upload(IRIS).name,
                         species_spec(split=c.spec.SplitSpec(fold_count=5, stratify=True)))
        self.assertEqual([result.fold for result in job.seed_results], [0, 1, 2, 3, 4])
        accuracies = [metric(result.validation_metrics, "accuracy") for result in job.seed_results]
        spread = next(s for s in job.metric_spreads if s.name == "validation_accuracy")
        self.assertAlmostEqual(spread.mean, statistics.mean(accuracies))
        self.assertAlmostEqual(spread.standard_deviation, statistics.stdev(accuracies))
        self.assertGreater(spread.mean, 0.9)
        self.assertTrue(job.model)

    def test_a_column_says_the_parts_and_another_dataset_is_the_test(self):
        header, *rows = IRIS.read_text().splitlines()
        parts = [header + ",part"] + [f"{row},{('train', 'train', 'val', 'TEST')[i % 4]}" for i, row in enumerate(rows)]
        dataset = self.client.upload_bytes("\n".join(parts).encode())
        job = self.train(dataset.name, species_spec(split=c.spec.SplitSpec(part_column="part")))
        self.assertNotIn("part", job.resolved_spec.feature_columns)
        self.assertEqual(self.rows_tested(job), len(rows[3::4]))
        test = self.client.upload_bytes("\n".join([header, *rows[::3]]).encode())
        train = self.client.upload_bytes("\n".join([header, *rows[1::3], *rows[2::3]]).encode())
        job = self.train(train.name, species_spec(test_dataset=test.name))
        self.assertEqual(self.rows_tested(job), 50)
        self.assertEqual(job.receipt.test_dataset_digest, test.digest)
        other = self.client.upload_bytes(b"a,b\n1,2\n3,4\n")
        error = self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_SPEC", self.client.submit, train.name,
                                    species_spec(test_dataset=other.name))
        self.assertIn("species", str(error))

    def rows_tested(self, job):
        return next(event.test.row_count for event in self.client.events(job.name) if event.HasField("test"))

    def test_rows_of_a_group_stay_together_and_leaks_are_told(self):
        rows = [f"{i % 10},{(i * 7) % 13},{'ab'[i % 2]},{'AB'[i % 2]}" for i in range(200)]
        dataset = self.client.upload_bytes("\n".join(["patient,x,leak,kind", *rows]).encode())
        job = self.train(dataset.name, c.spec.TrainingSpec(target_column="kind", epochs=2,
                                                           split=c.spec.SplitSpec(group_column="patient")))
        self.assertNotIn("patient", job.resolved_spec.feature_columns)
        notes = [event.note.message for event in self.client.events(job.name) if event.HasField("note")]
        self.assertTrue(any("leak" in note for note in notes), notes)


class ModelFilesTest(TablesTest):
    def test_onnx_is_compared_with_the_model_before_it_goes_out(self):
        dataset = self.client.upload(AUTO_IMPORTS).name
        model = self.train(dataset, price_spec(epochs=10)).model
        data, last = self.client.export(model, c.model.MODEL_FORMAT_ONNX)
        self.assertEqual(len(data), last.total_size_bytes)
        self.assertEqual(last.rows_compared, 201)
        self.assertLess(last.largest_difference, 1e-4)
        _, last = self.client.export(model, c.model.MODEL_FORMAT_ONNX, verify_dataset=dataset)
        self.assertEqual(last.rows_compared, 201)
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, "INVALID_STATE", self.client.export, model,
                            c.model.MODEL_FORMAT_ONNX, tolerance=0.0)

    def test_a_bundle_comes_back_as_a_model_to_start_from(self):
        dataset = self.client.upload(IRIS).name
        model = self.train(dataset, species_spec()).model
        data, _ = self.client.export(model, c.model.MODEL_FORMAT_NATIVE)
        request_id = "01234567-89ab-cdef-0123-456789abcdef"
        imported = self.client.import_model(data, "from elsewhere", request_id)
        self.assertEqual(self.client.import_model(data, "from elsewhere", request_id).name, imported.name)
        self.assertEqual(self.client.predict_table(imported.name, IRIS.read_bytes()),
                         self.client.predict_table(model, IRIS.read_bytes()))
        tuned = self.train(dataset, species_spec(initial_model=imported.name, epochs=1))
        self.assertGreater(metric(tuned.test_metrics, "accuracy"), 0.85)
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", self.client.import_model, data[:-5])


if __name__ == "__main__":
    unittest.main()

"""A small client on the published contract: what any program would write with generated stubs."""

import collections
import uuid

import grpc

from support import contract as c

CHUNK_BYTES = 64 * 1024
TERMINAL = (c.job.JOB_STATE_SUCCEEDED, c.job.JOB_STATE_FAILED, c.job.JOB_STATE_CANCELLED)
DEADLINE_SECONDS = 120

_CRC_TABLE = []
for _byte in range(256):
    _crc = _byte
    for _ in range(8):
        _crc = (_crc >> 1) ^ (0x82F63B78 if _crc & 1 else 0)
    _CRC_TABLE.append(_crc)


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def error_of(error: grpc.RpcError):
    """(reason, metadata, field violations) of a failed call."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    status = c.rpc_status.Status.FromString(details)
    info, violations = c.error_details.ErrorInfo(), []
    for detail in status.details:
        detail.Unpack(info)
        bad_request = c.error_details.BadRequest()
        if detail.Unpack(bad_request):
            violations = list(bad_request.field_violations)
    return info.reason, dict(info.metadata), violations


class _Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor,
              grpc.StreamStreamClientInterceptor):
    """Sends a token with every call."""

    def __init__(self, token):
        self.metadata = (("authorization", f"Bearer {token}"),)

    def _call(self, continuation, details, request):
        return continuation(_Details(details.method, details.timeout, self.metadata, None, details.wait_for_ready, None),
                            request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = _call


class _Details(collections.namedtuple("_Details", "method timeout metadata credentials wait_for_ready compression"),
               grpc.ClientCallDetails):
    pass


class Client:
    def __init__(self, address, token="", connection=None):
        """As the user of `token`. `connection`: another client, whose connection is used too, and which outlives this one."""
        # A connection of its own: clients of one address share one otherwise, even one that a killed server left behind.
        self.connection = connection.connection if connection else grpc.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.shared = connection is not None
        self.channel = grpc.intercept_channel(self.connection, _Bearer(token)) if token else self.connection
        self.datasets = c.dataset_grpc.DatasetServiceStub(self.channel)
        self.jobs = c.job_grpc.JobServiceStub(self.channel)
        self.models = c.model_grpc.ModelServiceStub(self.channel)
        self.admin = c.admin_grpc.AdminServiceStub(self.channel)
        self.auth = c.auth_grpc.AuthServiceStub(self.channel)
        self.courses = c.course_grpc.CourseServiceStub(self.channel)
        self.submissions = c.submission_grpc.SubmissionServiceStub(self.channel)
        self.grades = c.grades_grpc.GradeServiceStub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        if not self.shared:
            self.connection.close()

    def write(self, name, data, offset=0):
        """Writes data[offset:] to an upload; returns the committed size."""
        def requests():
            for at in range(offset, len(data), CHUNK_BYTES):
                chunk = data[at:at + CHUNK_BYTES]
                yield c.dataset.WriteDatasetRequest(name=name, offset=at, data=chunk, crc32c=crc32c(chunk))
        return self.datasets.WriteDataset(requests(), timeout=DEADLINE_SECONDS).committed_size_bytes

    def upload(self, path, display_name="", **csv):
        """Create, write, finalize: a READY dataset."""
        with open(path, "rb") as file:
            data = file.read()
        return self.upload_bytes(data, display_name, csv=c.dataset.CsvOptions(**csv))

    def start_upload(self, data, display_name=""):
        """Create and write: the name of an upload that is to be finalized."""
        created = self.datasets.CreateDataset(c.dataset.CreateDatasetRequest(
            dataset=c.dataset.Dataset(display_name=display_name), declared_size_bytes=len(data),
            request_id=str(uuid.uuid4())))
        self.write(created.name, data)
        return created.name

    def upload_bytes(self, data, display_name="", **options):
        """Create, write, finalize with the options of FinalizeDatasetRequest."""
        return self.datasets.FinalizeDataset(c.dataset.FinalizeDatasetRequest(
            name=self.start_upload(data, display_name), **options), timeout=DEADLINE_SECONDS)

    def submit(self, dataset, spec, request_id="", validate_only=False, display_name="", priority=0):
        return self.jobs.CreateTrainingJob(c.job.CreateTrainingJobRequest(
            training_job=c.job.TrainingJob(dataset=dataset, spec=spec, display_name=display_name, priority=priority),
            request_id=request_id or str(uuid.uuid4()), validate_only=validate_only), timeout=DEADLINE_SECONDS)

    def watch(self, name, start_sequence=0):
        return self.jobs.WatchTrainingJob(c.job.WatchTrainingJobRequest(name=name, start_sequence=start_sequence),
                                          timeout=DEADLINE_SECONDS)

    def job(self, name):
        return self.jobs.GetTrainingJob(c.job.GetTrainingJobRequest(name=name), timeout=DEADLINE_SECONDS)

    def wait(self, name, timeout_seconds=100):
        request = c.job.WaitTrainingJobRequest(name=name)
        request.timeout.FromSeconds(timeout_seconds)
        return self.jobs.WaitTrainingJob(request, timeout=timeout_seconds + 20)

    def events(self, name):
        """The whole stored event log."""
        events, start = [], 1
        while start:
            page = self.jobs.ListJobEvents(c.job.ListJobEventsRequest(
                name=name, start_sequence=start, page_size=10000), timeout=DEADLINE_SECONDS)
            events += page.events
            start = page.next_sequence
        return events

    def predict(self, model, rows):
        return self.models.Predict(c.model.PredictRequest(
            name=model, rows=[c.model.PredictRequest.Row(values=row) for row in rows])).predictions

    def predict_cells(self, model, rows):
        return self.models.Predict(c.model.PredictRequest(
            name=model, rows=[c.model.PredictRequest.Row(cells=row) for row in rows])).predictions

    def predict_table(self, model, data, **options):
        """The answer to a whole file, as text."""
        def requests():
            yield c.model.PredictTableRequest(options=c.model.PredictTableRequest.Options(name=model, **options))
            for at in range(0, len(data), CHUNK_BYTES):
                yield c.model.PredictTableRequest(data=data[at:at + CHUNK_BYTES])
        answers = self.models.PredictTable(requests(), timeout=DEADLINE_SECONDS)
        return b"".join(answer.data for answer in answers).decode()

    def export(self, model, model_format, **options):
        """(bytes, the last message)."""
        answers = list(self.models.ExportModel(c.model.ExportModelRequest(name=model, format=model_format, **options),
                                               timeout=DEADLINE_SECONDS))
        return b"".join(answer.data for answer in answers), answers[-1]

    def import_model(self, data, display_name="", request_id=""):
        def requests():
            yield c.model.ImportModelRequest(options=c.model.ImportModelRequest.Options(
                display_name=display_name, request_id=request_id))
            for at in range(0, len(data), CHUNK_BYTES):
                yield c.model.ImportModelRequest(data=data[at:at + CHUNK_BYTES])
        return self.models.ImportModel(requests(), timeout=DEADLINE_SECONDS)

    def reject_report(self, name):
        answers = self.datasets.DownloadRejectReport(c.dataset.DownloadRejectReportRequest(name=name),
                                                     timeout=DEADLINE_SECONDS)
        return b"".join(answer.data for answer in answers).decode()

    def info(self):
        return self.admin.GetServerInfo(c.admin.GetServerInfoRequest(), timeout=DEADLINE_SECONDS)


def diagnosis_spec(**changes):
    """A job on wdbc.csv that ends within a second or two; change fields by name."""
    fields = dict(
        target_column="diagnosis", layers=[c.spec.LayerSpec(units=16, activation=c.spec.ACTIVATION_RELU)],
        optimizer=c.spec.OptimizerSpec(kind=c.spec.OptimizerSpec.ADAM, learning_rate=0.01),
        batch_size=32, epochs=20, seed=7)
    fields.update(changes)
    return c.spec.TrainingSpec(**fields)

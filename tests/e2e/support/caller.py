"""Calls as one user, of any rpc of the contract by its name; whoever listens gets every answer and every error.

    ann = Caller(server.address, bearer, heard=recording.add)
    ann.submissions.GetSubmission(name=...)                  # the answer of a unary rpc
    ann.call("JobService", "WatchTrainingJob", [request])    # a list of answers, whatever streams
"""

import functools

import grpc
from google.protobuf import descriptor_pb2, symbol_database

from support import contract as c
from support.client import error_of

FILES = (c.admin, c.analysis, c.auth, c.course, c.dataset, c.grades, c.job, c.model, c.submission)
DEADLINE_SECONDS = 60


def _services(files):
    """{service: {method: (request class, response class, client streams, server streams)}}"""
    classes = symbol_database.Default().GetPrototype
    services = {}
    for module in files:
        proto = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(proto)
        for service in proto.service:
            found = module.DESCRIPTOR.services_by_name[service.name].methods_by_name
            services[service.name] = {
                method.name: (classes(found[method.name].input_type), classes(found[method.name].output_type),
                              method.client_streaming, method.server_streaming) for method in service.method}
    return services


SERVICES = _services(FILES)
WORKER = _services((c.worker,))


class Refused(AssertionError):
    """An rpc that was refused: `code` and `reason` by name, `text` for people, `violations` of fields."""

    def __init__(self, method, error):
        self.code, self.text = error.code().name, error.details() or ""
        self.reason, self.metadata, self.violations = "", {}, []
        trailers = dict(error.trailing_metadata() or ())
        self.details = trailers.get("grpc-status-details-bin", b"")
        if self.details:
            self.reason, self.metadata, self.violations = error_of(error)
        super().__init__(f"{method}: {self.code} {self.reason}: {self.text}")

    def retry_seconds(self):
        """When to try again; 0 when that is not said."""
        retry = c.error_details.RetryInfo()
        found = [detail for detail in c.rpc_status.Status.FromString(self.details).details if detail.Unpack(retry)]
        return retry.retry_delay.seconds if found else 0

    def said(self):
        """All text of it."""
        return "\n".join([self.text, *(f"{key}={value}" for key, value in self.metadata.items()),
                          *(f"{each.field}: {each.description}" for each in self.violations)])


class _Stub:
    def __init__(self, caller, service):
        self._caller, self._service = caller, service

    def __getattr__(self, method):
        request = SERVICES[self._service][method][0]
        return lambda **fields: self._caller.call(self._service, method, [request(**fields)])[0]


class Caller:
    def __init__(self, address, bearer="", user="", heard=None):
        self.user, self.bearer = user, bearer
        self.channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.heard = heard or (lambda *unused: None)
        for service in SERVICES:
            name = service[:-len("Service")].lower() + "s"
            setattr(self, name, _Stub(self, service))

    def close(self):
        self.channel.close()

    def call(self, service, method, requests, services=SERVICES, metadata=()):
        """The answers. Raises Refused."""
        request, response, client_streams, server_streams = services[service][method]
        full = f"/trainyard.v1.{service}/{method}"
        serialize, parse = request.SerializeToString, response.FromString
        metadata = [*metadata, *([("authorization", f"Bearer {self.bearer}")] if self.bearer else [])]
        streams = ("stream" if client_streams else "unary") + "_" + ("stream" if server_streams else "unary")
        stub = getattr(self.channel, streams)(full, serialize, parse)
        sent = iter(requests) if client_streams else requests[0]
        answers = []
        try:
            got = stub(sent, metadata=metadata, timeout=DEADLINE_SECONDS)
            for answer in got if server_streams else [got]:
                answers.append(answer)
                self.heard(self.user, full, answer)
        except grpc.RpcError as error:
            refused = Refused(full, error)
            self.heard(self.user, full, refused)
            raise refused from None
        return answers

    def raw(self, service, method, data):
        """A unary call with bytes that need not be a message. Raises Refused."""
        full = f"/trainyard.v1.{service}/{method}"
        stub = self.channel.unary_unary(full, None, None)
        try:
            return stub(data, metadata=[("authorization", f"Bearer {self.bearer}")], timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            raise Refused(full, error) from None

    @functools.cached_property
    def token_id(self):
        return self.bearer.split("_")[1]

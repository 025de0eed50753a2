#include "server/rpc/serve.h"

#include <exception>
#include <new>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"

namespace trainyard {
namespace {

// One unary call on its way through a pool.
struct UnaryCall {
  UnaryCall(const RpcContext& rpc, grpc::CallbackServerContext* call, const char* method,
            const google::protobuf::Message* the_request,
            const google::protobuf::Message* the_response)
      : scope(rpc, call, method, RpcType::kUnary),
        reactor(call->DefaultReactor()),
        request(the_request),
        response(the_response) {}

  void Finish(const absl::Status& status) {
    if (request != nullptr) scope.NoteRequest(*request);
    if (status.ok()) {
      scope.NoteAnswer(*response);
      scope.MessageSent();
    }
    reactor->Finish(scope.End(status));
  }

  CallScope scope;
  grpc::ServerUnaryReactor* const reactor;
  const google::protobuf::Message* const request;  // null: it is not audited
  const google::protobuf::Message* const response;
  Principal principal;
};

absl::Status RunBody(const UnaryCall& call, const UnaryBody& body) {
  // It may have waited long in the queue; nobody may want the answer any more.
  absl::Status status = call.scope.CheckAlive();
  if (!status.ok()) return status;
  status = Guarded([&] { return body(call.principal); });
  return status.ok() ? CheckAnswerSize(*call.response) : status;
}

}  // namespace

grpc::ServerUnaryReactor* Serve(const RpcContext& rpc, grpc::CallbackServerContext* call,
                                const char* method, Executor* pool,
                                const google::protobuf::Message* response, UnaryBody body) {
  return Serve(rpc, call, method, pool, nullptr, response, std::move(body));
}

grpc::ServerUnaryReactor* Serve(const RpcContext& rpc, grpc::CallbackServerContext* call,
                                const char* method, Executor* pool,
                                const google::protobuf::Message* request,
                                const google::protobuf::Message* response, UnaryBody body) {
  auto unary = std::make_shared<UnaryCall>(rpc, call, method, request, response);
  unary->scope.MessageReceived();
  absl::StatusOr<Principal> principal = unary->scope.Begin();
  if (!principal.ok()) {
    unary->Finish(principal.status());
    return unary->reactor;
  }
  unary->principal = *std::move(principal);
  const bool queued =
      pool->Submit([unary, body = std::move(body)] { unary->Finish(RunBody(*unary, body)); });
  if (!queued) unary->Finish(BusyError());
  return unary->reactor;
}

absl::Status Guarded(const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     "the server has too little memory for this request",
                     {.reason = ErrorReason::kOutOfMemory,
                      .hint = "use a smaller table or model, or a machine with more memory"});
  } catch (const std::exception& exception) {
    return MakeError(absl::StatusCode::kInternal, absl::StrCat("unexpected: ", exception.what()),
                     {.reason = ErrorReason::kInternal,
                      .hint = "this is a bug of the server; please report it"});
  }
}

absl::Status CheckAnswerSize(const google::protobuf::Message& response) {
  const size_t size = response.ByteSizeLong();
  if (size <= static_cast<size_t>(limits::kAnswerBytesMax)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the answer has ", size, " bytes, more than one answer may have"),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "ask for less at once, e.g. with a smaller page_size",
                    .in_force = absl::StrCat("at most ", limits::kAnswerBytesMax, " bytes")});
}

}  // namespace trainyard

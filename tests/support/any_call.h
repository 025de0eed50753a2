// Calls of any rpc by its name: what a table over the whole contract needs.
//
//   for (const std::string& method : ContractMethods()) { … AnyCall(channel, method, bearer,
//   request) … }
//
// Thread-safety: functions.
#ifndef TRAINYARD_TESTS_SUPPORT_ANY_CALL_H_
#define TRAINYARD_TESTS_SUPPORT_ANY_CALL_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "google/protobuf/descriptor.h"
#include "server/rpc/rpc_status.h"

namespace trainyard {

// Every rpc that clients may call, as "/package.Service/Method", by the files of proto/: a new file
// or rpc is there by itself. REQUIRES: the binary links the server, and with it the contract.
inline std::vector<std::string> ContractMethods() {
  std::vector<std::string> methods;
  for (const auto& entry :
       std::filesystem::directory_iterator(TY_SOURCE_DIR "/proto/trainyard/v1")) {
    const std::string name = "trainyard/v1/" + entry.path().filename().string();
    if (name == "trainyard/v1/worker.proto") continue;  // not served to clients
    const google::protobuf::FileDescriptor* const file =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    TY_CHECK(file != nullptr);
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        methods.push_back(absl::StrCat("/", file->service(s)->full_name(), "/",
                                       file->service(s)->method(m)->name()));
      }
    }
  }
  return methods;
}

// One message there, all messages back, whatever the shape of the rpc; how it ended. Empty
// `bearer`: no token.
inline absl::Status AnyCall(const std::shared_ptr<grpc::Channel>& channel,
                            const std::string& method, const std::string& bearer,
                            const std::string& request_bytes) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  if (!bearer.empty()) context.AddMetadata("authorization", "Bearer " + bearer);
  grpc::CompletionQueue queue;
  const auto await = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    TY_CHECK(queue.Next(&tag, &ok));
    return ok;
  };
  const auto stream = stub.PrepareCall(&context, method, &queue);
  stream->StartCall(nullptr);
  await();
  const grpc::Slice slice(request_bytes);
  stream->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
  await();  // false when the server has ended the call already
  grpc::ByteBuffer response;
  do {
    stream->Read(&response, nullptr);
  } while (await());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  await();
  return FromGrpcStatus(status);
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_ANY_CALL_H_

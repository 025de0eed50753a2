// A server in this process that answers any call of the contract from a script, and writes down
// what it was asked.
//
//   ScriptedServer server;
//   server.Answer("GetCourse", {R"(name: "courses/dl")"});
//   ... call it at server.address() ...
//   EXPECT_THAT(server.requests(), ElementsAre(R"(GetCourse name: "courses/dl")"));
//
// It knows the methods by their descriptors, so it has nothing of its own for any of them.
//
// Thread-safety: all methods from any thread.
#ifndef TRAINYARD_TESTS_CLIENT_SCRIPTED_SERVER_H_
#define TRAINYARD_TESTS_CLIENT_SCRIPTED_SERVER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "client/remote.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/wire/error_detail.h"

namespace trainyard {

class ScriptedServer : public grpc::CallbackGenericService {
 public:
  ScriptedServer() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~ScriptedServer() override { server_->Shutdown(); }

  const std::string& address() const { return address_; }

  // The answers of `method` in turn, as text format; the last one stays. Without any: an empty one.
  void Answer(const std::string& method, std::vector<std::string> texts) {
    const absl::MutexLock lock(&mutex_);
    answers_[method] = std::move(texts);
  }
  void Refuse(const std::string& method, const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    refusals_[method] = status;
  }
  // "{method} {request in one line}" of every call in order. A request id is left out, and must be
  // there.
  std::vector<std::string> requests() const {
    const absl::MutexLock lock(&mutex_);
    return requests_;
  }

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Call(this, context->method());
  }

 private:
  using Message = google::protobuf::Message;

  // One request, one answer; a stream of the server has one message.
  class Call : public grpc::ServerGenericBidiReactor {
   public:
    Call(ScriptedServer* server, std::string path) : server_(server), path_(std::move(path)) {
      StartRead(&request_);
    }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);
      const grpc::Status status = server_->Handle(path_, request_, &response_);
      if (!status.ok()) return Finish(status);
      StartWriteAndFinish(&response_, grpc::WriteOptions(), status);
    }
    void OnDone() override { delete this; }

   private:
    ScriptedServer* const server_;
    const std::string path_;
    grpc::ByteBuffer request_, response_;
  };

  static std::unique_ptr<Message> NewMessage(const google::protobuf::Descriptor* type) {
    return std::unique_ptr<Message>(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  }

  static std::string Line(Message* request) {
    const auto* id = request->GetDescriptor()->FindFieldByName("request_id");
    if (id != nullptr) {
      EXPECT_NE(request->GetReflection()->GetString(*request, id), "");
      request->GetReflection()->ClearField(request, id);
    }
    return request->ShortDebugString();
  }

  grpc::Status Handle(const std::string& path, const grpc::ByteBuffer& bytes,
                      grpc::ByteBuffer* answer) {
    const std::string full_name = absl::StrReplaceAll(path.substr(1), {{"/", "."}});
    const google::protobuf::MethodDescriptor* const method =
        google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(full_name);
    const std::unique_ptr<Message> request = NewMessage(method->input_type());
    grpc::Slice slice;
    EXPECT_TRUE(bytes.DumpToSingleSlice(&slice).ok());
    EXPECT_TRUE(request->ParseFromArray(slice.begin(), static_cast<int>(slice.size())));
    const absl::MutexLock lock(&mutex_);
    requests_.push_back(absl::StrCat(method->name(), " ", Line(request.get())));
    const absl::Status refusal = refusals_[method->name()];
    if (!refusal.ok()) {
      const WireError wire = EncodeError(refusal);
      return grpc::Status(static_cast<grpc::StatusCode>(wire.code), wire.message, wire.details);
    }
    const std::unique_ptr<Message> response = NewMessage(method->output_type());
    EXPECT_TRUE(
        google::protobuf::TextFormat::ParseFromString(NextAnswer(method->name()), response.get()));
    const grpc::Slice written(response->SerializeAsString());
    *answer = grpc::ByteBuffer(&written, 1);
    return grpc::Status::OK;
  }

  std::string NextAnswer(const std::string& method) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<std::string>& texts = answers_[method];
    if (texts.empty()) return "";
    const std::string text = texts.front();
    if (texts.size() > 1) texts.erase(texts.begin());
    return text;
  }

  mutable absl::Mutex mutex_;
  std::map<std::string, std::vector<std::string>> answers_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Status> refusals_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_CLIENT_SCRIPTED_SERVER_H_

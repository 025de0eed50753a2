// `trainyard verify` on receipts that Python signed (tests/golden/make_receipts.py), without a
// server and with one that says its key.
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Golden(const std::string& name) {
  return TY_SOURCE_DIR "/tests/golden/receipt/" + name;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::string File(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

class FakeSubmissions : public v1::SubmissionService::Service {
 public:
  grpc::Status GetSigningKey(grpc::ServerContext*, const v1::GetSigningKeyRequest*,
                             v1::SigningKey* key) override {
    ++calls;
    key->set_public_key(ReadFile(Golden("public_key.txt")).substr(0, 64));
    return grpc::Status::OK;
  }
  int calls = 0;
};

class VerifyCommandTest : public testing::Test {
 protected:
  // Nobody listens on port 1: what needs no server must not ask one.
  ExitCode Run(std::vector<std::string> arguments, int port = 1) {
    arguments.insert(arguments.begin(), {absl::StrCat("--server=127.0.0.1:", port), "verify"});
    out_.str("");
    err_.str("");
    return RunCli(arguments, {out_, err_}, &interrupt_, {});
  }
  const std::string key_file_ = "--public-key-file=" + Golden("public_key.txt");
  Interrupt interrupt_;
  std::ostringstream out_, err_;
};

TEST_F(VerifyCommandTest, SaysWhatAReceiptSays) {
  EXPECT_EQ(Run({Golden("released.json"), key_file_}), ExitCode::kOk) << err_.str();
  for (const char* said :
       {"the signature holds", "40 of 100", "2027-02-10 18:40:55Z", "hw-mlp/submissions/s1",
        "sha256:ffffffff", "accuracy 0.92", "56475aa75463474c"}) {
    EXPECT_THAT(out_.str(), HasSubstr(said));
  }
  const std::string key = ReadFile(Golden("public_key.txt")).substr(0, 64);
  EXPECT_EQ(Run({Golden("student.json"), "--public-key", key}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("withheld"));
}

TEST_F(VerifyCommandTest, SaysForWhichRepositoryItIs) {
  EXPECT_EQ(Run({Golden("sourced.json"), key_file_}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(),
              HasSubstr("repository 42, commit c0ffee, run 987654, proven by an identity token\n"));
  EXPECT_EQ(Run({Golden("released.json"), key_file_}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), Not(HasSubstr("source")));
}

TEST_F(VerifyCommandTest, JsonIsTheReceipt) {
  EXPECT_EQ(Run({Golden("staff.json"), key_file_, "-o", "json"}), ExitCode::kOk) << err_.str();
  EXPECT_EQ(out_.str(), ReadFile(Golden("staff.json")) + "\n");
}

TEST_F(VerifyCommandTest, WithoutAKeyTheServerIsAsked) {
  FakeSubmissions submissions;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&submissions);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  EXPECT_EQ(Run({Golden("student.json")}, port), ExitCode::kOk) << err_.str();
  EXPECT_EQ(submissions.calls, 1);
  EXPECT_EQ(Run({Golden("student.json")}), ExitCode::kUnreachable);
}

TEST_F(VerifyCommandTest, AnAlteredReceiptIsRefused) {
  const std::string altered =
      absl::StrReplaceAll(ReadFile(Golden("released.json")), {{"\"points\":40", "\"points\":90"}});
  EXPECT_EQ(Run({File("altered.json", altered), key_file_}), ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("altered after it was signed"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("90")));
}

TEST_F(VerifyCommandTest, AnotherKeyIsRefused) {
  EXPECT_EQ(Run({Golden("released.json"), "--public-key", std::string(64, 'a')}),
            ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("signed with key \"56475aa75463474c\""));
}

TEST_F(VerifyCommandTest, WhatCannotBeReadIsUsage) {
  EXPECT_EQ(Run({File("text.json", "hello"), key_file_}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("no receipt"));
  EXPECT_EQ(Run({"/nonexistent.json", key_file_}), ExitCode::kUsage);
  EXPECT_EQ(Run({Golden("student.json"), "--public-key", "abc"}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("64 hex digits"));
}

}  // namespace
}  // namespace trainyard

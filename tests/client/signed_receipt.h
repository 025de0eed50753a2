// Receipts for a ScriptedServer to answer with: signed by whatever key a test has.
//
//   ReceiptFields fields = ReceiptOf(R"(name: "courses/dl/assignments/hw1/submissions/s1" ...)");
//   server.Answer("GetReceipt", {ReceiptAnswer(fields, key)});
//   server.Answer("GetSigningKey", {KeyAnswer(key)});
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_TESTS_CLIENT_SIGNED_RECEIPT_H_
#define TRAINYARD_TESTS_CLIENT_SIGNED_RECEIPT_H_

#include <string>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/wire/receipt.h"
#include "server/wire/receipt_result.h"
#include "server/wire/signature.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

// What an honest server signs of `submission`, given as text format: its own name, student, spec,
// result and receipt, the rest made up.
inline ReceiptFields ReceiptOf(const std::string& submission) {
  v1::Submission told;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(submission, &told));
  const std::string digest = "sha256:" + std::string(64, 'e');
  ReceiptFields fields;
  fields.id = told.receipt();
  fields.assignment = told.name().substr(0, told.name().find("/submissions/"));
  fields.course = fields.assignment.substr(0, fields.assignment.find("/assignments/"));
  fields.assignment_version = fields.policy_version = 1;
  fields.policy_digest = digest;
  fields.student = told.student();
  fields.submission = told.name();
  fields.accepted_at = fields.graded_at = absl::FromUnixSeconds(1'000'000);
  fields.spec_digest = told.spec_digest();
  fields.spec = Json::Object();
  fields.runs = {{.result_digest = digest}};
  fields.engine = {"0.1.0 (abc)", "2.6.3", "AVX2", 1, "a CPU", true};
  fields.released = !told.withheld();
  if (told.has_public_score()) fields.public_score = told.public_score();
  fields.result = ReceiptResultOf(told.result());
  return fields;
}

inline std::string DocumentAnswer(const std::string& document) {
  v1::Receipt receipt;
  receipt.set_document(document);
  return receipt.ShortDebugString();
}

inline std::string ReceiptAnswer(const ReceiptFields& fields, const SigningKey& key) {
  const absl::StatusOr<std::string> document = BuildReceipt(fields, ReceiptCopy::kStudent, key);
  EXPECT_TRUE(document.ok()) << document.status();
  return document.ok() ? DocumentAnswer(*document) : "";
}

inline std::string KeyAnswer(const SigningKey& key) {
  v1::SigningKey answer;
  answer.set_public_key(key.public_key());
  answer.set_key_id(key.key_id());
  return answer.ShortDebugString();
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_CLIENT_SIGNED_RECEIPT_H_

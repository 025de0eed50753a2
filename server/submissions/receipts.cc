#include "server/submissions/receipts.h"

#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/grading/course_gradebook.h"
#include "server/grading/course_names.h"
#include "server/wire/canonical_json.h"
#include "server/wire/receipt.h"
#include "server/wire/receipt_result.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

absl::StatusOr<Json> SpecJson(const v1::TrainingSpec& spec) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (google::protobuf::util::MessageToJsonString(spec, &json, options).ok()) {
    return ParseJson(json, {.numbers_as_text = true});
  }
  return MakeError(absl::StatusCode::kInternal, "a spec cannot be written as JSON",
                   {.reason = ErrorReason::kInternal});
}

// REQUIRES: `engine_class` is build|oneDNN|ISA|threads.
ReceiptEngine EngineOf(const v1::SealedRecord& sealed) {
  const std::vector<std::string> parts = absl::StrSplit(sealed.engine_class(), '|');
  ReceiptEngine engine{.cpu_family = sealed.cpu_family(), .deterministic = true};
  if (parts.size() != 4) return engine;
  engine.build = parts[0];
  engine.onednn_version = parts[1];
  engine.isa = parts[2];
  if (!absl::SimpleAtoi(parts[3], &engine.threads)) engine.threads = 0;
  return engine;
}

std::vector<ReceiptDataset> DataOf(const v1::PublishedAssignment& published) {
  std::vector<ReceiptDataset> data;
  for (const v1::DatasetCommitment& commitment : published.assignment().commitments()) {
    const std::string& role = commitment.role();
    const std::string& digest = role == "training" ? published.training_table_digest()
                                : role == "public" ? published.public_table_digest()
                                                   : published.sealed_table_digest();
    data.push_back({.role = role, .commitment = commitment.commitment(), .table_digest = digest});
  }
  return data;
}

std::vector<ReceiptRun> RunsOf(const v1::SealedRecord& sealed) {
  std::vector<ReceiptRun> runs;
  for (const v1::SealedRecord::Run& run : sealed.runs()) {
    ReceiptRun added{.result_digest = run.result_digest(), .seed = run.seed()};
    if (run.has_public_value()) added.public_value = run.public_value();
    if (run.has_sealed_value()) added.sealed_value = run.sealed_value();
    runs.push_back(std::move(added));
  }
  return runs;
}

// Where nobody said or proved anything there is none.
std::optional<ReceiptSource> SourceOf(const v1::SubmissionSource& proto) {
  ReceiptSource source{.repository_id = proto.repository_id(),
                       .commit = proto.commit(),
                       .run_id = proto.run_id(),
                       .verified = proto.verified()};
  if (source == ReceiptSource()) return std::nullopt;
  return source;
}

absl::StatusOr<ReceiptFields> FieldsOf(const CourseState& state, const std::string& previous,
                                       const StoredSubmission& submission) {
  const v1::Submission& record = submission.record;
  TY_ASSIGN_OR_RETURN(const SubmissionName name, ParseSubmissionName("name", record.name()));
  const v1::PublishedAssignment* published =
      state.Find(name.parent.assignment, record.assignment_version());
  const v1::PolicyVersion* policy = FindPolicy(state, 0);
  if (published == nullptr || policy == nullptr) {
    return MakeError(absl::StatusCode::kInternal,
                     absl::StrCat(record.name(), " has no assignment or policy"),
                     {.reason = ErrorReason::kInternal});
  }
  ReceiptFields fields{.id = record.receipt(),
                       .course = name.parent.Course(),
                       .assignment = name.parent.ToString(),
                       .assignment_version = record.assignment_version(),
                       .policy_version = policy->version(),
                       .policy_digest = policy->digest(),
                       .student = record.student(),
                       .submission = record.name(),
                       .accepted_at = FromTimestamp(record.accepted_at()),
                       .graded_at = FromTimestamp(record.finish_time()),
                       .spec_digest = record.spec_digest(),
                       .data = DataOf(*published),
                       .runs = RunsOf(submission.sealed),
                       .engine = EngineOf(submission.sealed),
                       .work = {.parameters = record.work().parameters(),
                                .train_flops = record.work().train_flops(),
                                .epochs = record.work().epochs()},
                       .source = SourceOf(record.source()),
                       // The trainings show them to their student, too.
                       .seeds_revealed = true,
                       .result = ReceiptResultOf(submission.sealed.result()),
                       .previous = previous};
  TY_ASSIGN_OR_RETURN(fields.spec, SpecJson(record.canonical_spec()));
  if (record.has_public_score()) fields.public_score = record.public_score();
  return fields;
}

}  // namespace

absl::Status SignReceipts(const CourseState& state, const std::string& previous,
                          const SigningKey& key, bool released, StoredSubmission* submission) {
  submission->record.set_receipt(absl::StrCat("ty_", NewId()));
  TY_ASSIGN_OR_RETURN(ReceiptFields fields, FieldsOf(state, previous, *submission));
  TY_ASSIGN_OR_RETURN(*submission->sealed.mutable_staff_receipt(),
                      BuildReceipt(fields, ReceiptCopy::kStaff, key));
  TY_ASSIGN_OR_RETURN(*submission->sealed.mutable_student_receipt(),
                      BuildReceipt(fields, ReceiptCopy::kStudent, key));
  submission->sealed.set_receipt_digest(ReceiptDigest(submission->sealed.staff_receipt()));
  if (!released) return absl::OkStatus();
  fields.released = true;
  TY_ASSIGN_OR_RETURN(*submission->sealed.mutable_released_receipt(),
                      BuildReceipt(fields, ReceiptCopy::kStudent, key));
  return absl::OkStatus();
}

absl::Status SignReleased(const SigningKey& key, StoredSubmission* submission) {
  TY_ASSIGN_OR_RETURN(Receipt receipt, ParseReceipt(submission->sealed.staff_receipt()));
  receipt.fields.released = true;
  TY_ASSIGN_OR_RETURN(*submission->sealed.mutable_released_receipt(),
                      BuildReceipt(receipt.fields, ReceiptCopy::kStudent, key));
  return absl::OkStatus();
}

std::string CpuFamily() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(parts.first) != "model name") continue;
    return std::string(absl::StripAsciiWhitespace(parts.second));
  }
  return "unknown";
}

}  // namespace trainyard

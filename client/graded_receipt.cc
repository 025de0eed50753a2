#include "client/graded_receipt.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/grade_outcome.h"
#include "core/base/error_info.h"
#include "server/wire/receipt.h"
#include "server/wire/receipt_result.h"
#include "server/wire/signature.h"

namespace trainyard {
namespace {

using Differences = std::vector<std::string>;

void CompareText(absl::string_view what, const std::string& signed_text, const std::string& told,
                 Differences* differences) {
  if (signed_text == told) return;
  differences->push_back(absl::StrCat(what, " \"", signed_text, "\", not \"", told, "\""));
}

// All of it, since the documents of graders and --at-least go by more than the points.
void CompareResult(const ReceiptResult& result, const ReceiptResult& told,
                   Differences* differences) {
  const auto points = [](const ReceiptResult& of) {
    return absl::StrCat(of.points, " of ", of.max_points);
  };
  CompareText("points", points(result), points(told), differences);
  // With all digits, in which different numbers look different.
  CompareText("score", absl::StrFormat("%.17g", result.score), absl::StrFormat("%.17g", told.score),
              differences);
  CompareText("metric", result.metric, told.metric, differences);
  const auto data = [](bool sealed) { return sealed ? "sealed" : "public"; };
  CompareText("data", data(result.sealed), data(told.sealed), differences);
  if (result.criteria != told.criteria) differences->push_back("other criteria");
}

std::string PublicScoreText(const std::optional<double>& score) {
  return score.has_value() ? absl::StrFormat("%.17g", *score) : "none";
}

Differences DifferencesOf(const ReceiptFields& fields, const v1::Submission& told,
                          const ReceiptExpectation& expected) {
  Differences differences;
  CompareText("submission", fields.submission, expected.submission, &differences);
  if (told.name() != expected.submission) {
    CompareText("submission", fields.submission, told.name(), &differences);
  }
  CompareText("assignment", fields.assignment, expected.assignment, &differences);
  CompareText("student", fields.student, told.student(), &differences);
  CompareText("spec", fields.spec_digest, told.spec_digest(), &differences);
  CompareText("id", fields.id, told.receipt(), &differences);
  const bool bound =
      !expected.repository_id.empty() && fields.source.has_value() && fields.source->verified;
  if (bound) {
    CompareText("repository", fields.source->repository_id, expected.repository_id, &differences);
  }
  CompareText("public score", PublicScoreText(fields.public_score),
              PublicScoreText(told.has_public_score() ? std::optional(told.public_score())
                                                      : std::nullopt),
              &differences);
  const auto points = [](bool released) { return released ? "released" : "withheld"; };
  CompareText("points", points(fields.result.has_value()), points(IsReleased(told)), &differences);
  if (fields.result.has_value() && IsReleased(told)) {
    CompareResult(*fields.result, ReceiptResultOf(told.result()), &differences);
  }
  return differences;
}

absl::Status NotTrusted(absl::string_view why, const std::string& public_key) {
  return MakeError(
      absl::StatusCode::kFailedPrecondition, why,
      {.reason = ErrorReason::kDigestMismatch,
       .hint = "take no points from this answer; ask again, then show it to the course's staff",
       .in_force = absl::StrCat("key ", KeyId(public_key))});
}

}  // namespace

absl::Status CheckReceipt(const std::string& document, const std::string& public_key,
                          const v1::Submission& told, const ReceiptExpectation& expected) {
  const absl::StatusOr<Receipt> receipt = VerifyReceipt(document, public_key);
  // One code for all of them: whatever is wrong with it, nobody vouches for the points.
  if (!receipt.ok()) {
    return NotTrusted(
        absl::StrCat("receipt of ", expected.submission, ": ", receipt.status().message()),
        public_key);
  }
  const Differences differences = DifferencesOf(receipt->fields, told, expected);
  if (differences.empty()) return absl::OkStatus();
  return NotTrusted(
      absl::StrCat("the receipt of ", expected.submission,
                   " does not say what the server says: it has ", absl::StrJoin(differences, "; ")),
      public_key);
}

}  // namespace trainyard

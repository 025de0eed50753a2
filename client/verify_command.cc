#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command.h"
#include "client/local_file.h"
#include "client/public_key.h"
#include "client/render.h"
#include "core/base/status_macros.h"
#include "server/wire/canonical_json.h"
#include "server/wire/receipt.h"

namespace trainyard {
namespace {

struct VerifyOptions {
  std::string path;
  PublicKeyOptions key;
};

std::string PointsText(const ReceiptFields& fields) {
  if (!fields.result.has_value()) return "withheld until they are released";
  const ReceiptResult& result = *fields.result;
  return absl::StrCat(result.points, " of ", result.max_points, " (",
                      absl::AsciiStrToLower(result.metric), " ", FormatNumber(result.score),
                      result.sealed ? ", sealed data)" : ", public data)");
}

// Empty when nobody said where it came from.
std::string SourceText(const std::optional<ReceiptSource>& source) {
  if (!source.has_value()) return "";
  std::vector<std::string> parts;
  const auto add = [&](absl::string_view what, const std::string& value) {
    if (!value.empty()) parts.push_back(absl::StrCat(what, " ", value));
  };
  add("repository", source->repository_id);
  add("commit", source->commit);
  add("run", source->run_id);
  parts.push_back(source->verified ? "proven by an identity token" : "as the submitter said");
  return absl::StrJoin(parts, ", ");
}

std::string EngineText(const ReceiptEngine& engine) {
  return absl::StrCat(engine.build, ", oneDNN ", engine.onednn_version, " ", engine.isa, ", ",
                      engine.threads, " threads, ", engine.cpu_family,
                      engine.deterministic ? ", deterministic" : "");
}

std::string DescribeReceipt(const Receipt& receipt) {
  const ReceiptFields& fields = receipt.fields;
  std::vector<std::pair<std::string, std::string>> lines = {
      {"receipt", fields.id},
      {"copy", receipt.copy == ReceiptCopy::kStaff ? "staff" : "student"},
      {"student", fields.student},
      {"submission", fields.submission},
      {"assignment version", absl::StrCat(fields.assignment_version)},
      {"accepted", TimeText(fields.accepted_at)},
      {"graded", TimeText(fields.graded_at)},
      {"points", PointsText(fields)}};
  if (fields.public_score.has_value()) {
    lines.push_back({"public score", FormatNumber(*fields.public_score)});
  }
  lines.push_back({"source", SourceText(fields.source)});
  lines.push_back({"spec", fields.spec_digest});
  lines.push_back(
      {"policy", absl::StrCat("version ", fields.policy_version, ", ", fields.policy_digest)});
  lines.push_back({"engine", EngineText(fields.engine)});
  lines.push_back({"seeds", absl::StrCat(fields.runs.size())});
  lines.push_back({"signed with key", receipt.key_id});
  return absl::StrCat("the signature holds\n", KeyValueLines(lines));
}

ExitOr RunVerify(Session& session, const VerifyOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::string document, ReadWhole(options.path, kJsonBytesMax));
  TY_ASSIGN_OR_RETURN(const std::string given, GivenPublicKey(options.key));
  TY_ASSIGN_OR_RETURN(const std::string public_key, PublicKeyOr(session, given));
  const absl::StatusOr<Receipt> receipt = VerifyReceipt(document, public_key);
  if (receipt.ok()) {
    session.screen.Print(session.screen.json() ? absl::StrCat(document, "\n")
                                               : DescribeReceipt(*receipt));
    return ExitCode::kOk;
  }
  const absl::Status named = Annotate(receipt.status(), options.path);
  // What cannot be read says nothing; a signature that does not hold says no.
  if (absl::IsInvalidArgument(named)) return AsUsageError(named);
  session.screen.ShowError(named);
  return ExitCode::kRefused;
}

}  // namespace

void AddVerifyCommand(CLI::App* app, Command* chosen) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* const command =
      AddCommand(app, "verify", "Check the signature of a receipt, and show what it says", options,
                 &RunVerify, chosen);
  command->add_option("RECEIPT", options->path, "File with the receipt")->required();
  AddPublicKeyFlags(command, &options->key);
}

}  // namespace trainyard

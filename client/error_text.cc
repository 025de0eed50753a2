#include "client/error_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/proto_text.h"
#include "client/render.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

// More would push what happened off the screen.
constexpr size_t kRejectsInTextMax = 20;

// Tables have one line per bad cell; other requests name fields of any length.
std::string ViolationLines(const ErrorInfo& info) {
  if (info.reason == ErrorReason::kDatasetRejected) {
    TextTable table({{"  WHERE"}, {"WHAT"}});
    const size_t shown = std::min(info.violations.size(), kRejectsInTextMax);
    for (size_t i = 0; i < shown; ++i) {
      const FieldViolation& violation = info.violations[i];
      table.AddRow({absl::StrCat("  ", violation.field), violation.description});
    }
    const size_t more = info.violations.size() - shown;
    return absl::StrCat(table.Render(), more == 0 ? "" : absl::StrCat("  and ", more, " more\n"));
  }
  std::string lines;
  for (const FieldViolation& violation : info.violations) {
    absl::StrAppend(&lines, "  ", Printable(violation.field), violation.field.empty() ? "" : ": ",
                    Printable(violation.description), "\n");
  }
  return lines;
}

// MakeViolationsError repeats the first violations in its message, for clients that show nothing
// else.
bool RepeatsViolations(absl::string_view message, const ErrorInfo& info) {
  return !info.violations.empty() &&
         absl::StartsWith(message, absl::StrCat(info.violations[0].field, ": "));
}

std::string Headline(const absl::Status& status, const ErrorInfo& info) {
  if (!RepeatsViolations(status.message(), info)) return Printable(status.message());
  const size_t count = info.violations.size();
  return absl::StrCat(count, count == 1 ? " fault" : " faults");
}

std::string Remedy(absl::string_view hint, absl::string_view in_force) {
  std::string lines;
  // Our own hints may have several lines.
  absl::string_view head = "  how to go on: ";
  for (const absl::string_view line : absl::StrSplit(hint, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&lines, head, Printable(line), "\n");
    head = "    ";
  }
  if (!in_force.empty()) absl::StrAppend(&lines, "  in force: ", Printable(in_force), "\n");
  return lines;
}

std::string RetryLine(const ErrorInfo& info) {
  for (const auto& [key, value] : info.metadata) {
    if (key == kRetryAfterKey) return absl::StrCat("  try again after: ", Printable(value), "s\n");
  }
  return "";
}

}  // namespace

std::string DescribeError(const absl::Status& status) {
  TY_CHECK(!status.ok());
  const ErrorInfo info = ErrorInfoOf(status);
  // A server that was never reached has given no reason.
  const std::string reason = info.reason == ErrorReason::kUnspecified
                                 ? ""
                                 : absl::StrCat(" (", ErrorReasonName(info.reason), ")");
  return absl::StrCat("error: ", Headline(status, info), reason, "\n", ViolationLines(info),
                      Remedy(info.hint, info.in_force), RetryLine(info));
}

std::string ErrorJson(const absl::Status& status) {
  const WireError wire = EncodeError(status);
  google::rpc::Status proto;
  // The message of Any's JSON form needs the detail types in the pool; error_details.pb.h links
  // them.
  TY_CHECK(proto.ParseFromString(wire.details));
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  TY_CHECK(google::protobuf::util::MessageToJsonString(proto, &json, options).ok());
  return absl::StrCat("{\"error\":", json, "}\n");
}

std::string DescribeJobError(const v1::JobError& error) {
  const auto& categories = *v1::FailureCategory_descriptor();
  std::string where;
  if (error.reason() == v1::ERROR_REASON_NON_FINITE_LOSS) {
    where =
        absl::StrCat("  where: ", Printable(error.layer()), ", epoch ", error.epoch(), ", step ",
                     error.step(), ", learning rate ", FormatNumber(error.learning_rate()), "\n");
  }
  return absl::StrCat("error: ", Printable(error.message()), " (",
                      ErrorReasonName(static_cast<ErrorReason>(error.reason())), ", ",
                      EnumWord(categories, error.category()), " fault)\n", where,
                      Remedy(error.hint(), error.in_force()));
}

}  // namespace trainyard

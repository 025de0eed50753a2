#include "core/data/csv_header.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/data/number.h"
#include "core/data/utf8.h"

namespace trainyard {
namespace {

bool LooksLikeHeader(const CsvRecord& first, char decimal_mark) {
  absl::flat_hash_set<absl::string_view> seen;
  for (const absl::string_view field : first.fields) {
    const absl::string_view name = TrimCell(field);
    if (name.empty() || ParseNumber(name, decimal_mark).has_value() || !seen.insert(name).second)
      return false;
  }
  return true;
}

// Empty when `name` is fine. `first_at` is the column that already has it, or -1.
std::string NameFault(absl::string_view name, int64_t first_at) {
  if (name.empty()) return "the name is empty";
  if (!IsUtf8(name)) return "the name is not UTF-8";
  if (first_at >= 0)
    return absl::StrCat("\"", name, "\" is the name of column ", first_at + 1, " already");
  return "";
}

}  // namespace

bool HasHeader(const CsvRecord& first, const CsvOptions& options) {
  if (options.header != CsvOptions::Header::kDetect)
    return options.header == CsvOptions::Header::kPresent;
  return LooksLikeHeader(first, options.decimal_character());
}

absl::StatusOr<std::vector<std::string>> HeaderNames(const CsvRecord& first,
                                                     const CsvOptions& options) {
  std::vector<std::string> names;
  std::vector<FieldViolation> violations;
  absl::flat_hash_map<absl::string_view, int64_t> seen;
  for (const absl::string_view field : first.fields) {
    const absl::string_view name = TrimCell(field);
    const auto index = static_cast<int64_t>(names.size());
    if (name.size() > static_cast<size_t>(limits::kColumnNameBytesMax)) {
      return MakeError(
          absl::StatusCode::kResourceExhausted,
          absl::StrCat("line ", first.line, ", column ", index + 1, ": the name has ", name.size(),
                       " bytes; at most ", limits::kColumnNameBytesMax, " are allowed"),
          {.reason = ErrorReason::kTooLarge,
           .hint = "shorten the name, or set csv.header to ABSENT if the first line is data",
           .in_force = DescribeCsvOptions(options)});
    }
    const auto [it, is_new] = seen.try_emplace(name, index);
    std::string fault = NameFault(name, is_new ? -1 : it->second);
    if (!fault.empty() && violations.size() < static_cast<size_t>(limits::kRejectsKeptMax)) {
      violations.push_back(
          {absl::StrCat("line ", first.line, ", column ", index + 1), std::move(fault)});
    }
    names.emplace_back(name);
  }
  if (violations.empty()) return names;
  const FieldViolation& shown = violations.front();
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat(shown.field, ": ", shown.description, " (", violations.size(),
                   violations.size() == 1 ? " such name)" : " such names)"),
      {.reason = ErrorReason::kDatasetRejected,
       .hint =
           "give every column a name of its own in UTF-8, or set csv.header to ABSENT if the first "
           "line is data",
       .in_force = DescribeCsvOptions(options),
       .violations = violations});
}

std::vector<std::string> DefaultNames(size_t count) {
  std::vector<std::string> names;
  names.reserve(count);
  for (size_t i = 0; i < count; ++i) names.push_back(absl::StrCat("c", i));
  return names;
}

}  // namespace trainyard

#include "client/ignored_columns.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "client/render.h"
#include "core/base/status_macros.h"
#include "core/data/csv_dialect.h"
#include "core/data/csv_header.h"
#include "core/data/csv_reader.h"

namespace trainyard {
namespace {

constexpr size_t kNamesShownMax = 10;

// The fields that decide where the first record ends and what is in it.
CsvOptions ReaderOptions(const v1::CsvOptions& csv) {
  CsvOptions options;
  if (csv.delimiter().size() == 1) options.delimiter = csv.delimiter()[0];
  if (csv.comment().size() == 1) options.comment = csv.comment()[0];
  static_assert(static_cast<int>(CsvOptions::Header::kAbsent) == v1::CsvOptions::ABSENT);
  static_assert(static_cast<int>(CsvOptions::Quote::kNone) == v1::CsvOptions::NONE);
  options.header = static_cast<CsvOptions::Header>(csv.header());
  options.quote = static_cast<CsvOptions::Quote>(csv.quote());
  return options;
}

absl::StatusOr<std::vector<std::string>> HeaderOf(ByteSource& file, const v1::CsvOptions& csv) {
  TY_ASSIGN_OR_RETURN(const std::string head, ReadHead(file, kCsvHeadBytes));
  TY_ASSIGN_OR_RETURN(const CsvOptions options,
                      DetectCsvOptions(head, head.size() < kCsvHeadBytes, ReaderOptions(csv)));
  CsvReader reader(options);
  reader.Append(head);
  reader.FinishInput();
  CsvRecord first;
  TY_ASSIGN_OR_RETURN(const bool found, reader.Next(&first));
  if (!found || !HasHeader(first, options)) return std::vector<std::string>();
  return HeaderNames(first, options);
}

}  // namespace

std::vector<std::string> IgnoredColumns(ByteSource& file, const v1::CsvOptions& csv,
                                        const v1::Model& model) {
  absl::StatusOr<std::vector<std::string>> names = HeaderOf(file, csv);
  if (!names.ok()) return {};
  const absl::flat_hash_set<absl::string_view> used(model.feature_columns().begin(),
                                                    model.feature_columns().end());
  names->erase(std::remove_if(names->begin(), names->end(),
                              [&](const std::string& name) { return used.contains(name); }),
               names->end());
  return *std::move(names);
}

std::string IgnoredColumnsNote(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(names.size(), kNamesShownMax); ++i) {
    shown.push_back(Printable(names[i]));
  }
  if (shown.size() < names.size()) shown.push_back("…");
  return absl::StrCat("ignored ", FormatCount(static_cast<int64_t>(names.size())),
                      names.size() == 1 ? " column" : " columns",
                      " that the model does not use: ", absl::StrJoin(shown, ", "));
}

}  // namespace trainyard

#include "client/proto_csv.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/exit_code.h"
#include "client/proto_text.h"
#include "client/render.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/csv_dialect.h"

namespace trainyard {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

struct Record {
  int64_t line = 0;  // 1-based
  std::vector<std::string> cells;
};

// Where the cells of a column go.
struct Target {
  std::string name;
  const FieldDescriptor* parent = nullptr;  // null: `field` is one of the row itself
  const FieldDescriptor* field = nullptr;
  bool decimal = false;  // the cell is in units, the field in hundredths
};

class Faults {
 public:
  void Add(int64_t line, absl::string_view column, absl::string_view what) {
    if (list_.size() > kCsvFaultsMax) return;
    if (list_.size() == kCsvFaultsMax) {
      list_.push_back({"", "and more faults; mend these first"});
      return;
    }
    const std::string where = column.empty() ? "" : absl::StrCat(", column \"", column, "\"");
    list_.push_back({absl::StrCat("line ", line, where), std::string(what)});
  }
  absl::Status ToStatus() {
    if (list_.empty()) return absl::OkStatus();
    return AsUsageError(MakeViolationsError(ErrorReason::kInvalidRequest, std::move(list_)));
  }

 private:
  std::vector<FieldViolation> list_;
};

absl::StatusOr<std::vector<Record>> ReadRecords(absl::string_view text) {
  if (static_cast<int64_t>(text.size()) > kCsvTextBytesMax) {
    return UsageError(
        absl::StrCat("the table has ", text.size(), " bytes, more than ", kCsvTextBytesMax),
        {.reason = ErrorReason::kTooLarge, .hint = "give it in parts"});
  }
  DetectingCsvReader reader({.comment = CsvOptions::kNoComment});
  reader.Append(text);
  reader.FinishInput();
  std::vector<Record> records;
  while (true) {
    CsvRecord record;
    const absl::StatusOr<bool> more = reader.Next(&record);
    if (!more.ok()) return AsUsageError(more.status());
    if (!*more) return records;
    Record& kept = records.emplace_back();
    kept.line = record.line;
    for (const absl::string_view cell : record.fields) {
      kept.cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
  }
}

// What a column may be called: the row's fields, and those of its messages that no other has.
std::vector<Target> KnownColumns(const Descriptor& type, const CsvRowOptions& options) {
  std::vector<Target> known;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (IsScalar(field)) known.push_back({field.name(), nullptr, &field});
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& parent = *type.field(i);
    if (IsScalar(parent) || parent.is_repeated()) continue;
    for (int j = 0; j < parent.message_type()->field_count(); ++j) {
      const FieldDescriptor& field = *parent.message_type()->field(j);
      if (IsScalar(field)) known.push_back({field.name(), &parent, &field});
    }
  }
  if (!options.decimal_column.empty()) {
    known.push_back(
        {options.decimal_column, nullptr, type.FindFieldByName(options.decimal_field), true});
  }
  return known;
}

std::string UnknownColumn(const std::string& word, const std::vector<Target>& known) {
  std::vector<std::string> names;
  for (const Target& target : known) names.push_back(target.name);
  const std::string guess = DidYouMean(word, names);
  return guess.empty() ? absl::StrCat("unknown; known are ", absl::StrJoin(names, ", "))
                       : absl::StrCat("unknown", guess);
}

std::vector<Target> MatchHeader(const Record& header, const Descriptor& type,
                                const CsvRowOptions& options, Faults* faults) {
  const std::vector<Target> known = KnownColumns(type, options);
  std::vector<Target> columns;
  std::set<std::string> seen;
  for (const std::string& cell : header.cells) {
    const std::string word = absl::AsciiStrToLower(cell);
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const Target& target) { return target.name == word; });
    columns.push_back(found == known.end() ? Target{} : *found);
    if (found == known.end()) {
      faults->Add(header.line, Printable(cell), UnknownColumn(word, known));
    } else if (!seen.insert(found->field->full_name()).second) {
      faults->Add(header.line, word, "given twice");
    }
  }
  for (const std::string& name : options.required) {
    const FieldDescriptor* const field = type.FindFieldByName(name);
    if (seen.count(field->full_name()) == 0) {
      faults->Add(header.line, name, "the header does not have it");
    }
  }
  return columns;
}

// Every word of the cell; the first fault.
std::string AddWords(Message* holder, const FieldDescriptor& field, const std::string& cell) {
  for (const absl::string_view word : absl::StrSplit(cell, ' ', absl::SkipEmpty())) {
    std::string fault = SetScalar(holder, field, word);
    if (!fault.empty()) return fault;
  }
  return "";
}

std::string SetCell(Message* row, const Target& target, const std::string& cell) {
  Message* const holder =
      target.parent == nullptr ? row : row->GetReflection()->MutableMessage(row, target.parent);
  if (target.field->is_repeated()) return AddWords(holder, *target.field, cell);
  if (!target.decimal) return SetScalar(holder, *target.field, cell);
  const std::optional<int64_t> hundredths = ParseHundredths(cell);
  if (!hundredths.has_value()) {
    return absl::StrCat("expected a number of at most two decimals, found \"", Printable(cell),
                        "\"");
  }
  return SetScalar(holder, *target.field, absl::StrCat(*hundredths));
}

bool IsRequired(const CsvRowOptions& options, const std::string& field) {
  return std::find(options.required.begin(), options.required.end(), field) !=
         options.required.end();
}

void FillRow(const Record& record, const std::vector<Target>& columns, const CsvRowOptions& options,
             Message* row, Faults* faults) {
  if (record.cells.size() > columns.size()) {
    faults->Add(record.line, "",
                absl::StrCat(record.cells.size(), " cells, but the header has ", columns.size()));
    return;
  }
  std::set<std::string> given;
  for (size_t i = 0; i < record.cells.size(); ++i) {
    if (record.cells[i].empty() || columns[i].field == nullptr) continue;
    given.insert(columns[i].field->name());
    const std::string fault = SetCell(row, columns[i], record.cells[i]);
    if (!fault.empty()) faults->Add(record.line, columns[i].name, fault);
  }
  for (const Target& column : columns) {  // one that the header lacks is a fault of the header
    if (column.field == nullptr || given.count(column.field->name()) > 0) continue;
    if (IsRequired(options, column.field->name())) faults->Add(record.line, column.name, "empty");
  }
}

absl::Status NoRows() {
  return UsageError("the table has no rows", {.reason = ErrorReason::kInvalidRequest,
                                              .hint = "its first line must name the columns"});
}

}  // namespace

absl::Status ReadCsvRows(absl::string_view text, const CsvRowOptions& options,
                         const std::function<Message*()>& add) {
  TY_ASSIGN_OR_RETURN(const std::vector<Record> records, ReadRecords(text));
  if (records.size() < 2) return NoRows();
  Faults faults;
  std::vector<Target> columns;
  for (size_t i = 1; i < records.size(); ++i) {
    Message* const row = add();
    if (i == 1) columns = MatchHeader(records[0], *row->GetDescriptor(), options, &faults);
    FillRow(records[i], columns, options, row, &faults);
  }
  return faults.ToStatus();
}

absl::StatusOr<std::vector<std::string>> ReadCsvHeader(absl::string_view text) {
  TY_ASSIGN_OR_RETURN(std::vector<Record> records, ReadRecords(text));
  if (records.empty()) return NoRows();
  for (std::string& cell : records[0].cells) absl::AsciiStrToLower(&cell);
  return records[0].cells;
}

std::optional<int64_t> ParseHundredths(absl::string_view text) {
  constexpr size_t kWholeDigitsMax = 12;
  const bool negative = absl::ConsumePrefix(&text, "-");
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('.', 1));
  const bool has_point = parts.first.size() < text.size();
  const size_t decimals = parts.second.size();
  const bool shaped = !parts.first.empty() && parts.first.size() <= kWholeDigitsMax &&
                      decimals <= 2 && (!has_point || decimals > 0);
  const std::string digits =
      absl::StrCat(parts.first, parts.second, std::string(2 - std::min<size_t>(decimals, 2), '0'));
  const bool numeric = std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  int64_t hundredths = 0;
  if (!shaped || !numeric || !absl::SimpleAtoi(digits, &hundredths)) return std::nullopt;
  return negative ? -hundredths : hundredths;
}

}  // namespace trainyard

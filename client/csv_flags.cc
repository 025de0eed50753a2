#include "client/csv_flags.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/proto_text.h"
#include "client/render.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kDetect[] = "detect";
constexpr char kHeaderFlag[] = "--header";
constexpr char kNoHeaderFlag[] = "--no-header";
constexpr char kMarkerFlag[] = "--missing-marker";
constexpr char kNoMarkersFlag[] = "--no-missing-markers";
constexpr char kKindFlag[] = "--column-kind";

const FieldDescriptor& FieldOf(const Message& message, const char* name) {
  const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(name);
  TY_CHECK(field != nullptr);
  return *field;
}

// A flag of an enum's words and "detect", which is the default.
void AddWordFlag(CLI::App* command, const char* flag, Message* message, const char* name,
                 absl::string_view help) {
  const FieldDescriptor& field = FieldOf(*message, name);
  std::vector<std::string> words = EnumWords(*field.enum_type());
  words.insert(words.begin(), kDetect);
  command
      ->add_option_function<std::string>(
          flag,
          [message, &field](const std::string& word) {
            message->GetReflection()->ClearField(message, &field);
            if (word != kDetect) TY_CHECK(SetScalar(message, field, word).empty());
          },
          absl::StrCat(help, " (default ", kDetect, ")"))
      ->check(CLI::IsMember(words))
      ->type_name("WORD");
}

// Characters that are hard to type in a shell have names.
std::string CharacterOf(const std::string& text) {
  if (text == "tab" || text == "\\t") return "\t";
  return text == "space" ? " " : text;
}

void AddMissingFlags(CLI::App* command, v1::CsvOptions* csv) {
  CLI::Option* const markers = command->add_option_function<std::vector<std::string>>(
      kMarkerFlag,
      [csv](const std::vector<std::string>& texts) {
        csv->mutable_missing_markers()->Assign(texts.begin(), texts.end());
      },
      "A cell that means \"no value\" besides empty ones; may be repeated (default ?, NA, N/A, "
      "NaN, nan, null, NULL)");
  markers->allow_extra_args(false)->type_name("TEXT");
  command
      ->add_flag_callback(
          kNoMarkersFlag, [csv] { csv->set_no_missing_markers(true); },
          "Only empty cells are missing")
      ->excludes(markers);
}

void AddColumnKinds(const std::vector<std::string>& texts, v1::FinalizeDatasetRequest* request) {
  for (const std::string& text : texts) {
    const std::string fault = ParseColumnKind(text, request->add_column_overrides());
    if (!fault.empty()) throw CLI::ValidationError(kKindFlag, fault);
  }
}

}  // namespace

std::string ParseColumnKind(absl::string_view text, v1::ColumnOverride* column) {
  const size_t border = text.rfind('=');
  if (border == absl::string_view::npos || border == 0) {
    return absl::StrCat("expected NAME=KIND or #INDEX=KIND, found \"", Printable(text), "\"");
  }
  const absl::string_view which = text.substr(0, border);
  int32_t index = 0;
  if (absl::StartsWith(which, "#") && absl::SimpleAtoi(which.substr(1), &index)) {
    column->set_index(index);
  } else {
    column->set_name(std::string(which));
  }
  return SetScalar(column, FieldOf(*column, "kind"), text.substr(border + 1));
}

void AddCsvFlags(CLI::App* command, v1::CsvOptions* csv) {
  command
      ->add_option_function<std::string>(
          "--delimiter", [csv](const std::string& text) { csv->set_delimiter(CharacterOf(text)); },
          "Between fields: , ; | tab or space (default: detected)")
      ->type_name("CHAR");
  AddWordFlag(command, kHeaderFlag, csv, "header", "Whether the first record names the columns");
  command
      ->add_flag_callback(
          kNoHeaderFlag, [csv] { csv->set_header(v1::CsvOptions::ABSENT); },
          "The first record is data: --header absent")
      ->excludes(command->get_option(kHeaderFlag));
  AddWordFlag(command, "--quote", csv, "quote", "How text with delimiters in it is quoted");
  AddWordFlag(command, "--decimal-mark", csv, "decimal_mark", "In numbers");
  command
      ->add_option_function<std::string>(
          "--comment", [csv](const std::string& text) { csv->set_comment(text); },
          "Lines that start with it are left out: # % ; / * or ! (default: detected)")
      ->type_name("CHAR");
  AddMissingFlags(command, csv);
}

void AddTableFlags(CLI::App* command, v1::FinalizeDatasetRequest* request) {
  AddWordFlag(command, "--format", request, "format", "Of the file");
  command
      ->add_option_function<int64_t>(
          "--bad-rows-max",
          [request](const int64_t& count) { request->mutable_csv()->set_bad_rows_max(count); },
          "Drop up to this many rows with bad cells instead of refusing the file (default 0)")
      ->type_name("N");
  command
      ->add_option_function<std::vector<std::string>>(
          kKindFlag,
          [request](const std::vector<std::string>& texts) { AddColumnKinds(texts, request); },
          absl::StrCat("What a column is, by name or #INDEX: ",
                       absl::StrJoin(EnumWords(*v1::ColumnKind_descriptor()), ", "),
                       "; may be repeated (default by its cells)"))
      ->allow_extra_args(false)
      ->type_name("NAME=KIND");
  command
      ->add_option_function<std::vector<std::string>>(
          "--npz-array",
          [request](const std::vector<std::string>& names) {
            request->mutable_npz_arrays()->Assign(names.begin(), names.end());
          },
          "Of an NPZ file, in order; may be repeated (default all)")
      ->allow_extra_args(false)
      ->type_name("NAME");
}

}  // namespace trainyard

#include "core/data/svmlight_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"
#include "core/data/utf8.h"

namespace trainyard {
namespace {

constexpr absl::string_view kInForce =
    "format svmlight: label [qid:group] index:value …, indices ascending, from 0 or 1";
constexpr size_t kShownBytesMax = 60;
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kBlockValues = 65'536;
constexpr int64_t kExactIntegerMax = int64_t{1} << 53;

struct Cell {
  int64_t index = 0;
  double value = 0;
};

// One line that is a row.
struct Row {
  double label = 0;
  std::optional<double> qid;
  std::vector<Cell> cells;  // indices ascending
};

// What is wrong with a line.
struct Fault {
  std::string what;
  std::string hint;
};

// A line's place in the file.
struct Place {
  int64_t line = 1;  // 1-based
  int64_t byte = 0;  // 0-based, of its first byte
};

bool IsSpace(char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); }

absl::string_view NextWord(absl::string_view* line) {
  const auto begin = std::find_if_not(line->begin(), line->end(), IsSpace);
  const auto end = std::find_if(begin, line->end(), IsSpace);
  const absl::string_view word(begin, static_cast<size_t>(end - begin));
  line->remove_prefix(static_cast<size_t>(end - line->begin()));
  return word;
}

std::string Quoted(absl::string_view text) {
  if (!IsUtf8(text)) return "bytes that are not UTF-8";
  return absl::StrCat("\"", Utf8Prefix(text, kShownBytesMax), "\"");
}

// "nan" is a missing cell.
std::optional<double> ParseCell(absl::string_view text) {
  if (absl::EqualsIgnoreCase(text, "nan")) return kMissing;
  return ParseNumber(text);
}

class LineParser {
 public:
  // nullopt: `*row` holds what `line` says, which has no comment and is not blank.
  static std::optional<Fault> Parse(absl::string_view line, Row* row) {
    row->cells.clear();
    row->qid.reset();
    const absl::string_view label = NextWord(&line);
    const std::optional<double> number = ParseCell(label);
    if (!number.has_value()) return BadLabel(label);
    row->label = *number;
    for (absl::string_view word = NextWord(&line); !word.empty(); word = NextWord(&line)) {
      std::optional<Fault> fault = ParsePair(word, row);
      if (fault.has_value()) return fault;
    }
    return std::nullopt;
  }

 private:
  static Fault BadLabel(absl::string_view label) {
    const bool several = label.find(',') != absl::string_view::npos;
    if (several) {
      return {absl::StrCat("expected one label, found ", Quoted(label)),
              "rows of several labels are not read from this format: write a CSV file with a 0/1 "
              "column per label"};
    }
    return {absl::StrCat("expected a number as label, found ", Quoted(label)),
            "begin each line with its label, as a number"};
  }

  static std::optional<Fault> ParsePair(absl::string_view word, Row* row) {
    const size_t colon = word.find(':');
    if (colon == absl::string_view::npos) {
      return Fault{absl::StrCat("expected index:value, found ", Quoted(word)),
                   "write each value as its index, a colon and the value; # before a comment"};
    }
    const absl::string_view key = word.substr(0, colon);
    const absl::string_view text = word.substr(colon + 1);
    if (key == "qid") return ParseQid(text, row);
    const std::optional<double> value = ParseCell(text);
    if (!value.has_value()) {
      return Fault{absl::StrCat("expected a finite number as value of index ", Quoted(key),
                                ", found ", Quoted(text)),
                   "mend the value, or write nan for a missing one"};
    }
    return AddCell(key, *value, row);
  }

  static std::optional<Fault> ParseQid(absl::string_view text, Row* row) {
    int64_t qid = 0;
    const bool is_number =
        absl::SimpleAtoi(text, &qid) && qid <= kExactIntegerMax && qid >= -kExactIntegerMax;
    if (is_number && !row->qid.has_value() && row->cells.empty()) {
      row->qid = static_cast<double>(qid);
      return std::nullopt;
    }
    return Fault{absl::StrCat("expected one qid, an integer, before the first index, found ",
                              Quoted(absl::StrCat("qid:", text))),
                 "write the group of a row once, after its label"};
  }

  static std::optional<Fault> AddCell(absl::string_view key, double value, Row* row) {
    int64_t index = 0;
    const bool digits = !key.empty() && std::all_of(key.begin(), key.end(), absl::ascii_isdigit);
    if (!digits || !absl::SimpleAtoi(key, &index)) {
      return Fault{absl::StrCat("expected an index, 0 or more, found ", Quoted(key)),
                   "number the features from 0 or 1 on"};
    }
    if (!row->cells.empty() && row->cells.back().index >= index) {
      return Fault{absl::StrCat("index ", index, " comes after index ", row->cells.back().index),
                   "write the indices of a line in ascending order, each once"};
    }
    row->cells.push_back({index, value});
    return std::nullopt;
  }
};

absl::Status BadLine(const Place& place, const Fault& fault) {
  const std::string field = absl::StrCat("line ", place.line);
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat(field, " (byte ", place.byte, "): ", fault.what),
      {.reason = ErrorReason::kDatasetRejected,
       .hint = fault.hint,
       .in_force = std::string(kInForce),
       .violations = {{field, fault.what}},
       .metadata = {{"line", absl::StrCat(place.line)}, {"byte", absl::StrCat(place.byte)}}});
}

absl::Status TooLarge(const Place& place, absl::string_view what) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("line ", place.line, " (byte ", place.byte, "): ", what),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "upload fewer rows, or choose features or hash them into fewer",
                    .in_force = std::string(kInForce)});
}

// Cuts a source into lines. Calls `on_line` with each, without its line feed.
template <typename OnLine>
absl::Status ForEachLine(ByteSource& source, OnLine on_line) {
  TY_RETURN_IF_ERROR(source.Rewind());
  Place place;
  std::string begun;  // a line whose end has not come yet
  const auto end_line = [&](absl::string_view line) -> absl::Status {
    if (line.size() > static_cast<size_t>(limits::kRecordBytesMax))
      return TooLarge(place, absl::StrCat("more than ", limits::kRecordBytesMax, " bytes"));
    TY_RETURN_IF_ERROR(on_line(place, line));
    ++place.line;
    place.byte += static_cast<int64_t>(line.size()) + 1;
    return absl::OkStatus();
  };
  while (true) {
    TY_ASSIGN_OR_RETURN(absl::string_view bytes, source.Next());
    if (bytes.empty()) return begun.empty() ? absl::OkStatus() : end_line(begun);
    for (size_t end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
      absl::string_view line = bytes.substr(0, end);
      if (!begun.empty()) line = begun.append(line.data(), line.size());
      TY_RETURN_IF_ERROR(end_line(line));
      begun.clear();
      bytes.remove_prefix(end + 1);
    }
    begun.append(bytes.data(), bytes.size());
    if (begun.size() > static_cast<size_t>(limits::kRecordBytesMax)) return end_line(begun);
  }
}

// Calls `on_row` with each row.
template <typename OnRow>
absl::Status ForEachRow(ByteSource& source, OnRow on_row) {
  Row row;
  return ForEachLine(source, [&](const Place& place, absl::string_view line) -> absl::Status {
    if (place.byte == 0 && absl::StartsWith(line, kByteOrderMark))
      line.remove_prefix(kByteOrderMark.size());
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) return absl::OkStatus();
    const std::optional<Fault> fault = LineParser::Parse(line, &row);
    if (fault.has_value()) return BadLine(place, *fault);
    return on_row(place, row);
  });
}

// What the first pass finds.
struct Shape {
  int64_t rows = 0;
  int64_t index_min = std::numeric_limits<int64_t>::max();
  int64_t index_max = -1;
  bool has_qid = false;

  int64_t first_index() const { return index_min == 0 ? 0 : 1; }
  int64_t first_column() const { return has_qid ? 2 : 1; }  // of a feature
  int64_t columns() const { return first_column() + index_max - first_index() + 1; }

  absl::Status Observe(const Place& place, const Row& row) {
    ++rows;
    has_qid |= row.qid.has_value();
    if (!row.cells.empty()) {
      index_min = std::min(index_min, row.cells.front().index);
      index_max = std::max(index_max, row.cells.back().index);
    }
    if (index_max >= limits::kDatasetColumnsMax)
      return TooLarge(place, absl::StrCat("index ", index_max, " makes a table of more than ",
                                          limits::kDatasetColumnsMax, " columns"));
    if (rows > limits::kDatasetRowsMax)
      return TooLarge(place, absl::StrCat("more than ", limits::kDatasetRowsMax, " rows"));
    if (index_max >= 0 && rows * columns() > limits::kDatasetCellsMax)
      return TooLarge(place, absl::StrCat("more than ", limits::kDatasetCellsMax,
                                          " cells, those that are not written among them"));
    return absl::OkStatus();
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names = {"target"};
    if (has_qid) names.push_back("qid");
    for (int64_t i = first_index(); i <= index_max; ++i) names.push_back(absl::StrCat("f", i));
    return names;
  }
};

// Rows of doubles, given on in blocks.
class BlockWriter {
 public:
  BlockWriter(const Shape& shape, RowSink& sink)
      : shape_(shape),
        sink_(sink),
        columns_(static_cast<size_t>(shape.columns())),
        block_values_(std::max<size_t>(columns_, kBlockValues / columns_ * columns_)) {}

  absl::Status Add(const Row& row) {
    const size_t begin = block_.size();
    block_.resize(begin + columns_, 0);
    double* const values = block_.data() + begin;
    values[0] = row.label;
    if (shape_.has_qid) values[1] = row.qid.value_or(kMissing);
    double* const features = values + shape_.first_column();
    // The second pass reads what the first one read.
    TY_CHECK(row.cells.empty() || row.cells.front().index >= shape_.first_index());
    TY_CHECK(row.cells.empty() || row.cells.back().index <= shape_.index_max);
    for (const Cell& cell : row.cells) features[cell.index - shape_.first_index()] = cell.value;
    return block_.size() < block_values_ ? absl::OkStatus() : Flush();
  }

  absl::Status Flush() {
    if (block_.empty()) return absl::OkStatus();
    TY_RETURN_IF_ERROR(sink_.AddRows(block_));
    block_.clear();
    return absl::OkStatus();
  }

 private:
  const Shape& shape_;
  RowSink& sink_;
  const size_t columns_;
  const size_t block_values_;
  std::vector<double> block_;
};

absl::Status Nothing(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("the svmlight file has no ", what),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "upload a file with at least one line `label index:value`",
                    .in_force = std::string(kInForce)});
}

}  // namespace

absl::Status ReadSvmlight(ByteSource& source, RowSink& sink) {
  Shape shape;
  TY_RETURN_IF_ERROR(ForEachRow(
      source, [&](const Place& place, const Row& row) { return shape.Observe(place, row); }));
  if (shape.rows == 0) return Nothing("rows");
  if (shape.index_max < 0) return Nothing("features");
  TY_RETURN_IF_ERROR(sink.Begin(shape.Names()));
  BlockWriter writer(shape, sink);
  TY_RETURN_IF_ERROR(
      ForEachRow(source, [&](const Place&, const Row& row) { return writer.Add(row); }));
  return writer.Flush();
}

}  // namespace trainyard

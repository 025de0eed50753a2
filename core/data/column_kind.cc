#include "core/data/column_kind.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error_info.h"
#include "core/base/nearest.h"

namespace trainyard {
namespace {

constexpr int64_t kNamedIdentifierRowsMin = 20;
constexpr int64_t kTextIdentifierRowsMin = 50;
constexpr int64_t kCountingRowsMin = 200;  // from here on shares of different values mean something
constexpr int64_t kIntegerCategoriesMax = 20;
constexpr int64_t kCategoriesMax = 1000;

// Names that are one as a whole, and words that are one at the end of a name.
constexpr std::array<absl::string_view, 13> kIdentifierNames = {
    "index",    "idx",      "row",   "row number", "rownumber",     "row index",    "row names",
    "row name", "rownames", "rowid", "record",     "record number", "serial number"};
constexpr std::array<absl::string_view, 5> kIdentifierWords = {"id", "uuid", "guid", "key", "ids"};

constexpr std::array<std::pair<absl::string_view, absl::string_view>, 5> kBooleanTexts = {
    {{"no", "yes"}, {"n", "y"}, {"false", "true"}, {"f", "t"}, {"off", "on"}}};

bool IsBoolean(const Column& column) {
  if (column.stats.distinct_count != 2) return false;
  if (column.type == ColumnType::kNumeric) {
    return column.stats.max == 1 && (column.stats.min == 0 || column.stats.min == -1);
  }
  std::array<std::string, 2> texts = {absl::AsciiStrToLower(column.categories[0]),
                                      absl::AsciiStrToLower(column.categories[1])};
  std::sort(texts.begin(), texts.end());
  return std::any_of(kBooleanTexts.begin(), kBooleanTexts.end(), [&](const auto& pair) {
    return texts[0] == pair.first && texts[1] == pair.second;
  });
}

bool IsCounter(const Column& column, int64_t rows) {
  const ColumnStats& stats = column.stats;
  return stats.integers && rows >= kCountingRowsMin && stats.distinct_count == rows &&
         (stats.min == 0 || stats.min == 1) &&
         stats.max - stats.min == static_cast<double>(rows - 1);
}

bool IsIdentifier(const Column& column, int64_t rows) {
  const int64_t cells = rows - column.stats.missing_count;
  const int64_t distinct = column.stats.distinct_count;
  const bool is_text = column.type == ColumnType::kText;
  if (distinct == cells && cells >= kNamedIdentifierRowsMin && (is_text || column.stats.integers) &&
      LooksLikeIdentifier(column.name))
    return true;
  if (!is_text) return IsCounter(column, rows);
  if (cells < kTextIdentifierRowsMin || distinct * 20 <= cells * 19) return false;
  return std::none_of(column.categories.begin(), column.categories.end(),
                      [](const std::string& text) { return text.find(' ') != std::string::npos; });
}

// The words of a name in lower case: "PassengerId", "passenger_id" and "passenger-ID" are
// "passenger id".
std::string Words(absl::string_view name) {
  std::string words;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool begins_word = i > 0 && absl::ascii_isupper(c) && absl::ascii_islower(name[i - 1]);
    if (begins_word) words.push_back(' ');
    // Bytes of other alphabets are letters.
    const bool letter = absl::ascii_isalnum(c) || static_cast<unsigned char>(c) >= 0x80;
    words.push_back(letter ? absl::ascii_tolower(c) : ' ');
  }
  absl::RemoveExtraAsciiWhitespace(&words);
  return words;
}

using Indices = absl::flat_hash_map<absl::string_view, int64_t>;

// Collects the faults of overrides one by one.
class Overrides {
 public:
  explicit Overrides(const std::vector<ColumnTypeOf>& columns)
      : columns_(columns), kinds_(columns.size(), ColumnKind::kUnspecified) {
    for (size_t i = 0; i < columns.size(); ++i)
      indices_.emplace(columns[i].name, static_cast<int64_t>(i));
  }

  void Add(const ColumnOverride& given) {
    const std::optional<int64_t> index = Find(given);
    if (index.has_value()) Give(*index, given.kind);
    ++position_;
  }

  absl::StatusOr<std::vector<ColumnKind>> Take() && {
    if (violations_.empty()) return std::move(kinds_);
    return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations_));
  }

 private:
  std::optional<int64_t> Find(const ColumnOverride& given) {
    const auto count = static_cast<int64_t>(columns_.size());
    if (given.index >= 0) {
      if (given.index < count) return given.index;
      return Fault(absl::StrCat("there is no column ", given.index, "; the table has ", count,
                                ", the first is 0"));
    }
    if (given.name.empty()) return Fault("name a column, or give its index");
    const auto it = indices_.find(given.name);
    if (it != indices_.end()) return it->second;
    std::vector<std::string> names;
    for (const ColumnTypeOf& column : columns_) names.emplace_back(column.name);
    const std::string nearest = Nearest(given.name, names);
    return Fault(
        absl::StrCat("there is no column \"", given.name, "\"",
                     nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
  }

  void Give(int64_t index, ColumnKind kind) {
    const ColumnTypeOf& column = columns_[index];
    const bool is_text = column.type == ColumnType::kText;
    const std::string quoted = absl::StrCat("column \"", column.name, "\"");
    if (kind == ColumnKind::kUnspecified) {
      Fault(absl::StrCat("say which kind ", quoted, " is"));
    } else if (kinds_[index] != ColumnKind::kUnspecified) {
      Fault(absl::StrCat(quoted, " is given a kind twice"));
    } else if (is_text && (kind == ColumnKind::kNumeric || kind == ColumnKind::kIntegerCategory)) {
      Fault(absl::StrCat(quoted, " has text in it: it cannot be ", KindName(kind),
                         "; mend its cells, or add what stands for \"no value\" to "
                         "csv.missing_markers"));
    } else if (!is_text && kind == ColumnKind::kFreeText) {
      Fault(absl::StrCat(quoted,
                         " has numbers only: it cannot be free text; IDENTIFIER leaves it "
                         "out of the features"));
    } else {
      kinds_[index] = kind;
    }
  }

  std::nullopt_t Fault(std::string description) {
    violations_.push_back(
        {absl::StrCat("column_overrides[", position_, "]"), std::move(description)});
    return std::nullopt;
  }

  const std::vector<ColumnTypeOf>& columns_;
  Indices indices_;
  std::vector<ColumnKind> kinds_;
  std::vector<FieldViolation> violations_;
  int64_t position_ = 0;
};

}  // namespace

bool LooksLikeIdentifier(absl::string_view name) {
  const std::string words = Words(name);
  if (words.rfind("unnamed", 0) == 0) return true;  // pandas' name of an index without one
  if (std::find(kIdentifierNames.begin(), kIdentifierNames.end(), words) != kIdentifierNames.end())
    return true;
  const std::string last = words.substr(words.rfind(' ') + 1);  // npos + 1 is 0
  return std::find(kIdentifierWords.begin(), kIdentifierWords.end(), last) !=
         kIdentifierWords.end();
}

ColumnKind InferKind(const Column& column, int64_t rows) {
  const int64_t distinct = column.stats.distinct_count;
  const int64_t cells = rows - column.stats.missing_count;
  if (distinct == 0 || (distinct == 1 && cells == rows)) return ColumnKind::kConstant;
  if (IsBoolean(column)) return ColumnKind::kBoolean;
  if (IsIdentifier(column, rows)) return ColumnKind::kIdentifier;
  if (column.type == ColumnType::kText) {
    const bool many =
        distinct > kCategoriesMax || (cells >= kCountingRowsMin && distinct * 2 > cells);
    return many ? ColumnKind::kFreeText : ColumnKind::kCategory;
  }
  const bool few = column.stats.integers && distinct <= kIntegerCategoriesMax;
  return few && rows >= kCountingRowsMin ? ColumnKind::kIntegerCategory : ColumnKind::kNumeric;
}

absl::StatusOr<std::vector<ColumnKind>> ResolveOverrides(
    const std::vector<ColumnTypeOf>& columns, const std::vector<ColumnOverride>& overrides) {
  Overrides resolved(columns);
  for (const ColumnOverride& given : overrides) resolved.Add(given);
  return std::move(resolved).Take();
}

absl::string_view KindName(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kUnspecified:
      return "";
    case ColumnKind::kNumeric:
      return "numeric";
    case ColumnKind::kIntegerCategory:
      return "an integer category";
    case ColumnKind::kCategory:
      return "a category";
    case ColumnKind::kBoolean:
      return "boolean";
    case ColumnKind::kIdentifier:
      return "an identifier";
    case ColumnKind::kConstant:
      return "constant";
    case ColumnKind::kFreeText:
      return "free text";
  }
  return "";
}

}  // namespace trainyard

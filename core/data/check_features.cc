#include "core/data/check_features.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/limits.h"
#include "core/data/number.h"
#include "core/data/resolve_features.h"

namespace trainyard {
namespace {

constexpr size_t kNamesShownMax = 20;

absl::string_view EncodingWord(Encoding encoding) {
  switch (encoding) {
    case Encoding::kNumber:
      return "number";
    case Encoding::kOneHot:
      return "one_hot";
    case Encoding::kOrdinal:
      return "ordinal";
    case Encoding::kHashing:
      return "hashing";
    case Encoding::kUnspecified:
      break;
  }
  return "unspecified";
}

// Collects faults of one set of options.
class Checker {
 public:
  Checker(std::string field, const FeatureOptions& options, std::vector<FieldViolation>* violations)
      : field_(std::move(field)), options_(options), violations_(*violations) {}

  void Fault(absl::string_view option, std::string description) {
    violations_.push_back({absl::StrCat(field_, ".", option), std::move(description)});
  }

  void CheckRange(absl::string_view option, const std::optional<int64_t>& value, int64_t min,
                  int64_t max) {
    if (!value.has_value() || (*value >= min && *value <= max)) return;
    Fault(option, absl::StrCat("is ", *value, "; must be from ", min, " to ", max));
  }

  // What is wrong whatever the column is.
  void CheckRanges() {
    CheckRange("categories_max", options_.categories_max, 1, limits::kOneHotCategoriesMax);
    CheckRange("hash_buckets", options_.hash_buckets, limits::kHashBucketsMin,
               limits::kHashBucketsMax);
    if (options_.fill_value.has_value() && !std::isfinite(*options_.fill_value))
      Fault("fill_value", "is not a finite number");
    if (options_.fill_value.has_value() && options_.imputation != Imputation::kConstant)
      Fault("fill_value", "is for imputation constant only; set that, or leave fill_value out");
    const bool refuses = options_.imputation == Imputation::kRefuse;
    if (refuses && options_.missing_indicator.value_or(false))
      Fault("missing_indicator", "does nothing with imputation refuse; leave one of them out");
  }

  // `given` is an option that only these encodings look at, and `encoding` is the column's.
  void CheckUsed(absl::string_view option, bool given, Encoding encoding,
                 std::initializer_list<Encoding> used_by) {
    if (!given || std::find(used_by.begin(), used_by.end(), encoding) != used_by.end()) return;
    const std::string words = absl::StrJoin(used_by, " and ", [](std::string* out, Encoding by) {
      absl::StrAppend(out, EncodingWord(by));
    });
    Fault(option, absl::StrCat("does nothing with encoding ", EncodingWord(encoding),
                               ": it is for ", words, "; leave it out"));
  }

  void CheckAllUsed(Encoding encoding) {
    CheckUsed("scaling", options_.scaling != Scaling::kUnspecified, encoding,
              {Encoding::kNumber, Encoding::kOrdinal});
    CheckUsed("imputation", options_.imputation != Imputation::kUnspecified, encoding,
              {Encoding::kNumber});
    CheckUsed("missing_indicator", options_.missing_indicator.value_or(false), encoding,
              {Encoding::kNumber});
    CheckUsed("categories_max", options_.categories_max.has_value(), encoding, {Encoding::kOneHot});
    CheckUsed("hash_buckets", options_.hash_buckets.has_value(), encoding, {Encoding::kHashing});
    CheckUsed("unseen", options_.unseen != UnseenCategory::kUnspecified, encoding,
              {Encoding::kOneHot, Encoding::kOrdinal});
    CheckUsed("categories", !options_.categories.empty(), encoding,
              {Encoding::kOneHot, Encoding::kOrdinal});
  }

 private:
  const std::string field_;
  const FeatureOptions& options_;
  std::vector<FieldViolation>& violations_;
};

// What is wrong with a category of the column, which becomes as its cells are compared; empty:
// nothing.
std::string MendCategory(const ColumnInfo& column, std::string* category) {
  if (category->empty()) return "is empty, which is a missing cell";
  if (TrimCell(*category) != *category)
    return absl::StrCat("is \"", *category, "\"; cells have no spaces around them: remove them");
  if (column.type == ColumnType::kText) return "";
  const std::optional<double> number = ParseNumber(*category);
  if (!number.has_value()) {
    return absl::StrCat("is \"", *category, "\", and column \"", column.name,
                        "\" holds numbers: name one");
  }
  *category = NumberText(*number);
  return "";
}

void CheckCategories(const ColumnInfo& column, Encoding encoding, Checker* checker,
                     FeatureOptions* options) {
  const int64_t max =
      encoding == Encoding::kOrdinal ? limits::kOrdinalCategoriesMax : limits::kOneHotCategoriesMax;
  const auto count = static_cast<int64_t>(options->categories.size());
  if (count > max)
    return checker->Fault("categories", absl::StrCat("are ", count, "; at most ", max));
  absl::flat_hash_set<std::string> seen;
  for (size_t i = 0; i < options->categories.size(); ++i) {
    std::string fault = MendCategory(column, &options->categories[i]);
    if (fault.empty() && !seen.insert(options->categories[i]).second)
      fault = absl::StrCat("\"", options->categories[i], "\" is named twice");
    if (!fault.empty()) checker->Fault(absl::StrCat("categories[", i, "]"), std::move(fault));
  }
}

}  // namespace

std::string ShortList(const std::vector<std::string>& quoted) {
  const size_t shown = std::min(quoted.size(), kNamesShownMax);
  std::string list = absl::StrJoin(quoted.begin(), quoted.begin() + shown, ", ");
  if (shown < quoted.size()) absl::StrAppend(&list, " and ", quoted.size() - shown, " more");
  return list;
}

void CheckFeatureDefaults(const FeatureOptions& defaults, std::vector<FieldViolation>* violations) {
  Checker checker("feature_defaults", defaults, violations);
  if (!defaults.column.empty())
    checker.Fault("column", "must be left out; name columns in feature_options");
  if (!defaults.categories.empty())
    checker.Fault("categories", "are those of one column; name them in feature_options");
  checker.CheckRanges();
  const bool ordinal = defaults.encoding == Encoding::kOrdinal;
  if (ordinal && defaults.unseen == UnseenCategory::kOther)
    checker.Fault("unseen", "other is a feature of one_hot, and ordinal has none");
}

void CheckFeatureOptions(const std::string& field, const DataConfig& config,
                         const ColumnInfo& column, FeatureOptions* options,
                         std::vector<FieldViolation>* violations) {
  const FeatureOptions resolved = ResolvedOptions(*options, config, column);
  Checker checker(field, *options, violations);
  checker.CheckRanges();
  checker.CheckAllUsed(resolved.encoding);
  if (resolved.encoding == Encoding::kNumber && column.type == ColumnType::kText) {
    checker.Fault("encoding", absl::StrCat("is number, and column \"", column.name,
                                           "\" is text; choose one_hot, ordinal or hashing"));
  }
  if (options->categories_max.has_value() && !options->categories.empty())
    checker.Fault("categories_max", "does nothing where categories are named; leave it out");
  const bool indicated = options->missing_indicator.value_or(false) &&
                         resolved.imputation == Imputation::kRefuse &&
                         options->imputation != Imputation::kRefuse;
  if (indicated) {
    checker.Fault("missing_indicator",
                  absl::StrCat("does nothing: column \"", column.name,
                               "\" has no missing cells, and refuses them; set imputation too"));
  }
  CheckCategories(column, resolved.encoding, &checker, options);
}

void CheckResolvedOptions(const std::string& field, const ColumnInfo& column,
                          const FeatureOptions& resolved, std::vector<FieldViolation>* violations) {
  Checker checker(field, resolved, violations);
  const std::string quoted = absl::StrCat("column \"", column.name, "\"");
  const bool refuses_missing = resolved.encoding == Encoding::kNumber &&
                               resolved.imputation == Imputation::kRefuse &&
                               column.missing_count > 0;
  if (refuses_missing) {
    checker.Fault("imputation",
                  absl::StrCat("is refuse, and ", quoted, " has ", column.missing_count,
                               " missing cells; choose mean, median or constant, or exclude it"));
  }
  const bool ordinal = resolved.encoding == Encoding::kOrdinal;
  if (ordinal && resolved.unseen == UnseenCategory::kOther) {
    checker.Fault("unseen",
                  "is other, a feature of one_hot, and ordinal has one only; choose zeros or "
                  "refuse");
  }
  const bool all = resolved.categories.empty();
  const bool over_cap = resolved.encoding == Encoding::kOneHot && all &&
                        column.distinct_count > resolved.categories_max.value_or(0);
  if (over_cap && resolved.unseen == UnseenCategory::kRefuse) {
    checker.Fault("unseen", absl::StrCat("refuse needs all categories, and ", quoted, " has ",
                                         column.distinct_count, " with categories_max ",
                                         resolved.categories_max.value_or(0),
                                         "; raise it, or choose other or zeros"));
  }
  if (ordinal && all && column.distinct_count >= limits::kOrdinalCategoriesMax) {
    checker.Fault("encoding",
                  absl::StrCat("is ordinal, and ", quoted, " has ", limits::kOrdinalCategoriesMax,
                               " different values or more; choose hashing"));
  }
}

}  // namespace trainyard

#include "client/feature_flag.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/proto_text.h"
#include "client/render.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;

// The flags without dashes; fields of FeatureSpec go by other names only where a flag reads better.
struct Word {
  const char* word;
  const char* field;
};
constexpr Word kWords[] = {
    {"scaling", "scaling"},           {"impute", "imputation"},
    {"fill-value", "fill_value"},     {"missing-indicator", "missing_indicator"},
    {"encoding", "encoding"},         {"categories-max", "categories_max"},
    {"hash-buckets", "hash_buckets"}, {"unseen", "unseen"},
    {"categories", "categories"},
};

std::vector<std::string> AllWords() {
  std::vector<std::string> words;
  for (const Word& word : kWords) words.push_back(word.word);
  return words;
}

// Underscores and the names of fields do as well. Null: no such word.
const FieldDescriptor* FieldOf(absl::string_view word) {
  const std::string dashed = absl::StrReplaceAll(word, {{"_", "-"}});
  for (const Word& known : kWords) {
    if (dashed == known.word || word == known.field) {
      return v1::FeatureSpec::descriptor()->FindFieldByName(known.field);
    }
  }
  return nullptr;
}

// "scaling" of "scaling=robust,…".
absl::string_view FirstWord(absl::string_view text) {
  return text.substr(0, text.find_first_of("=,"));
}

// The colon after the column's name; npos without any.
size_t FindColon(absl::string_view text) {
  for (size_t at = text.find(':'); at != absl::string_view::npos; at = text.find(':', at + 1)) {
    if (FieldOf(FirstWord(text.substr(at + 1))) != nullptr) return at;
  }
  return text.find(':');
}

v1::FeatureSpec* OptionsOf(absl::string_view column, v1::TrainingSpec* spec) {
  for (v1::FeatureSpec& feature : *spec->mutable_feature_options()) {
    if (feature.column() == column) return &feature;
  }
  v1::FeatureSpec* const feature = spec->add_feature_options();
  feature->set_column(std::string(column));
  return feature;
}

// "scaling=robust"; a bool needs no value.
std::string ApplyOption(absl::string_view option, v1::FeatureSpec* feature) {
  const absl::string_view word = FirstWord(option);
  const FieldDescriptor* const field = FieldOf(word);
  if (field == nullptr) {
    const std::string guess = DidYouMean(word, AllWords());
    return absl::StrCat("unknown word \"", Printable(word), "\"",
                        guess.empty() ? "; known: " : guess,
                        guess.empty() ? absl::StrJoin(AllWords(), ", ") : "");
  }
  const bool bare = word.size() == option.size();
  if (bare && field->cpp_type() != FieldDescriptor::CPPTYPE_BOOL) {
    return absl::StrCat("\"", word, "\" needs a value: ", word, "=…");
  }
  const absl::string_view value = bare ? "true" : option.substr(word.size() + 1);
  if (!field->is_repeated()) return SetScalar(feature, *field, value);
  feature->GetReflection()->ClearField(feature, field);
  for (const absl::string_view item : absl::StrSplit(value, '|')) {
    const std::string fault = SetScalar(feature, *field, item);
    if (!fault.empty()) return fault;
  }
  return "";
}

}  // namespace

std::string ApplyFeatureText(absl::string_view text, v1::TrainingSpec* spec) {
  const size_t colon = FindColon(text);
  if (colon == absl::string_view::npos || colon == 0) {
    return absl::StrCat("expected COLUMN:WORD=VALUE,…, found \"", Printable(text), "\"");
  }
  v1::FeatureSpec* const feature = OptionsOf(text.substr(0, colon), spec);
  for (const absl::string_view option : absl::StrSplit(text.substr(colon + 1), ',')) {
    const std::string fault = ApplyOption(option, feature);
    if (!fault.empty())
      return absl::StrCat("column \"", Printable(feature->column()), "\": ", fault);
  }
  return "";
}

}  // namespace trainyard

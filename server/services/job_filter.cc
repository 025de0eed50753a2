#include "server/services/job_filter.h"

#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/services/request_checks.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

constexpr size_t kFilterBytesMax = 1'000;

bool IsWordCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '/' ||
         c == '.' || c == '@';
}

class FilterParser {
 public:
  FilterParser(absl::string_view text, JobManager::ListQuery* query) : text_(text), query_(query) {}

  absl::Status Parse() {
    if (text_.size() > kFilterBytesMax) {
      return Fault(absl::StrCat("longer than ", kFilterBytesMax, " bytes"));
    }
    SkipSpaces();
    if (AtEnd()) return absl::OkStatus();
    while (true) {
      TY_RETURN_IF_ERROR(ParseTerm());
      if (AtEnd()) return absl::OkStatus();
      if (Word() != "AND") return Fault("expected AND between two terms");
    }
  }

 private:
  absl::Status ParseTerm() {
    const std::string field = Word();
    if (field.empty()) return Fault("expected state, dataset or owner");
    if (!seen_.insert(field).second) return Fault(absl::StrCat("a second term on ", field));
    if (AtEnd() || text_[position_] != '=') return Fault(absl::StrCat("expected = after ", field));
    ++position_;
    SkipSpaces();
    TY_ASSIGN_OR_RETURN(const std::string value, Value());
    SkipSpaces();
    return Apply(field, value);
  }

  absl::Status Apply(const std::string& field, const std::string& value) {
    if (field == "owner") {
      query_->owner = value;
      return absl::OkStatus();
    }
    if (field == "dataset") {
      if (!ParseName(kDatasets, value).ok()) return Fault("dataset must be datasets/{id}");
      query_->dataset = value;
      return absl::OkStatus();
    }
    if (field != "state") return Fault(absl::StrCat("there is no field ", field));
    const std::string name = absl::StrCat("JOB_STATE_", absl::AsciiStrToUpper(value));
    if (v1::JobState_Parse(name, &query_->state) && query_->state != v1::JOB_STATE_UNSPECIFIED) {
      return absl::OkStatus();
    }
    return Fault(absl::StrCat("\"", value, "\" is no state"));
  }

  absl::StatusOr<std::string> Value() {
    if (AtEnd() || text_[position_] != '"') {
      const std::string word = Word();
      if (word.empty()) return Fault("expected a value after =");
      return word;
    }
    const size_t end = text_.find('"', position_ + 1);
    if (end == absl::string_view::npos) return Fault("the quote is never closed");
    const std::string value(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    if (value.empty()) return Fault("the value is empty");
    return value;
  }

  // The longest word from here, and the spaces after it skipped; empty when there is none.
  std::string Word() {
    const size_t start = position_;
    while (!AtEnd() && IsWordCharacter(text_[position_])) ++position_;
    const std::string word(text_.substr(start, position_ - start));
    SkipSpaces();
    return word;
  }

  void SkipSpaces() {
    while (!AtEnd() && text_[position_] == ' ') ++position_;
  }

  bool AtEnd() const { return position_ >= text_.size(); }

  absl::Status Fault(absl::string_view what) const {
    return InvalidRequest(
        "filter", absl::StrCat(what, " (at character ", position_ + 1,
                               "); write terms like state = RUNNING, dataset = \"datasets/abc\" or "
                               "owner = \"ann\", joined by AND"));
  }

  const absl::string_view text_;
  JobManager::ListQuery* const query_;
  size_t position_ = 0;
  std::set<std::string> seen_;
};

}  // namespace

absl::Status ParseJobFilter(absl::string_view filter, JobManager::ListQuery* query) {
  return FilterParser(filter, query).Parse();
}

}  // namespace trainyard

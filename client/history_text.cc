#include "client/history_text.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/describe.h"
#include "client/job_history.h"
#include "client/screen.h"
#include "core/data/csv_writer.h"

namespace trainyard {
namespace {

constexpr int kFixedColumns = 5;

// The columns by their tags, in order of first appearance.
class Columns {
 public:
  explicit Columns(const std::vector<v1::JobEvent>& history) {
    for (const v1::JobEvent& event : history) {
      for (const Scalar& scalar : ScalarsOf(event)) Add(scalar.tag);
    }
  }

  size_t IndexOf(const std::string& tag) const { return indices_.at(tag); }
  const std::vector<std::string>& tags() const { return tags_; }

 private:
  void Add(const std::string& tag) {
    if (indices_.emplace(tag, tags_.size()).second) tags_.push_back(tag);
  }

  std::map<std::string, size_t> indices_;
  std::vector<std::string> tags_;
};

void AppendLine(const std::vector<std::string>& cells, std::string* out) {
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendCsvField(cells[i], ',', out);
  }
  out->push_back('\n');
}

std::string KindWord(const v1::JobEvent& event) {
  return v1::JobEvent::descriptor()->FindFieldByNumber(event.kind_case())->name();
}

// Without the numbers.
std::vector<std::string> NewLine(const v1::JobEvent& event, std::optional<int32_t> run,
                                 int64_t steps_done, const Columns& columns) {
  std::vector<std::string> cells = {
      absl::StrCat(event.sequence()),
      absl::FormatTime(absl::RFC3339_full, EventTime(event), absl::UTCTimeZone()), KindWord(event),
      run.has_value() ? absl::StrCat(*run) : "", absl::StrCat(steps_done)};
  cells.resize(kFixedColumns + columns.tags().size());
  return cells;
}

// A line per run that the event has numbers of.
void AppendEvent(const v1::JobEvent& event, int64_t steps_done, const Columns& columns,
                 std::string* out) {
  std::map<std::optional<int32_t>, std::vector<std::string>> lines;
  for (const Scalar& scalar : ScalarsOf(event)) {
    std::vector<std::string>& cells = lines[scalar.run];
    if (cells.empty()) cells = NewLine(event, scalar.run, steps_done, columns);
    cells[kFixedColumns + columns.IndexOf(scalar.tag)] = absl::StrFormat("%.17g", scalar.value);
  }
  for (const auto& [run, cells] : lines) AppendLine(cells, out);
}

}  // namespace

std::string HistoryCsv(const std::vector<v1::JobEvent>& history) {
  const Columns columns(history);
  std::vector<std::string> header = {"sequence", "time", "kind", "run", "step"};
  header.insert(header.end(), columns.tags().begin(), columns.tags().end());
  std::string text;
  AppendLine(header, &text);
  int64_t steps_done = 0;
  for (const v1::JobEvent& event : history) {
    steps_done = StepsDone(event).value_or(steps_done);
    AppendEvent(event, steps_done, columns, &text);
  }
  return text;
}

std::string HistoryJsonLines(const std::vector<v1::JobEvent>& history) {
  std::string text;
  for (const v1::JobEvent& event : history) text += JsonLineOf(event);
  return text;
}

}  // namespace trainyard

// Structured log lines, key=value, one line an event, on stderr through spdlog. Values are quoted
// when they need it.
//
//   Log::Info("job_finished", {{"job", name}, {"state", "SUCCEEDED"}, {"seconds", 1.25}});
//   → 2026-01-02T03:04:05.678Z level=info event=job_finished job=trainingJobs/abc state=SUCCEEDED
//   seconds=1.25
//
// Never a secret, a cell of a dataset, or a prediction in a log line.
// Thread-safety: all functions from any thread.
#ifndef TRAINYARD_SERVER_BASE_LOG_H_
#define TRAINYARD_SERVER_BASE_LOG_H_

#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace trainyard {

struct LogField {
  absl::string_view key;
  std::string value;
  LogField(absl::string_view k, const absl::AlphaNum& v) : key(k), value(v.Piece()) {}
};

class Log {
 public:
  // "debug", "info", "warning", "error", "off". False when the name is none of these.
  static bool SetLevel(absl::string_view level);
  static void Debug(absl::string_view event, std::initializer_list<LogField> fields = {});
  static void Info(absl::string_view event, std::initializer_list<LogField> fields = {});
  static void Warning(absl::string_view event, std::initializer_list<LogField> fields = {});
  static void Error(absl::string_view event, std::initializer_list<LogField> fields = {});
  static void Flush();
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_BASE_LOG_H_

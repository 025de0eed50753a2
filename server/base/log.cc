#include "server/base/log.h"

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace trainyard {
namespace {

// Made at the first line and never destroyed, so that threads may log until the very end of the
// process.
spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("trainyard", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc));
    return made;
  }();
  return *logger;
}

bool NeedsQuotes(absl::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
           return c == ' ' || c == '"' || c == '=' || c == '\\' ||
                  absl::ascii_iscntrl(static_cast<unsigned char>(c));
         });
}

void Write(spdlog::level::level_enum level, absl::string_view event,
           std::initializer_list<LogField> fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(level)) return;
  std::string line = absl::StrCat("event=", event);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    if (NeedsQuotes(field.value)) {
      absl::StrAppend(&line, "\"", absl::Utf8SafeCEscape(field.value), "\"");
    } else {
      line += field.value;
    }
  }
  // As an argument, not as the format: braces in a value are not placeholders.
  logger.log(level, "{}", line);
}

}  // namespace

bool Log::SetLevel(absl::string_view level) {
  for (const spdlog::level::level_enum candidate :
       {spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err,
        spdlog::level::off}) {
    const auto name = spdlog::level::to_string_view(candidate);
    if (level != absl::string_view(name.data(), name.size())) continue;
    Logger().set_level(candidate);
    return true;
  }
  return false;
}

void Log::Debug(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::debug, event, fields);
}
void Log::Info(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::info, event, fields);
}
void Log::Warning(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::warn, event, fields);
}
void Log::Error(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::err, event, fields);
}
void Log::Flush() { Logger().flush(); }

}  // namespace trainyard

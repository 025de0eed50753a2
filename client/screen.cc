#include "client/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/error_text.h"
#include "client/exit_code.h"
#include "client/render.h"
#include "core/base/check.h"
#include "google/protobuf/util/json_util.h"

namespace trainyard {
namespace {

constexpr size_t kWidthDefault = 80;
constexpr size_t kHeightDefault = 24;  // of a terminal that does not say
constexpr char kWipe[] = "\r\x1b[K";
constexpr char kRed[] = "\x1b[31m";
constexpr char kYellow[] = "\x1b[1;33m";
constexpr char kPlain[] = "\x1b[0m";

winsize TerminalSize() {
  winsize size = {};
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) return size;
  }
  size.ws_col = kWidthDefault;
  size.ws_row = kHeightDefault;
  return size;
}

// `text` with `word`, if it begins with that, in a colour.
std::string Painted(absl::string_view text, absl::string_view word, const char* color) {
  if (!absl::StartsWith(text, word)) return std::string(text);
  return absl::StrCat(color, word, kPlain, text.substr(word.size()));
}

std::string ToJson(const google::protobuf::Message& message, bool pretty) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields =
      true;  // a program need not know which values are left out
  options.add_whitespace = pretty;
  std::string json;
  TY_CHECK(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  if (!pretty) json += "\n";
  return json;
}

}  // namespace

Streams StandardStreams() {
  return {std::cout,
          std::cerr,
          isatty(STDOUT_FILENO) == 1,
          isatty(STDERR_FILENO) == 1,
          [] { return size_t{TerminalSize().ws_col}; },
          [] { return size_t{TerminalSize().ws_row}; }};
}

std::string JsonOf(const google::protobuf::Message& message) { return ToJson(message, true); }

std::string JsonLineOf(const google::protobuf::Message& message) { return ToJson(message, false); }

ChartStyle Screen::chart_style() const {
  ChartStyle style;
  style.color = options_.color && streams_.out_is_terminal;
  if (streams_.out_is_terminal && streams_.width != nullptr) style.width = streams_.width();
  return style;
}

size_t Screen::table_width() const {
  const bool known = streams_.out_is_terminal && streams_.width != nullptr;
  return known ? streams_.width() : kWidthUnlimited;
}

size_t Screen::height() const {
  const bool known = streams_.out_is_terminal && streams_.height != nullptr;
  return known ? streams_.height() : kWidthUnlimited;
}

void Screen::Show(const google::protobuf::Message& message, absl::string_view text) {
  Print(json() ? absl::string_view(ToJson(message, true)) : text);
}

void Screen::ShowJsonLine(const google::protobuf::Message& message) { Print(JsonLineOf(message)); }

void Screen::Print(absl::string_view text) {
  Wipe();
  streams_.out.write(text.data(), static_cast<std::streamsize>(text.size()));
  streams_.out.flush();
}

void Screen::Note(absl::string_view line) {
  Wipe();
  streams_.err << std::string(line) << std::endl;
}

void Screen::ShowError(const absl::Status& status) {
  Wipe();
  if (json()) Print(ErrorJson(status));
  const std::string text = DescribeError(status);
  const bool paint = options_.color && streams_.err_is_terminal;
  streams_.err << (paint ? Painted(text, "error:", kRed) : text) << std::flush;
}

void Screen::PrintLine(absl::string_view line) {
  const bool paint = options_.color && streams_.out_is_terminal;
  Print(paint ? Painted(line, "warning:", kYellow) : std::string(line));
}

void Screen::DrawOnOut(const std::function<std::string(size_t width)>& line) {
  Draw(streams_.out, streams_.out_is_terminal, line);
}

void Screen::DrawOnErr(const std::function<std::string(size_t width)>& line) {
  Draw(streams_.err, streams_.err_is_terminal, line);
}

void Screen::Draw(std::ostream& stream, bool is_terminal,
                  const std::function<std::string(size_t width)>& line) {
  if (!is_terminal) return;
  // The last column stays free: a full line would make some terminals wrap.
  const size_t width = std::max<size_t>(streams_.width(), 2) - 1;
  stream << kWipe << line(width) << std::flush;
  drawn_on_ = &stream;
}

void Screen::Wipe() {
  if (drawn_on_ != nullptr) *drawn_on_ << kWipe << std::flush;
  drawn_on_ = nullptr;
}

absl::Status Screen::Finish() {
  Wipe();
  streams_.out.flush();
  if (streams_.out.good()) return absl::OkStatus();
  return UsageError("stdout: not everything could be written",
                    {.hint = "make room on the disk it goes to, or name another file"});
}

}  // namespace trainyard

// Where the program writes, and in which form. stdout has the answer: text, or with -o json the
// message itself as protobuf JSON with the field names of the contract. stderr has everything else,
// always as text.
//
// Thread-safety: none; used from the thread that runs the command.
#ifndef TRAINYARD_CLIENT_SCREEN_H_
#define TRAINYARD_CLIENT_SCREEN_H_

#include <cstddef>
#include <functional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/chart.h"
#include "google/protobuf/message.h"

namespace trainyard {

// What the process was given; a test gives string streams. The streams must remain live while the
// struct is in use.
struct Streams {
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  // Columns and lines of the terminal, asked each time since they may change.
  std::function<size_t()> width;
  std::function<size_t()> height;
};

// `message` as one JSON document with the field names of the contract, every scalar present.
std::string JsonOf(const google::protobuf::Message& message);
// The same on one line, with its end.
std::string JsonLineOf(const google::protobuf::Message& message);

// The process's own streams.
Streams StandardStreams();

struct ScreenOptions {
  bool json = false;
  bool color = true;  // only where the stream is a terminal
};

class Screen {
 public:
  Screen(Streams streams, const ScreenOptions& options)
      : streams_(std::move(streams)), options_(options) {}

  bool json() const { return options_.json; }
  bool out_is_terminal() const { return streams_.out_is_terminal; }
  // Of lines on stdout: the terminal's width; without a terminal there is no limit.
  size_t table_width() const;
  // Lines of the terminal; without a terminal there is no limit.
  size_t height() const;
  // Of pictures on stdout: coloured on a terminal only.
  ChartStyle chart_style() const;

  // The answer: `text` as it is, or `message` as one JSON document.
  void Show(const google::protobuf::Message& message, absl::string_view text);
  // One message on one line.
  void ShowJsonLine(const google::protobuf::Message& message);
  // Text of the answer; flushed, so that a reader at the other end of a pipe sees it now.
  void Print(absl::string_view text);
  // As Print, with a first word "warning:" standing out on a terminal.
  void PrintLine(absl::string_view line);
  // A remark on stderr.
  void Note(absl::string_view line);
  // An error on stderr, and with -o json on stdout as well.
  void ShowError(const absl::Status& status);

  // A line that is redrawn in place, cut to the terminal's width: on stdout for answers, on stderr
  // for remarks. Nothing when that stream is no terminal. Anything printed there wipes it first.
  void DrawOnOut(const std::function<std::string(size_t width)>& line);
  void DrawOnErr(const std::function<std::string(size_t width)>& line);
  void Wipe();

  // Whether everything written to stdout got through (it may be a full disk).
  absl::Status Finish();

 private:
  void Draw(std::ostream& stream, bool is_terminal,
            const std::function<std::string(size_t width)>& line);

  Streams streams_;
  const ScreenOptions options_;
  std::ostream* drawn_on_ = nullptr;  // where a line stands that is to be wiped
};

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_SCREEN_H_

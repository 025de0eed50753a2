#include "tests/support/tidy_checks.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace trainyard {
namespace {

std::string Finding(const SourceFile& file, size_t line_index, absl::string_view what) {
  return absl::StrCat(file.path, ":", line_index + 1, ": ", what);
}

bool IsCpp(absl::string_view path) {
  return absl::EndsWith(path, ".h") || absl::EndsWith(path, ".cc");
}

std::vector<absl::string_view> Lines(const std::string& text) { return absl::StrSplit(text, '\n'); }

bool IsWordCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// True if `word` stands in `line` with no letter, digit or underscore beside it.
bool HasWord(absl::string_view line, absl::string_view word) {
  for (size_t at = line.find(word); at != absl::string_view::npos; at = line.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool starts = at == 0 || !IsWordCharacter(line[at - 1]);
    if (starts && (end == line.size() || !IsWordCharacter(line[end]))) return true;
  }
  return false;
}

struct Include {
  size_t line_index;
  absl::string_view target;
  bool quoted;
};

std::optional<Include> ParseInclude(absl::string_view line, size_t line_index) {
  if (!absl::ConsumePrefix(&line, "#include ")) return std::nullopt;
  line = absl::StripAsciiWhitespace(line);
  if (line.empty()) return std::nullopt;
  const bool quoted = line.front() == '"';
  const size_t end = line.find(quoted ? '"' : '>', 1);
  if (end == absl::string_view::npos) return std::nullopt;
  return Include{line_index, line.substr(1, end - 1), quoted};
}

std::vector<Include> Includes(const std::string& text) {
  std::vector<Include> includes;
  size_t index = 0;
  for (absl::string_view line : Lines(text)) {
    if (const auto include = ParseInclude(line, index++)) includes.push_back(*include);
  }
  return includes;
}

// "core/base" for "core/base/rng.h", "server" for "server/main.cc", "client" for anything below
// client/.
std::string ModuleOf(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (parts.size() < 3 || parts[0] == "client") return std::string(parts[0]);
  return absl::StrCat(parts[0], "/", parts[1]);
}

// A module may include modules of the same tree with a smaller rank, and itself.
const std::map<std::string, int>& Ranks() {
  static const auto* ranks = new std::map<std::string, int>{
      {"core/base", 0},       {"core/tensor", 1},    {"core/data", 2},      {"core/nn", 2},
      {"core/optim", 3},      {"core/model", 4},     {"core/train", 4},     {"core/analysis", 5},
      {"server/base", 0},     {"server/wire", 1},    {"server/storage", 2}, {"server/metrics", 3},
      {"server/auth", 3},     {"server/grading", 3}, {"server/jobs", 4},    {"server/rpc", 5},
      {"server/submissions", 6}, {"server/services", 7}, {"server", 8}};
  return *ranks;
}

absl::string_view TreeOf(absl::string_view module) { return module.substr(0, module.find('/')); }

bool RankAllows(const std::string& from, const std::string& to) {
  const auto from_rank = Ranks().find(from);
  const auto to_rank = Ranks().find(to);
  return from_rank != Ranks().end() && to_rank != Ranks().end() &&
         to_rank->second < from_rank->second;
}

bool EdgeAllowed(const std::string& from, absl::string_view target) {
  const std::string to = ModuleOf(target);
  if (from == to) return true;
  // Files on a user's machine are read by the code that reads them on the server.
  if (from == "client") {
    return to == "core/base" || to == "core/data" || target == "core/model/npz_weights.h" ||
           absl::StartsWith(target, "server/wire/error_detail") ||
           absl::StartsWith(target, "server/wire/receipt") ||
           absl::StartsWith(target, "server/wire/signature") ||
           absl::StartsWith(target, "server/wire/canonical_json");
  }
  if (TreeOf(to) == "core" && TreeOf(from) == "server") return true;
  if (from == "server/worker") return to == "server/base" || to == "server/wire";
  return TreeOf(from) == TreeOf(to) && RankAllows(from, to);
}

bool IsOurs(absl::string_view target) {
  return absl::StartsWith(target, "core/") || absl::StartsWith(target, "server/") ||
         absl::StartsWith(target, "client/") || absl::StartsWith(target, "tests/");
}

struct LibraryOwner {
  absl::string_view header_prefix;
  std::vector<absl::string_view> owners;  // files, or folders that end in '/'
};

const std::vector<LibraryOwner>& LibraryOwners() {
  static const auto* owners = new std::vector<LibraryOwner>{
      {"dnnl", {"core/tensor/dnnl_kernels.cc", "core/tensor/engine_info.cc"}},
      {"oneapi/dnnl", {"core/tensor/dnnl_kernels.cc", "core/tensor/engine_info.cc"}},
      {"sqlite3.h", {"server/storage/database.cc"}},
      {"prometheus/", {"server/metrics/"}},
      {"spdlog/", {"server/base/log.cc"}},
      {"yaml-cpp/", {"client/spec_yaml.cc"}},
      {"CLI/", {"client/", "server/options.cc"}},
      {"zlib.h", {"core/data/decoder.cc"}},
      {"zstd", {"core/data/decoder.cc"}},
      {"sodium", {"server/wire/signature.cc", "server/grading/commitment.cc"}},
      {"curl/", {"server/base/http_call.cc"}},
      {"openssl/",
       {"server/auth/secret.cc", "server/auth/tls.cc", "server/base/ids.cc",
        "server/wire/rsa_key.cc", "client/digest.cc"}},
      {"grpcpp/",
       {"server/rpc/", "server/services/", "server/worker/", "server/server.h", "server/server.cc",
        "client/"}}};
  return *owners;
}

bool IsOwner(absl::string_view path, const LibraryOwner& library) {
  return std::any_of(library.owners.begin(), library.owners.end(), [path](absl::string_view owner) {
    return absl::EndsWith(owner, "/") ? absl::StartsWith(path, owner) : path == owner;
  });
}

size_t Indent(absl::string_view line) {
  const size_t at = line.find_first_not_of(' ');
  return at == absl::string_view::npos ? line.size() : at;
}

// `text` with what stands inside raw string literals taken out, line breaks kept: their braces are
// not ours.
std::string WithoutRawStrings(const std::string& text) {
  std::string result;
  size_t at = 0;
  while (true) {
    const size_t open = text.find("R\"", at);
    const size_t parenthesis = open == std::string::npos ? open : text.find('(', open);
    if (parenthesis == std::string::npos || parenthesis - open > 18) break;
    const std::string close =
        absl::StrCat(")", text.substr(open + 2, parenthesis - open - 2), "\"");
    const size_t end = text.find(close, parenthesis);
    if (end == std::string::npos) break;
    result.append(text, at, parenthesis + 1 - at);
    result.append(std::count(text.begin() + parenthesis, text.begin() + end, '\n'), '\n');
    at = end;
  }
  return result.append(text, at);
}

// True for the first line of a statement whose braces are not those of a function.
bool OpensOtherBlock(absl::string_view line) {
  for (absl::string_view word :
       {"if", "else", "for", "while", "do", "switch", "case", "default", "try", "catch",
        "namespace", "class", "struct", "enum", "union", "extern"}) {
    if (absl::StartsWith(line, word) &&
        (line.size() == word.size() || !IsWordCharacter(line[word.size()]))) {
      return true;
    }
  }
  return absl::StartsWith(line, "}") || absl::StartsWith(line, "{");
}

// The first line of the statement that the brace at `close` ends, going by indentation.
size_t StatementStart(const std::vector<absl::string_view>& lines, size_t close) {
  const size_t indent = Indent(lines[close]);
  size_t start = close;
  while (start > 0) {
    const absl::string_view line = lines[--start];
    if (!line.empty() && Indent(line) == indent && line[indent] != '#') break;
  }
  return start;
}

// What a line of a .proto declares, or nothing.
enum class ProtoLine { kOther, kBlock, kOneof, kField, kEnumValue };

ProtoLine ClassifyProtoLine(absl::string_view line, absl::string_view block) {
  const absl::string_view word = line.substr(0, line.find(' '));
  if (word == "service" || word == "rpc" || word == "message" || word == "enum")
    return ProtoLine::kBlock;
  if (word == "oneof") return ProtoLine::kOneof;
  const bool ends = absl::StrContains(line, ";") && absl::StrContains(line, " = ");
  if (!ends || word == "syntax" || word == "option" || word == "reserved") return ProtoLine::kOther;
  if (block == "enum") return ProtoLine::kEnumValue;
  return ProtoLine::kField;
}

bool SaysPresence(const std::vector<absl::string_view>& lines, size_t field) {
  size_t first = field;
  while (first > 0 && absl::StartsWith(absl::StripAsciiWhitespace(lines[first - 1]), "//")) --first;
  const absl::string_view comment = absl::StripAsciiWhitespace(lines[first]);
  return absl::StartsWith(comment, "// Required") || absl::StartsWith(comment, "// Optional.") ||
         absl::StartsWith(comment, "// Output only.");
}

// The complaint about the declaration at `index`, or an empty string.
std::string ProtoComplaint(const std::vector<absl::string_view>& lines, size_t index,
                           ProtoLine kind, absl::string_view block) {
  if (index == 0 || !absl::StartsWith(absl::StripAsciiWhitespace(lines[index - 1]), "//")) {
    return "has no comment; say what it means on the line above";
  }
  const bool presence_needed =
      (kind == ProtoLine::kField && block == "message") || kind == ProtoLine::kOneof;
  if (presence_needed && !SaysPresence(lines, index)) {
    return "its comment must start with \"Required.\", \"Optional.\" or \"Output only.\"";
  }
  return "";
}

bool NeedsRegistration(absl::string_view path) {
  return absl::EndsWith(path, "_test.cc") || absl::EndsWith(path, "_fuzz.cc") ||
         absl::EndsWith(path, "_bench.cc");
}

// True if a CMakeLists.txt in the folder of `path`, or above, names it relative to itself.
bool IsRegistered(const std::string& path,
                  const std::map<std::string, absl::string_view>& cmake_by_folder) {
  for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;) {
    const auto cmake = cmake_by_folder.find(path.substr(0, slash));
    const std::string relative = path.substr(slash + 1);
    if (cmake != cmake_by_folder.end() && absl::StrContains(cmake->second, relative)) return true;
    slash = path.rfind('/', slash - 1);
  }
  return false;
}

}  // namespace

std::vector<std::string> CheckIncludeEdges(const SourceFile& file) {
  std::vector<std::string> findings;
  const std::string from = ModuleOf(file.path);
  if (!IsCpp(file.path) || !IsOurs(file.path) || TreeOf(from) == "tests") return findings;
  for (const Include& include : Includes(file.text)) {
    if (!IsOurs(include.target) || EdgeAllowed(from, include.target)) continue;
    findings.push_back(
        Finding(file, include.line_index,
                absl::StrCat(from, " must not include ", include.target,
                             "; includes point one way (tests/README.md, \"Include edges\")")));
  }
  return findings;
}

std::vector<std::string> CheckLibraryOwners(const SourceFile& file) {
  std::vector<std::string> findings;
  if (!IsCpp(file.path) || absl::StartsWith(file.path, "tests/")) return findings;
  for (const Include& include : Includes(file.text)) {
    for (const LibraryOwner& library : LibraryOwners()) {
      if (!absl::StartsWith(include.target, library.header_prefix) || IsOwner(file.path, library))
        continue;
      findings.push_back(
          Finding(file, include.line_index,
                  absl::StrCat("<", include.target, "> belongs to ",
                               absl::StrJoin(library.owners, ", "), "; call that instead")));
    }
  }
  return findings;
}

std::vector<std::string> CheckCoreIsQuiet(const SourceFile& file) {
  std::vector<std::string> findings;
  if (!IsCpp(file.path) || !absl::StartsWith(file.path, "core/")) return findings;
  for (const Include& include : Includes(file.text)) {
    const bool known = absl::StartsWith(include.target, "core/") ||
                       absl::StartsWith(include.target, "absl/") || include.target == "dnnl.hpp";
    if (include.quoted && !known) {
      findings.push_back(
          Finding(file, include.line_index,
                  absl::StrCat("core/ is a leaf and must not include ", include.target)));
    }
  }
  if (file.path == "core/base/check.cc") return findings;  // prints why it aborts
  const std::vector<absl::string_view> lines = Lines(file.text);
  for (size_t i = 0; i < lines.size(); ++i) {
    const absl::string_view code = lines[i].substr(0, lines[i].find("//"));
    for (absl::string_view word :
         {"cout", "cerr", "printf", "fprintf", "puts", "SleepFor", "sleep_for"}) {
      if (!HasWord(code, word)) continue;
      findings.push_back(Finding(
          file, i,
          absl::StrCat("core/ must not use ", word, "; return a Status or call an observer")));
    }
  }
  return findings;
}

std::vector<std::string> CheckFunctionLength(const SourceFile& file) {
  std::vector<std::string> findings;
  if (!IsCpp(file.path)) return findings;
  const std::string text = WithoutRawStrings(file.text);
  const std::vector<absl::string_view> lines = Lines(text);
  for (size_t close = 0; close < lines.size(); ++close) {
    if (absl::StripLeadingAsciiWhitespace(lines[close]) != "}") continue;
    const size_t start = StatementStart(lines, close);
    const absl::string_view first = absl::StripLeadingAsciiWhitespace(lines[start]);
    const int length = static_cast<int>(close - start) + 1;
    if (length <= kFunctionLinesMax || OpensOtherBlock(first)) continue;
    findings.push_back(Finding(file, start,
                               absl::StrCat("function of ", length, " lines; the limit is ",
                                            kFunctionLinesMax, ": split it")));
  }
  return findings;
}

std::vector<std::string> CheckHeaderBanner(const SourceFile& file) {
  if (!absl::EndsWith(file.path, ".h") || absl::StartsWith(file.text, "// ")) return {};
  return {Finding(file, 0, "a header starts with the comment that says what it is")};
}

std::vector<std::string> CheckTodoOwners(const SourceFile& file) {
  const std::string marker =
      absl::StrCat("TO", "DO");  // in two halves: this file is checked as well
  std::vector<std::string> findings;
  const std::vector<absl::string_view> lines = Lines(file.text);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!HasWord(lines[i], marker)) continue;
    absl::string_view rest = lines[i].substr(lines[i].find(marker) + marker.size());
    const size_t close = rest.find("): ");
    if (absl::StartsWith(rest, "(") && close != absl::string_view::npos && close > 1) continue;
    findings.push_back(Finding(
        file, i, absl::StrCat("write ", marker, "(owner): condition under which it is done")));
  }
  return findings;
}

std::vector<std::string> CheckProtoComments(const SourceFile& file) {
  std::vector<std::string> findings;
  if (!absl::EndsWith(file.path, ".proto")) return findings;
  const std::vector<absl::string_view> lines = Lines(file.text);
  std::vector<absl::string_view> blocks = {"file"};
  for (size_t i = 0; i < lines.size(); ++i) {
    const absl::string_view line = absl::StripAsciiWhitespace(lines[i]);
    if (line.empty() || absl::StartsWith(line, "//")) continue;
    const ProtoLine kind = ClassifyProtoLine(line, blocks.back());
    if (kind != ProtoLine::kOther) {
      const std::string complaint = ProtoComplaint(lines, i, kind, blocks.back());
      if (!complaint.empty())
        findings.push_back(Finding(file, i, absl::StrCat(line, ": ", complaint)));
    }
    if (absl::EndsWith(line, "{")) blocks.push_back(line.substr(0, line.find(' ')));
    if (line == "}" && blocks.size() > 1) blocks.pop_back();
  }
  return findings;
}

std::vector<std::string> CheckTestsRegistered(const std::vector<SourceFile>& files) {
  std::map<std::string, absl::string_view> cmake_by_folder;
  for (const SourceFile& file : files) {
    absl::string_view folder = file.path;
    if (absl::ConsumeSuffix(&folder, "/CMakeLists.txt")) cmake_by_folder.emplace(folder, file.text);
  }
  std::vector<std::string> findings;
  for (const SourceFile& file : files) {
    if (!NeedsRegistration(file.path) || IsRegistered(file.path, cmake_by_folder)) continue;
    findings.push_back(
        Finding(file, 0, "is in no CMakeLists.txt, so it never runs; add it to its folder's"));
  }
  return findings;
}

}  // namespace trainyard

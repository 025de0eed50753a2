// Checks of the source itself, as pure functions of a file's path and text, so that each can be
// shown a bad snippet. tests/tidy_test.cc runs them over the tree.
//
//   for (const std::string& finding : CheckIncludeEdges({"core/base/rng.cc", text})) …
//
// A finding is one line: "path:line: what is wrong; how to fix it". No finding: an empty list.
// Paths are relative to the repository. Text is expected as clang-format leaves it; the checks look
// at lines and indentation and do not parse C++.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_TESTS_SUPPORT_TIDY_CHECKS_H_
#define TRAINYARD_TESTS_SUPPORT_TIDY_CHECKS_H_

#include <string>
#include <vector>

namespace trainyard {

struct SourceFile {
  std::string path;  // e.g. "core/base/rng.cc"
  std::string text;
};

// Longest function, from the first line of its signature to its closing brace.
inline constexpr int kFunctionLinesMax = 70;

// Includes point one way (server/README.md, core/README.md). C++ files under core/, server/ and
// client/; others pass.
std::vector<std::string> CheckIncludeEdges(const SourceFile& file);

// Each outside library is included by the one file or folder that wraps it (dependency table of
// README.md).
std::vector<std::string> CheckLibraryOwners(const SourceFile& file);

// core/ includes only itself, Abseil, oneDNN and the standard library, and does not print or sleep.
std::vector<std::string> CheckCoreIsQuiet(const SourceFile& file);

// No function is longer than kFunctionLinesMax.
std::vector<std::string> CheckFunctionLength(const SourceFile& file);

// A header's first line is the comment that says what it is.
std::vector<std::string> CheckHeaderBanner(const SourceFile& file);

// An open task is written "TODO(owner): condition under which it is done".
std::vector<std::string> CheckTodoOwners(const SourceFile& file);

// Every service, rpc, message, enum, field and enum value has a comment above it, and every field
// outside a oneof says "Required.", "Optional." or "Output only." first, apart from a oneof's own
// header.
std::vector<std::string> CheckProtoComments(const SourceFile& file);

// Every *_test.cc, *_fuzz.cc and *_bench.cc is named in the CMakeLists.txt of its folder or of one
// above it. `files` holds the tests and the CMakeLists.txt files.
std::vector<std::string> CheckTestsRegistered(const std::vector<SourceFile>& files);

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_TIDY_CHECKS_H_

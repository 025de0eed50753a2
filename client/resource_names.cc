#include "client/resource_names.h"

#include <initializer_list>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace trainyard {
namespace {

constexpr absl::string_view kCourses = "courses/";

std::string Expand(std::initializer_list<absl::string_view> collections, absl::string_view text) {
  const std::vector<absl::string_view> ids = absl::StrSplit(text, '/');
  if (absl::StartsWith(text, kCourses) || ids.size() != collections.size()) {
    return std::string(text);
  }
  std::vector<std::string> parts;
  size_t i = 0;
  for (const absl::string_view collection : collections) {
    parts.push_back(absl::StrCat(collection, "/", ids[i++]));
  }
  return absl::StrJoin(parts, "/");
}

}  // namespace

std::string CourseName(absl::string_view text) { return Expand({"courses"}, text); }
std::string AssignmentName(absl::string_view text) {
  return Expand({"courses", "assignments"}, text);
}
std::string SubmissionName(absl::string_view text) {
  return Expand({"courses", "assignments", "submissions"}, text);
}
std::string RegradeName(absl::string_view text) {
  return Expand({"courses", "assignments", "regrades"}, text);
}
std::string SnapshotName(absl::string_view text) { return Expand({"courses", "snapshots"}, text); }

std::string ShortName(absl::string_view name) {
  if (!absl::StartsWith(name, kCourses)) return std::string(name);
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  std::vector<absl::string_view> ids;
  for (size_t i = 1; i < parts.size(); i += 2) ids.push_back(parts[i]);
  return absl::StrJoin(ids, "/");
}

}  // namespace trainyard

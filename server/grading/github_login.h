// What GitHub takes for the name of an account. The same for rosters and for deliveries: who is in
// a roster can be told of.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_GITHUB_LOGIN_H_
#define TRAINYARD_SERVER_GRADING_GITHUB_LOGIN_H_

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace trainyard {

inline constexpr size_t kGithubLoginBytesMax = 39;

// 1 to kGithubLoginBytesMax letters, digits and hyphens, no hyphen first.
inline bool IsGithubLogin(absl::string_view login) {
  const bool shaped =
      !login.empty() && login.size() <= kGithubLoginBytesMax && login.front() != '-';
  return shaped && std::all_of(login.begin(), login.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-';
         });
}

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_GITHUB_LOGIN_H_

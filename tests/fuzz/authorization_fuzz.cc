// Any bytes as an authorization header: no token, or one that is written back as it was read.
#include <cstdint>
#include <cstdlib>

#include "absl/strings/match.h"
#include "server/auth/bearer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trainyard;
  const absl::string_view value(reinterpret_cast<const char*>(data), size);
  const std::optional<Bearer> bearer = ParseAuthorization(value);
  if (!bearer.has_value()) return 0;
  const std::string text = BearerText(*bearer);
  const bool is_end = absl::EndsWith(value, text) && text.size() == 3 + 12 + 1 + 64;
  const bool is_found_again = ParseAuthorization("Bearer " + text).has_value();
  if (!is_end || !is_found_again) std::abort();
  return 0;
}

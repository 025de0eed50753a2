// UTF-8: whether bytes are well-formed (RFC 3629: no overlong forms, no surrogates, nothing above
// U+10FFFF).
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_UTF8_H_
#define TRAINYARD_CORE_DATA_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace trainyard {

// What some programs write before a text in UTF-8.
inline constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsUtf8(absl::string_view text);

// The longest start of `text` of at most `size_max` bytes that cuts no character. REQUIRES:
// IsUtf8(text).
absl::string_view Utf8Prefix(absl::string_view text, size_t size_max);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_UTF8_H_

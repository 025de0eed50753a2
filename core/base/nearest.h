// The word somebody probably meant, for error messages: "layer" → "did you mean \"layers\"?".
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_BASE_NEAREST_H_
#define TRAINYARD_CORE_BASE_NEAREST_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace trainyard {

// Insertions, deletions and replacements of one byte that turn `a` into `b`.
size_t EditDistance(absl::string_view a, absl::string_view b);

// The candidate with the smallest edit distance, the first of equals; empty when none is nearer
// than a third of its length (at least 2 edits are allowed), since a guess that far off only
// confuses.
std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_NEAREST_H_

// Comparison of secrets. The time it takes depends on their lengths alone, so it tells nothing of
// how much of a guess is right.
//
// Thread-safety: a pure function.
#ifndef TRAINYARD_SERVER_AUTH_SECRET_H_
#define TRAINYARD_SERVER_AUTH_SECRET_H_

#include "absl/strings/string_view.h"

namespace trainyard {

bool SameSecret(absl::string_view a, absl::string_view b);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_SECRET_H_

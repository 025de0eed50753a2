// What this binary was built from. A server takes only workers of its own build, and receipts name it.
//
// Thread-safety: constants.
#ifndef TRAINYARD_SERVER_BASE_VERSION_H_
#define TRAINYARD_SERVER_BASE_VERSION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace trainyard {

// "0.1.0": the version of the CMake project.
absl::string_view Version();
// The short git revision at configure time, or "unknown".
absl::string_view Revision();
// "0.1.0+564e9e4".
std::string BuildString();

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_BASE_VERSION_H_

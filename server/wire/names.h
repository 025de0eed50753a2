// Resource names: `datasets/{id}`, `trainingJobs/{id}`, `models/{id}`, `users/{id}`, `tokens/{id}`.
// Ids are 1 to 63 characters of [a-z0-9-].
#ifndef TRAINYARD_SERVER_WIRE_NAMES_H_
#define TRAINYARD_SERVER_WIRE_NAMES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

inline constexpr absl::string_view kDatasets = "datasets";
inline constexpr absl::string_view kTrainingJobs = "trainingJobs";
inline constexpr absl::string_view kModels = "models";
inline constexpr absl::string_view kUsers = "users";
inline constexpr absl::string_view kTokens = "tokens";

// The id of `collection/{id}`. INVALID_ARGUMENT/INVALID_REQUEST (field "name", what was expected) otherwise.
absl::StatusOr<std::string> ParseName(absl::string_view collection, absl::string_view name);
std::string MakeName(absl::string_view collection, absl::string_view id);
// NOT_FOUND with metadata resource=name and a hint (`trainyard dataset list`).
absl::Status NotFound(absl::string_view name);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_NAMES_H_

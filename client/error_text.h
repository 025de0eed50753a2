// Errors as text for people, and as JSON for programs.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_ERROR_TEXT_H_
#define TRAINYARD_CLIENT_ERROR_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// What and where, every faulty field on its own line, how to fix it, the options in force; each
// part only if there is one. Ends with a line end. REQUIRES: !status.ok().
std::string DescribeError(const absl::Status& status);

// {"error": {...}}, the value being google.rpc.Status as JSON with its details. One line. REQUIRES:
// !status.ok().
std::string ErrorJson(const absl::Status& status);

// Why a job failed, in the same form.
std::string DescribeJobError(const v1::JobError& error);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_ERROR_TEXT_H_

// SubmissionAdmission makes of what a student wrote what the server trains and grades: checked
// against the assignment, merged into its spec, resolved, canonical, within the budget. A spec that
// is refused costs no attempt.
//
//   std::vector<FieldViolation> violations;
//   TY_ASSIGN_OR_RETURN(const GradedSpec graded,
//                       admission.Grade(published.assignment(), spec, &violations));
//
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_SUBMISSION_ADMISSION_H_
#define TRAINYARD_SERVER_SERVICES_SUBMISSION_ADMISSION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/error_info.h"
#include "server/grading/submission_store.h"
#include "server/services/service_limits.h"
#include "server/storage/dataset_store.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/course_event.pb.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

struct GradedSpec {
  v1::TrainingSpec canonical;
  std::string digest;  // of it
  v1::WorkUsed work;
};

class SubmissionAdmission {
 public:
  // `secret` is what seeds are derived from.
  SubmissionAdmission(const ServiceLimits& limits, DatasetStore* datasets, std::string secret)
      : limits_(limits), datasets_(datasets), secret_(std::move(secret)) {}

  // Faults of the spec go to `violations`; paths from "spec.". Errors: RESOURCE_EXHAUSTED/TOO_LARGE; those of the dataset.
  absl::StatusOr<GradedSpec> Grade(const v1::Assignment& assignment, const v1::TrainingSpec& spec,
                                   std::vector<FieldViolation>* violations) const;
  // The resolved form of an assignment's own spec, with its faults; paths from "assignment.base_spec.".
  absl::StatusOr<v1::TrainingSpec> ResolveBase(const v1::Assignment& assignment,
                                               std::vector<FieldViolation>* violations) const;
  // A new submission of a student, without id and state.
  StoredSubmission NewSubmission(const v1::PublishedAssignment& published, const GradedSpec& graded,
                                 const std::string& student) const;
  // Of the seeds of an assignment's version.
  std::vector<uint64_t> Seeds(const v1::Assignment& assignment) const;
  // The same for every submission that comes to the same score: spec, data, rule, seeds and engine.
  std::string CacheKey(const v1::PublishedAssignment& published, const std::string& spec_digest) const;

 private:
  const ServiceLimits limits_;
  DatasetStore* const datasets_;
  const std::string secret_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_SUBMISSION_ADMISSION_H_

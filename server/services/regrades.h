// Regrades trains and evaluates accepted specs again under an assignment's newest version, tells what that would change, and puts it into force. When
// something was accepted never changes; what is trained again is the very spec that was accepted.
//
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it. Errors: those of the rpcs.
#ifndef TRAINYARD_SERVER_SERVICES_REGRADES_H_
#define TRAINYARD_SERVER_SERVICES_REGRADES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/auth/principal.h"
#include "server/grading/course_store.h"
#include "server/grading/submission_store.h"
#include "server/services/submission_admission.h"
#include "server/storage/database.h"
#include "server/submissions/runner.h"
#include "server/wire/signature.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

class Regrades {
 public:
  // Submissions of one regrade: their points, with names as long as they may be, are one event.
  static constexpr size_t kSubmissionsMax = 10'000;

  Regrades(Database* database, CourseStore* courses, const SubmissionAdmission* admission,
           SubmissionRunner* runner, const SigningKey* key)
      : database_(database),
        courses_(courses),
        admission_(admission),
        runner_(runner),
        key_(key) {}

  absl::StatusOr<v1::Regrade> Create(const v1::CreateRegradeRequest& request,
                                     const Principal& principal);
  absl::StatusOr<v1::Regrade> Get(const v1::GetRegradeRequest& request,
                                  const Principal& principal) const;
  absl::StatusOr<v1::Regrade> Apply(const v1::ApplyRegradeRequest& request,
                                    const Principal& principal);

 private:
  // An accepted submission and what it came to again.
  struct Pair {
    StoredSubmission original, again;
  };
  absl::StatusOr<std::vector<Pair>> Load(const RegradeName& name) const;
  // Rows to be trained again, without ids. REQUIRES: the course and assignment are there.
  absl::StatusOr<std::vector<StoredSubmission>> Prepare(const v1::CreateRegradeRequest& request,
                                                        const RegradeName& name) const;
  // That no other regrade of the assignment is being trained.
  absl::Status CheckNoneRuns(const AssignmentName& parent) const;
  // The course without and with the regrade in force.
  struct Effect {
    CourseState before, after;
  };
  // REQUIRES: it is applied.
  absl::StatusOr<Effect> EffectOf(const RegradeName& name) const;
  // If it were applied now.
  absl::StatusOr<Effect> PreviewOf(const RegradeName& name, v1::RegradeMode mode,
                                   const std::vector<Pair>& pairs) const;
  static absl::Status AddGradeChanges(const Effect& effect, v1::Regrade* regrade);
  // The events of a regrade that is put into force; leaves what counts in `*pairs`, with its
  // result.
  absl::StatusOr<CourseStore::Events> Take(const CourseState& state, const RegradeName& name,
                                           v1::RegradeMode mode, std::vector<Pair>* pairs) const;
  // How far it is, without changes. NOT_FOUND.
  absl::StatusOr<v1::Regrade> Progress(const RegradeName& name) const;
  // With changes once all is done; of an applied one, those of then.
  absl::StatusOr<v1::Regrade> Describe(const RegradeName& name, v1::RegradeMode mode) const;

  Database* const database_;
  CourseStore* const courses_;
  const SubmissionAdmission* const admission_;
  SubmissionRunner* const runner_;
  const SigningKey* const key_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_REGRADES_H_

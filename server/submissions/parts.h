// What grading a submission needs of the rest of the server, as functions where a layer above does it.
#ifndef TRAINYARD_SERVER_SUBMISSIONS_PARTS_H_
#define TRAINYARD_SERVER_SUBMISSIONS_PARTS_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/grading/course_state.h"
#include "server/wire/signature.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/spec.pb.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

class Connection;
class CourseStore;
class Database;
class Evaluator;
class JobManager;
class Metrics;

// Owner of the trainings of regrades and replays: no user's id, because it has a capital letter.
inline constexpr char kGradingOwner[] = "Grading";

// One training of a submission.
struct GradedTraining {
  v1::TrainingSpec spec;  // canonical, with its seed
  std::string dataset;
  std::string owner;
  std::string submission;    // name
  std::string display_name;  // for the student's list of jobs
  std::string request_id;    // the same for the same training
  v1::JobPriority priority = v1::JOB_PRIORITY_NORMAL;
};

// REQUIRES: all outlives what it is given to.
struct SubmissionParts {
  Database* database = nullptr;
  CourseStore* courses = nullptr;
  JobManager* jobs = nullptr;
  Evaluator* evaluator = nullptr;
  Metrics* metrics = nullptr;
  const SigningKey* key = nullptr;
  std::function<absl::StatusOr<v1::TrainingJob>(const GradedTraining&)> start;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SUBMISSIONS_PARTS_H_

// What a gradebook is computed from: plain values, as the stores have them. Whole numbers only.
//
// Order carries no meaning in any list but `exam_results`: the same facts in another order give the
// same gradebook.
//
// Thread-safety: values.
#ifndef TRAINYARD_SERVER_GRADING_GRADEBOOK_INPUT_H_
#define TRAINYARD_SERVER_GRADING_GRADEBOOK_INPUT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace trainyard {

struct AssignmentInput {
  std::string id;  // unique
  std::string title;
  int64_t max_points = 0;  // 0 to limits::kPointsMax
  bool bonus = false;
  std::string module;
  // As staff wrote it, in the policy's zone, without grace. None: never late.
  std::optional<absl::CivilSecond> due;
  // Counts in the figure "so far". The final grade counts every assignment from day one.
  bool released = true;
  // Points come from sealed rows: the nominated run counts, without one the best by public_rank,
  // and no explanation shows points of other runs.
  bool sealed = false;
  // Public ranks that differ by at most so much are noise; see BookWarning::Kind::kNoise.
  int64_t public_noise = 0;
};

struct StudentInput {
  std::string id;  // unique; names are never keys
  std::string display_name;
  std::string full_name;  // empty until known
  std::string programme;
  std::string group;
};

enum class ResultStatus : int { kOk, kPending, kUngradable, kInfraError };

// One graded run. Only kOk ones count.
struct ResultInput {
  std::string submission;
  std::string student;     // StudentInput::id
  std::string assignment;  // AssignmentInput::id
  int64_t points = 0;      // 0 to limits::kPointsMax
  int64_t max_points = 0;  // of the assignment's version that it was graded by
  absl::Time accepted_at;
  absl::Time finished_at;
  int64_t public_rank = 0;  // the larger, the better its score on public rows
  bool nominated = false;
  ResultStatus status = ResultStatus::kOk;
};

enum class AdjustmentKind : int {
  kAdd,                 // value: points added to the assignment's, or to the sum; may be negative
  kSet,                 // value: the assignment's points, instead of the run's and those added
  kZero,                // the assignment's points are 0
  kLateDays,            // value: units late, instead of those counted
  kExempt,              // the assignment is neither in the sum nor in the denominator
  kExtend,              // value: seconds added to the deadline; several add up
  kFinal,               // value: hundredths of the final grade, instead of the computed one
  kSanctionPlagiarism,  // see SanctionPolicy
  kSanctionTampering,
};

// A decision of staff. Where two of a kind exclude each other, the larger sequence counts.
struct AdjustmentInput {
  std::string id;
  std::string student;
  std::string assignment;  // empty: the whole course
  AdjustmentKind kind = AdjustmentKind::kAdd;
  int64_t value = 0;
  std::string reason;
  std::string author;
  int64_t sequence = 0;
  std::optional<absl::Time> expires;  // does not count from then on
  bool revoked = false;               // does not count
  bool unconfirmed = false;           // a kFinal that waits for a second person: does not count yet
};

struct ExamResultInput {
  std::string student;  // empty: `name` is not resolved, and grades cannot be published
  std::string name;     // as it stands in the table of the exam
  std::string exam;     // ExamPolicy.id
  int64_t points_hundredths = 0;
};

// A quiz of a module; those of a student are QuizResultInputs.
struct QuizInput {
  std::string id;  // unique
  std::string module;
};

struct QuizResultInput {
  std::string student;
  std::string quiz;
  std::optional<absl::Time> correct_at;  // of the first correct answer
  int64_t attempts = 0;
};

struct GradebookInput {
  std::vector<AssignmentInput> assignments;  // lines come in this order
  std::vector<StudentInput> students;        // rows come in this order
  std::vector<ResultInput> results;
  std::vector<AdjustmentInput> adjustments;
  std::vector<ExamResultInput> exam_results;  // of two for the same exam the later one counts
  std::vector<QuizInput> quizzes;
  std::vector<QuizResultInput> quiz_results;
  // Adjustments that expire then or before do not count.
  absl::Time as_of = absl::InfinitePast();
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_GRADEBOOK_INPUT_H_

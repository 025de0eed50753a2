// From what the runs of a submission measured to what it is worth.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_SUBMISSIONS_SCORING_H_
#define TRAINYARD_SERVER_SUBMISSIONS_SCORING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/grading/course_state.h"
#include "server/grading/submission_store.h"
#include "server/submissions/evaluator.h"
#include "trainyard/v1/course.pb.h"

namespace trainyard {

// Fills in the values of the sealed runs, and what follows from their median: result, standard error, leak and public median. REQUIRES: `evaluations`
// has one for each run, in their order.
void ScoreRuns(const v1::Assignment& assignment, const std::vector<Evaluation>& evaluations,
               StoredSubmission* submission);

// What telling a result is worth at most, in thousandths of a bit. Rounded score and points are both steps of the one exact value, so that together they
// have at most values + levels - 1 outcomes.
int64_t ResultMillibits(const v1::Assignment& assignment, int64_t rows);

// The first of the versions up to `version` whose public scores can be compared with its: the same
// public rows, measured alike. Ladders and the leaderboard go on from one to the next, so that
// moving a deadline wipes no board and gives nobody a fresh Ladder. REQUIRES: there is that version.
int FirstComparableVersion(const CourseState& state, const std::string& assignment, int version);

// Greater is better: what selection by public score compares.
int64_t PublicRank(const v1::Assignment& assignment, const v1::SealedRecord& sealed);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SUBMISSIONS_SCORING_H_

// The largest value of everything of a gradebook that can grow, beside core/base/limits.h. Sums
// stay far inside int64: 1000 assignments and 100 000 adjustments of a million points, in
// hundredths, times a scale of 1000, are 1.01e16.
#ifndef TRAINYARD_SERVER_GRADING_GRADEBOOK_LIMITS_H_
#define TRAINYARD_SERVER_GRADING_GRADEBOOK_LIMITS_H_

#include <cstdint>

namespace trainyard::limits {

inline constexpr int64_t kPolicyBytesMax = int64_t{1} << 20;
inline constexpr int64_t kExamsMax = 20;
inline constexpr int64_t kAdmissionsMax = 100;
inline constexpr int64_t kQuizzesMax = 1'000;
inline constexpr int64_t kPointsMax = 1'000'000;  // of a run, an assignment, an adjustment
inline constexpr int64_t kAssignmentsMax = 1'000;
inline constexpr int64_t kStudentsMax = 100'000;
inline constexpr int64_t kGradebookLinesMax = 2'000'000;  // students times assignments
inline constexpr int64_t kResultsMax = 5'000'000;  // runs of a course; answers to its quizzes
inline constexpr int64_t kAdjustmentsMax = 100'000;
inline constexpr int64_t kExamResultsMax = 2'000'000;
inline constexpr int64_t kGradebookWarningsMax = 1'000;  // the last one counts those left out
inline constexpr int64_t kModuleMax = 100;
inline constexpr int64_t kExtensionSecondsMax = int64_t{400} * 86'400;
inline constexpr int64_t kLateUnitsMax = 1'000;  // of an adjustment
inline constexpr int64_t kFinalHundredthsMax = 100'000;

}  // namespace trainyard::limits

#endif  // TRAINYARD_SERVER_GRADING_GRADEBOOK_LIMITS_H_

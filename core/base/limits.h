// The largest value of everything that can grow, and its default where an option may lower it. DESIGN.md section 6.
// Constants only; error messages print them.
#ifndef TRAINYARD_CORE_BASE_LIMITS_H_
#define TRAINYARD_CORE_BASE_LIMITS_H_

#include <cstdint>

namespace trainyard::limits {

// Tables.
inline constexpr int64_t kDatasetBytesMax = int64_t{4} << 30;
inline constexpr int64_t kDatasetRowsMax = 10'000'000;
inline constexpr int64_t kDatasetColumnsMax = 10'000;
inline constexpr int64_t kDatasetCellsMax = int64_t{1} << 30;  // rows times columns, missing cells too
inline constexpr int64_t kRecordBytesMax = int64_t{16} << 20;  // one CSV record
inline constexpr int64_t kFieldBytesMax = int64_t{1} << 20;    // one CSV field
inline constexpr int64_t kColumnNameBytesMax = 256;
inline constexpr int64_t kDistinctTextMax = 1'000'000;  // different values of one text column
inline constexpr int64_t kDistinctCountMax = 10'000;    // counting for statistics stops here
inline constexpr int64_t kTopValuesMax = 20;
inline constexpr int64_t kRejectsKeptMax = 100;
inline constexpr int64_t kBadRowsMax = 1'000'000;
inline constexpr int64_t kClassesMax = 10'000;

// Specs.
inline constexpr int64_t kSpecBytesMax = int64_t{1} << 20;
inline constexpr int64_t kLayersMax = 64;
inline constexpr int64_t kUnitsMax = 65'536;
inline constexpr int64_t kParametersMax = int64_t{1} << 30;
inline constexpr int64_t kBatchSizeMax = 1 << 20;
inline constexpr int64_t kEpochsMax = 100'000;
inline constexpr int64_t kMaxStepsMax = int64_t{1} << 40;  // of max_steps and evaluation_interval
inline constexpr int64_t kAccumulationStepsMax = 10'000;
inline constexpr int64_t kSeedCountMax = 64;
inline constexpr int64_t kPatienceMax = 1'000'000;  // evaluations
inline constexpr int64_t kThreadsMax = 256;
inline constexpr int64_t kRuntimeSecondsMax = 3'600;
inline constexpr int64_t kJobMemoryBytesMin = int64_t{64} << 20;
// Step and epoch events of one job together; above it, step_event_interval must grow.
inline constexpr int64_t kTrainingEventsMax = 1'000'000;

// Messages.
inline constexpr int64_t kMessageBytesMax = int64_t{8} << 20;
inline constexpr int64_t kAnswerBytesMax = int64_t{4} << 20;
inline constexpr int64_t kChunkBytesMax = int64_t{1} << 20;
inline constexpr int64_t kDisplayNameBytesMax = 200;
inline constexpr int64_t kPageSizeMax = 1'000;
inline constexpr int64_t kPageSizeDefault = 50;
inline constexpr int64_t kPredictRowsMax = 10'000;

// Queue.
inline constexpr int64_t kQueuedJobsMax = 100'000;
inline constexpr int64_t kOwnerJobsMax = 1'000;
inline constexpr int kInfraFailuresMax = 3;  // in a row; the job then ends FAILED(WORKER_LOST)

}  // namespace trainyard::limits

#endif  // TRAINYARD_CORE_BASE_LIMITS_H_

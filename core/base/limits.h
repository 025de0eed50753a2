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
inline constexpr int64_t kDictionaryBytesMax = int64_t{512} << 20;  // different texts of all columns, in memory
inline constexpr int64_t kTopValuesMax = 20;
inline constexpr int64_t kRejectsKeptMax = 100;
inline constexpr int64_t kBadRowsMax = 1'000'000;
inline constexpr int64_t kMissingMarkersMax = 100;
inline constexpr int64_t kClassesMax = 10'000;

inline constexpr int64_t kTableWarningsMax = 100;

// Features.
inline constexpr int64_t kFeaturesMax = 65'536;               // inputs of a network: numbers, categories, buckets
inline constexpr int64_t kFeatureCellsMax = int64_t{1} << 32;  // rows times them
inline constexpr int64_t kOneHotCategoriesMax = 1'000;
inline constexpr int64_t kOrdinalCategoriesMax = 10'000;
inline constexpr int64_t kHashBucketsMin = 2;
inline constexpr int64_t kHashBucketsMax = 4'096;

// Files other than CSV, and compressed ones.
inline constexpr int64_t kDecompressedBytesMax = int64_t{16} << 30;  // 16 bytes of text for each of kDatasetCellsMax
// Deflate cannot exceed 1032:1; a table that does 1000:1 has rows that are all the same.
inline constexpr int64_t kCompressionRatioMax = 1'000;
inline constexpr int64_t kCompressionRatioFreeBytes = int64_t{16} << 20;  // the ratio is looked at after these
inline constexpr int64_t kHeldArrayBytesMax = int64_t{256} << 20;  // arrays that cannot be read row by row, together
inline constexpr int64_t kArchiveMembersMax = 10'000;               // one array per column
inline constexpr int64_t kArchiveDirectoryBytesMax = int64_t{4} << 20;

// What is looked at before training to warn of data that spoils it; beyond, evenly spaced rows.
inline constexpr int64_t kDataWarningsMax = 20;                      // messages
inline constexpr int64_t kLeakCellsMax = int64_t{1} << 25;           // features compared with the target
inline constexpr int64_t kLeakRowsMin = 1'000;                       // rows each feature has at least of them
inline constexpr int64_t kLeakValuesMax = 10'000;                    // of a feature that is taken for categories
inline constexpr int64_t kLeakCountsMax = int64_t{1} << 22;          // values times classes of one feature
inline constexpr int64_t kDuplicateCellsMax = int64_t{1} << 27;      // cells that rows are compared by
inline constexpr int64_t kDuplicateRowsMax = int64_t{1} << 20;       // rows compared with each other

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
inline constexpr int64_t kFoldCountMin = 2;
inline constexpr int64_t kFoldCountMax = 64;
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

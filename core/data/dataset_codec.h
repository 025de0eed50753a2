// A prepared Dataset as a file, so that the next job on the same data starts without preparing it
// again: the matrices of the three parts stand in it as they stand in memory, and a reader maps
// them instead of reading.
//
//   TY_RETURN_IF_ERROR(EncodeDataset({dataset, notes}, append));         // piece by piece
//   TY_ASSIGN_OR_RETURN(PreparedFile file, OpenPrepared(path, config));  // maps it, however large
//   ... train on file.prepared.dataset ...
//   TY_RETURN_IF_ERROR(file.CheckCells());                               // reads all of it once
//
//   file   := magic:"TYPREP01" header_size:u64 header crc32c(header):u32 padding block*
//   header := notes strings, classes strings, target_offset:f64 target_scale:f64,
//             preprocessor (preprocessor_codec.h), part (train) part (validation) part (test)
//   part   := rows:i64 cols:i64, and for features, targets, classes, weights:
//             size_bytes:u64 crc32c:u32
//
// Blocks follow in that order, each 64-byte aligned, zero bytes between. It is a cache: another
// build's file is not read, but made anew.
//
// Thread-safety: pure functions; a PreparedFile is a value. Lifetime: the matrices keep the mapping
// alive. Errors: DATA_LOSS for a file that is not whole; those of `append` and of the file system.
#ifndef TRAINYARD_CORE_DATA_DATASET_CODEC_H_
#define TRAINYARD_CORE_DATA_DATASET_CODEC_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/mapped_file.h"
#include "core/data/dataset.h"

namespace trainyard {

// What preparing data came to.
struct PreparedData {
  Dataset dataset;
  std::vector<std::string> notes;  // what was found on the way that is worth telling
};

// A block of a file, and what its bytes must come to.
struct CheckedBlock {
  absl::string_view bytes;
  uint32_t crc = 0;
};

struct PreparedFile {
  PreparedData prepared;
  std::shared_ptr<const MappedFile> file;
  std::vector<CheckedBlock> blocks;

  // DATA_LOSS when a block is not what was written.
  absl::Status CheckCells() const;
};

absl::Status EncodeDataset(const PreparedData& prepared,
                           const std::function<absl::Status(absl::string_view)>& append);

// `config`: what the data was prepared by; the file does not have it.
absl::StatusOr<PreparedFile> OpenPrepared(const std::string& path, const DataConfig& config);
absl::StatusOr<PreparedFile> ReadPrepared(std::shared_ptr<const MappedFile> mapped,
                                          const DataConfig& config);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_DATASET_CODEC_H_

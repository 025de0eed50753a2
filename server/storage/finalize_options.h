// What FinalizeDataset is asked to do: checked, and compared with what was done before.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_STORAGE_FINALIZE_OPTIONS_H_
#define TRAINYARD_SERVER_STORAGE_FINALIZE_OPTIONS_H_

#include "absl/status/statusor.h"
#include "core/data/ingest.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

// How the file is to be read; labels are the caller's to load.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST with all faults at once.
absl::StatusOr<IngestOptions> CheckFinalize(const v1::FinalizeDatasetRequest& request);

// Whether a READY dataset is what the request asks for.
bool SameOptions(const v1::FinalizeDatasetRequest& request, const v1::Dataset& dataset);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_FINALIZE_OPTIONS_H_

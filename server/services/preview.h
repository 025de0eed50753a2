// Preview shows the first rows of a READY dataset as text, from its frozen table, which is mapped: the
// cost is that of the rows shown, not of the table. Thread-safety: pure but for the table's file.
#ifndef TRAINYARD_SERVER_SERVICES_PREVIEW_H_
#define TRAINYARD_SERVER_SERVICES_PREVIEW_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/storage/dataset_store.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

// `row_count` 0 means 10, at most 1000; fewer rows when they do not fit into one answer. Bad rows
// are left out, as in training. Errors: INVALID_REQUEST (row_count),
// FAILED_PRECONDITION/INVALID_STATE (not READY), DATA_LOSS, NOT_FOUND.
absl::StatusOr<v1::PreviewDatasetResponse> Preview(const v1::Dataset& dataset, int64_t row_count,
                                                   DatasetStore& datasets);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_PREVIEW_H_

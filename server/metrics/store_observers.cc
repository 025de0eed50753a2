#include "server/metrics/store_observers.h"

namespace trainyard {

DatabaseObserver ObserveDatabase(Metrics* metrics) {
  return {.on_commit = [metrics](double seconds, int) { metrics->StoreCommit(seconds); },
          .on_append = [metrics](int64_t bytes) { metrics->StoreAppended(bytes); },
          .on_error = [metrics](const absl::Status&) { metrics->StoreError(); }};
}

DatasetObserver ObserveDatasets(Metrics* metrics) {
  return {
      .on_upload = [metrics](int64_t bytes) { metrics->DatasetUploaded(bytes); },
      .on_ingest = [metrics](double seconds,
                             int64_t rows) { metrics->DatasetIngested(seconds, rows); },
      .on_rows_rejected = [metrics](absl::string_view reason,
                                    int64_t rows) { metrics->DatasetRowsRejected(reason, rows); },
      .on_dedup = [metrics] { metrics->DatasetDedupHit(); }};
}

}  // namespace trainyard

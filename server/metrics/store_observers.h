// Connects the stores, which know nothing of metrics, to Metrics.
//
//   Database::Open(path, ObserveDatabase(&metrics));
//   DatasetStore::Open(options, database, blobs, ObserveDatasets(&metrics));
//
// Thread-safety: as Metrics. Lifetime: `*metrics` must outlive the store that has the observer.
#ifndef TRAINYARD_SERVER_METRICS_STORE_OBSERVERS_H_
#define TRAINYARD_SERVER_METRICS_STORE_OBSERVERS_H_

#include "server/metrics/metrics.h"
#include "server/storage/database.h"
#include "server/storage/dataset_store.h"

namespace trainyard {

DatabaseObserver ObserveDatabase(Metrics* metrics);
DatasetObserver ObserveDatasets(Metrics* metrics);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_STORE_OBSERVERS_H_

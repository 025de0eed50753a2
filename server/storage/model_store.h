// ModelStore keeps models: rows in SQL, bundles in the blob store.
// Thread-safety: all methods from any thread. Errors: NOT_FOUND, INVALID_ARGUMENT (page token),
// DATA_LOSS, with ErrorInfo.
#ifndef TRAINYARD_SERVER_STORAGE_MODEL_STORE_H_
#define TRAINYARD_SERVER_STORAGE_MODEL_STORE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainyard/v1/model.pb.h"

namespace trainyard {

class BlobStore;
class Connection;
class Database;

class ModelStore {
 public:
  ModelStore(Database* database, BlobStore* blobs) : database_(database), blobs_(blobs) {}

  // Inside a transaction of the caller's (JobManager writes job, event and model together).
  static absl::Status Insert(Connection& connection, const v1::Model& model);
  // A model that was trained elsewhere: stores the bundle, then the row. `model` has everything but name, time, digest and size.
  // The same request again returns what the first made.
  absl::StatusOr<v1::Model> Import(v1::Model model, absl::string_view bundle,
                                   absl::string_view request_id);
  absl::StatusOr<v1::Model> Get(absl::string_view name) const;
  // Those of `owner`; empty: everybody's.
  absl::StatusOr<v1::ListModelsResponse> List(const v1::ListModelsRequest& request,
                                              absl::string_view owner) const;
  // FAILED_PRECONDITION/INVALID_STATE while a job that is not finished starts from it or analyses
  // it.
  absl::Status Delete(absl::string_view name);
  // The native bundle's bytes, checked against the digest.
  absl::StatusOr<std::string> LoadBundle(const v1::Model& model) const;

 private:
  Database* const database_;
  BlobStore* const blobs_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_MODEL_STORE_H_

#include "server/storage/model_store.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/ids.h"
#include "server/storage/blob_references.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"
#include "server/storage/paging.h"
#include "server/storage/records.h"
#include "server/storage/requests.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

constexpr absl::string_view kImportMethod = "ImportModel";

// Returns the bytes that it adds to the answer.
absl::StatusOr<int64_t> AddModel(absl::string_view record, v1::ListModelsResponse* response) {
  TY_RETURN_IF_ERROR(ParseRecord(record, kModels, response->add_models()));
  return static_cast<int64_t>(record.size());
}

// jobs.state of PENDING, RUNNING, PAUSED and CANCELLING. Asked inside the deleting transaction: a
// job that is being submitted meanwhile finds the model gone, or keeps it.
absl::Status CheckNoUnfinishedJob(Connection& connection, absl::string_view name) {
  static_assert(v1::JOB_STATE_PENDING == 1 && v1::JOB_STATE_CANCELLING == 4,
                "the states that are not terminal");
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT jobs.id FROM job_models JOIN jobs ON jobs.number = job_models.job "
                         "WHERE job_models.model = ? AND jobs.state IN (1, 2, 3, 4) LIMIT 1"));
  TY_ASSIGN_OR_RETURN(const bool used, query.Bind(name).Step());
  if (!used) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(name, " is used by ", MakeName(kTrainingJobs, query.Text(0)),
                   ", which is not finished"),
      {.reason = ErrorReason::kInvalidState, .hint = "wait for the job, or cancel it"});
}

}  // namespace

absl::Status ModelStore::Insert(Connection& connection, const v1::Model& model) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kModels, model.name()));
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare(
          "INSERT INTO models (id, owner, job, digest, record) VALUES (?, ?, ?, ?, ?)"));
  insert.Bind(id).Bind(model.owner()).Bind(model.training_job()).Bind(model.digest());
  return insert.BindBlob(model.SerializeAsString()).Step().status();
}

absl::StatusOr<v1::Model> ModelStore::Import(v1::Model model, absl::string_view bundle,
                                             absl::string_view request_id) {
  TY_ASSIGN_OR_RETURN(*model.mutable_digest(), blobs_->Put(bundle));
  const std::string body_digest = Sha256Digest(absl::StrCat(model.digest(), model.display_name()));
  // Whoever deletes a model with the same bytes meanwhile leaves them until the row is durable.
  blobs_->Retain(model.digest());
  const absl::Cleanup release = [&] { blobs_->Release(model.digest()); };
  model.set_size_bytes(static_cast<int64_t>(bundle.size()));
  model.set_name(MakeName(kModels, NewId()));
  *model.mutable_create_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::GetCurrentTimeNanos());
  std::optional<std::string> made;
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(
        made, FindRequest(connection, model.owner(), request_id, kImportMethod, body_digest));
    if (made.has_value()) return absl::OkStatus();
    TY_RETURN_IF_ERROR(blobs_->Path(model.digest()).status());
    TY_RETURN_IF_ERROR(Insert(connection, model));
    return InsertRequest(connection, model.owner(), request_id, kImportMethod, body_digest,
                         model.name());
  });
  TY_RETURN_IF_ERROR(written);
  return made.has_value() ? Get(*made) : model;
}

absl::StatusOr<v1::Model> ModelStore::Get(absl::string_view name) const {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kModels, name));
  v1::Model model;
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(Statement find,
                        connection.Prepare("SELECT record FROM models WHERE id = ?"));
    TY_ASSIGN_OR_RETURN(const bool found, find.Bind(id).Step());
    return found ? ParseRecord(find.Text(0), name, &model) : NotFound(name);
  });
  TY_RETURN_IF_ERROR(read);
  return model;
}

absl::StatusOr<v1::ListModelsResponse> ModelStore::List(const v1::ListModelsRequest& request,
                                                        absl::string_view owner) const {
  TY_ASSIGN_OR_RETURN(const PageQuery page, ParsePage(request.page_size(), request.page_token()));
  v1::ListModelsResponse response;
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(
        Statement rows,
        connection.Prepare(owner.empty() ? "SELECT number, record FROM models WHERE number < ? "
                                           "ORDER BY number DESC LIMIT ?"
                                         : "SELECT number, record FROM models WHERE number < ? "
                                           "AND owner = ? ORDER BY number DESC LIMIT ?"));
    rows.Bind(page.before_number);
    if (!owner.empty()) rows.Bind(owner);
    rows.Bind(page.size + 1);
    TY_ASSIGN_OR_RETURN(*response.mutable_next_page_token(),
                        ReadPage(rows, page.size, [&](absl::string_view record) {
                          return AddModel(record, &response);
                        }));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return response;
}

absl::Status ModelStore::Delete(absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kModels, name));
  std::string digest;
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    TY_RETURN_IF_ERROR(CheckNoUnfinishedJob(connection, name));
    TY_ASSIGN_OR_RETURN(Statement remove,
                        connection.Prepare("DELETE FROM models WHERE id = ? RETURNING digest"));
    TY_ASSIGN_OR_RETURN(const bool found, remove.Bind(id).Step());
    if (!found) return NotFound(name);
    digest = remove.Text(0);
    return DeleteRequests(connection, name);
  });
  TY_RETURN_IF_ERROR(written);
  return RemoveUnreferencedBlobs(*database_, *blobs_, {digest});
}

absl::StatusOr<std::string> ModelStore::LoadBundle(const v1::Model& model) const {
  absl::StatusOr<std::string> bytes =
      blobs_->Get(model.digest(), std::numeric_limits<int64_t>::max());
  // The row is there, so a missing blob is damage, not a wrong name.
  if (absl::IsNotFound(bytes.status())) return MissingBlob(model.name(), model.digest());
  if (!bytes.ok()) return Annotate(bytes.status(), model.name());
  return bytes;
}

}  // namespace trainyard

#include "server/storage/dataset_store.h"

#include <malloc.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/ingest.h"
#include "core/data/table_codec.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/storage/blob_references.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"
#include "server/storage/file_source.h"
#include "server/storage/finalize_options.h"
#include "server/storage/paging.h"
#include "server/storage/records.h"
#include "server/storage/reject_report.h"
#include "server/storage/requests.h"
#include "server/storage/uploads.h"
#include "server/wire/convert.h"
#include "server/wire/names.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {
namespace {

constexpr absl::string_view kCreateMethod = "CreateDataset";
// How often Finalize writes its blobs again when a deletion took them away before they were
// referred to.
constexpr int kFreezeAttemptsMax = 3;

struct DatasetRow {
  int64_t committed_bytes = 0;
  int64_t declared_bytes = 0;  // 0: unknown
  v1::Dataset dataset;         // size_bytes filled in
  bool ready() const { return dataset.state() == v1::Dataset::READY; }
};

absl::StatusOr<DatasetRow> FindDataset(Connection& connection, absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, name));
  TY_ASSIGN_OR_RETURN(
      Statement find,
      connection.Prepare("SELECT committed_size_bytes, declared_size_bytes, record FROM datasets "
                         "WHERE id = ?"));
  TY_ASSIGN_OR_RETURN(const bool found, find.Bind(id).Step());
  if (!found) return NotFound(name);
  DatasetRow row{.committed_bytes = find.Int(0), .declared_bytes = find.Int(1)};
  TY_RETURN_IF_ERROR(ParseRecord(find.Text(2), name, &row.dataset));
  row.dataset.set_size_bytes(row.committed_bytes);
  return row;
}

absl::Status InvalidState(absl::string_view message, absl::string_view hint) {
  return MakeError(absl::StatusCode::kFailedPrecondition, message,
                   {.reason = ErrorReason::kInvalidState, .hint = std::string(hint)});
}

absl::Status TooLarge(absl::string_view message, absl::string_view hint, int64_t limit_bytes) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = ErrorReason::kTooLarge,
                    .hint = std::string(hint),
                    .in_force = absl::StrCat("at most ", limit_bytes, " bytes")});
}

absl::Status InUse(absl::string_view name) {
  return InvalidState(absl::StrCat(name, " is being written or finalized"),
                      "retry when the other call has ended");
}

// jobs.state of PENDING, RUNNING, PAUSED and CANCELLING. Asked inside the deleting transaction: a
// job that is being submitted meanwhile finds the dataset gone, or keeps it.
absl::Status CheckNoUnfinishedJob(Connection& connection, absl::string_view name) {
  static_assert(v1::JOB_STATE_PENDING == 1 && v1::JOB_STATE_CANCELLING == 4,
                "the states that are not terminal");
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare(
          "SELECT id FROM jobs WHERE (dataset = ?1 OR test_dataset = ?1) AND state IN (1, 2, 3, 4) "
          "LIMIT 1"));
  TY_ASSIGN_OR_RETURN(const bool used, query.Bind(name).Step());
  if (!used) return absl::OkStatus();
  return InvalidState(absl::StrCat(name, " is used by ", MakeName(kTrainingJobs, query.Text(0)),
                                   ", which is not finished"),
                      "wait for the job, or cancel it");
}

absl::Status CheckNoAssignment(Connection& connection, absl::string_view name) {
  TY_ASSIGN_OR_RETURN(Statement query,
                      connection.Prepare("SELECT course, assignment FROM assignment_datasets "
                                         "WHERE dataset = ? LIMIT 1"));
  TY_ASSIGN_OR_RETURN(const bool used, query.Bind(name).Step());
  if (!used) return absl::OkStatus();
  return InvalidState(absl::StrCat(name, " is used by courses/", query.Text(0), "/assignments/",
                                   query.Text(1)),
                      "what was graded must stay as it is, to be graded again");
}

absl::Status CheckCreate(const v1::CreateDatasetRequest& request) {
  std::vector<FieldViolation> violations;
  const size_t name_bytes = request.dataset().display_name().size();
  if (name_bytes > limits::kDisplayNameBytesMax) {
    violations.push_back(
        {"dataset.display_name", absl::StrCat("has ", name_bytes, " bytes; at most ",
                                              limits::kDisplayNameBytesMax, " are allowed")});
  }
  if (request.declared_size_bytes() < 0) {
    violations.push_back({"declared_size_bytes", absl::StrCat("is ", request.declared_size_bytes(),
                                                              "; give 0 when it is not known")});
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

absl::Status CheckExpectedDigest(absl::string_view expected, absl::string_view digest) {
  if (expected.empty() || expected == digest) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("the uploaded bytes have digest ", digest, ", expected was ", expected),
      {.reason = ErrorReason::kDigestMismatch,
       .hint = "delete the dataset and upload the file again",
       .metadata = {{"sha256", std::string(digest)}}});
}

absl::Status CheckSameFinalize(const DatasetRow& row,
                               const v1::FinalizeDatasetRequest& request) {
  TY_RETURN_IF_ERROR(CheckExpectedDigest(request.expected_digest(), row.dataset.digest()));
  if (SameOptions(request, row.dataset)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(request.name(), " is READY, read with other options"),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "upload the file again to read it in another way",
                    .in_force = row.dataset.csv().ShortDebugString()});
}

absl::Status CheckComplete(const DatasetRow& row) {
  if (row.committed_bytes == 0) {
    return InvalidState(absl::StrCat(row.dataset.name(), " has no bytes yet"),
                        "write the file first");
  }
  if (row.declared_bytes == 0 || row.declared_bytes == row.committed_bytes) return absl::OkStatus();
  return InvalidState(absl::StrCat(row.dataset.name(), " has ", row.committed_bytes, " of ",
                                   row.declared_bytes, " declared bytes"),
                      "write the rest, from the committed size on");
}

class SqlDatasetStore : public DatasetStore {
 public:
  SqlDatasetStore(const Options& options, Database* database, BlobStore* blobs,
                  DatasetObserver observer)
      : options_(options),
        database_(database),
        blobs_(blobs),
        observer_(std::move(observer)),
        uploads_(options.uploads_directory, options.files) {}

  // Brings the upload files in line with the rows.
  absl::Status Recover();

  absl::StatusOr<v1::Dataset> Create(const v1::CreateDatasetRequest& request,
                                     absl::string_view owner,
                                     absl::string_view body_digest) override;
  absl::StatusOr<std::unique_ptr<UploadWriter>> OpenUpload(absl::string_view name) override;
  absl::StatusOr<v1::UploadStatus> GetUploadStatus(absl::string_view name) override;
  absl::StatusOr<v1::Dataset> Finalize(const v1::FinalizeDatasetRequest& request) override;
  absl::StatusOr<v1::Dataset> Get(absl::string_view name) override;
  absl::StatusOr<v1::ListDatasetsResponse> List(const v1::ListDatasetsRequest& request,
                                                absl::string_view owner) override;
  absl::StatusOr<Table> LoadTable(const v1::Dataset& dataset, bool check_cells) override;
  absl::StatusOr<Table> LoadFrozenTable(absl::string_view table_digest) override;
  absl::StatusOr<RejectFile> OpenRejects(absl::string_view name) override;
  absl::StatusOr<v1::Dataset> Seal(absl::string_view name) override;
  absl::Status Delete(absl::string_view name) override;
  absl::StatusOr<Counts> Count() override;

  // For the writer of one upload.
  Uploads& uploads() { return uploads_; }
  const Options& options() const { return options_; }
  // STORAGE_FULL when the disk would have less than the floor after `more_bytes`.
  absl::Status CheckRoom(int64_t more_bytes);
  // Records that the first `size_bytes` are durable; `added_bytes` of them are new.
  absl::Status RecordCommitted(absl::string_view id, int64_t size_bytes, int64_t added_bytes);

 private:
  // What Finalize found out about an upload before it is written down. Blobs of its table and labels are retained
  // until this goes.
  struct Frozen {
    std::string id;
    v1::Dataset dataset;
    bool known = false;  // the same bytes were there before
    int64_t rejected_records = 0;  // rows dropped as a whole, not for a cell
    std::vector<std::shared_ptr<const void>> retained;
  };

  absl::StatusOr<DatasetRow> Find(absl::string_view name);
  // ABORTED when a blob was removed in between: to be tried again.
  absl::StatusOr<Frozen> IngestAndFreeze(absl::string_view id, const DatasetRow& row,
                                         const v1::FinalizeDatasetRequest& request,
                                         const IngestOptions& options);
  absl::StatusOr<Frozen> Ingest(absl::string_view id, const DatasetRow& row,
                                const v1::FinalizeDatasetRequest& request, IngestOptions options);
  // Reads the file into a table, which becomes a blob; rejects go to their report.
  absl::Status MakeTable(FileSource& source, const IngestOptions& options, Frozen* frozen);
  // Says what is worth looking at in its table.
  absl::Status AddWarnings(v1::Dataset* dataset);
  // The table of the dataset that has the labels.
  absl::StatusOr<Table> LoadLabels(const std::string& name, Frozen* frozen);
  // Keeps a blob from being removed while the result lives; ABORTED when it is gone already.
  absl::StatusOr<std::shared_ptr<const void>> RetainBlob(const std::string& digest);
  absl::Status EmptyScratch();
  absl::StatusOr<Table> OpenFile(const std::string& path, bool check_cells);
  std::string RejectsPath(absl::string_view id) const {
    return absl::StrCat(options_.rejects_directory, "/", id, ".csv");
  }
  // The upload becomes a blob, then the row is written. ABORTED when a blob was removed in between.
  absl::Status Freeze(Frozen& frozen);
  absl::Status WriteReady(Connection& connection, const Frozen& frozen);
  // The body of Create; fills in `dataset`, with what the first call made when this is a
  // repetition.
  absl::Status InsertOrFind(Connection& connection, const v1::CreateDatasetRequest& request,
                            absl::string_view body_digest, v1::Dataset* dataset);

  // Constant after construction.
  const Options options_;
  Database* const database_;
  BlobStore* const blobs_;
  const DatasetObserver observer_;

  Uploads uploads_;
};

class FileUploadWriter : public UploadWriter {
 public:
  FileUploadWriter(SqlDatasetStore* store, std::unique_ptr<UploadLocks::Lock> lock, std::string id,
                   const DatasetRow& row, std::unique_ptr<WritableFile> file)
      : store_(store),
        lock_(std::move(lock)),
        id_(std::move(id)),
        declared_bytes_(row.declared_bytes),
        file_(std::move(file)),
        committed_bytes_(row.committed_bytes),
        offset_(row.committed_bytes) {}

  int64_t offset() const override { return offset_; }
  absl::Status Append(absl::string_view bytes) override;
  absl::StatusOr<int64_t> Commit() override;

 private:
  absl::Status CheckSize(int64_t size_bytes) const;

  // Constant after construction.
  SqlDatasetStore* const store_;
  const std::unique_ptr<UploadLocks::Lock> lock_;
  const std::string id_;
  const int64_t declared_bytes_;
  const std::unique_ptr<WritableFile> file_;

  int64_t committed_bytes_;
  int64_t offset_;
  absl::Status write_error_;  // the file's end is not at offset_ any more
  absl::Status sync_error_;   // the kernel may have dropped the pages: a second sync would lie
};

absl::Status FileUploadWriter::CheckSize(int64_t size_bytes) const {
  const int64_t limit = store_->options().dataset_bytes_max;
  if (size_bytes > limit) {
    return TooLarge(absl::StrCat("the upload would have ", size_bytes, " bytes"),
                    "split the table, or ask for a higher limit", limit);
  }
  if (declared_bytes_ == 0 || size_bytes <= declared_bytes_) return absl::OkStatus();
  return TooLarge(absl::StrCat("the upload would have ", size_bytes, " bytes, more than declared"),
                  "declare the size of the whole file, or 0", declared_bytes_);
}

absl::Status FileUploadWriter::Append(absl::string_view bytes) {
  TY_RETURN_IF_ERROR(write_error_);
  const int64_t size_bytes = offset_ + static_cast<int64_t>(bytes.size());
  TY_RETURN_IF_ERROR(CheckSize(size_bytes));
  write_error_ = file_->Append(bytes);
  TY_RETURN_IF_ERROR(write_error_);
  offset_ = size_bytes;
  if (offset_ - committed_bytes_ < kCommitIntervalBytes) return absl::OkStatus();
  TY_RETURN_IF_ERROR(Commit().status());
  return store_->CheckRoom(0);
}

absl::StatusOr<int64_t> FileUploadWriter::Commit() {
  TY_RETURN_IF_ERROR(sync_error_);
  if (offset_ == committed_bytes_) return committed_bytes_;
  sync_error_ = file_->Sync();
  // The first bytes are worth nothing when the file's name is not durable.
  if (committed_bytes_ == 0) sync_error_.Update(store_->uploads().SyncDirectory());
  TY_RETURN_IF_ERROR(sync_error_);
  TY_RETURN_IF_ERROR(store_->RecordCommitted(id_, offset_, offset_ - committed_bytes_));
  committed_bytes_ = offset_;
  return committed_bytes_;
}

// What a server that was killed left there.
absl::Status SqlDatasetStore::EmptyScratch() {
  const std::string& directory = options_.scratch_directory;
  TY_RETURN_IF_ERROR(options_.files->CreateDirectory(directory));
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> names, options_.files->List(directory));
  for (const std::string& name : names) {
    TY_RETURN_IF_ERROR(options_.files->Remove(absl::StrCat(directory, "/", name)));
  }
  return absl::OkStatus();
}

absl::Status SqlDatasetStore::Recover() {
  TY_RETURN_IF_ERROR(uploads_.Prepare());
  TY_RETURN_IF_ERROR(options_.files->CreateDirectory(options_.rejects_directory));
  TY_RETURN_IF_ERROR(EmptyScratch());
  std::vector<std::pair<std::string, int64_t>> uploading;  // id, committed bytes
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(
        Statement rows,
        connection.Prepare("SELECT id, committed_size_bytes FROM datasets WHERE state = ?"));
    rows.Bind(int64_t{v1::Dataset::UPLOADING});
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      uploading.emplace_back(rows.Text(0), rows.Int(1));
    }
  });
  TY_RETURN_IF_ERROR(read);
  absl::flat_hash_set<std::string> ids;
  for (const auto& [id, committed_bytes] : uploading) {
    ids.insert(id);
    const absl::Status status = uploads_.Restore(id, committed_bytes);
    // One damaged upload does not keep the server down; whoever uses it gets the same error.
    if (absl::IsDataLoss(status)) {
      Log::Error("upload_damaged", {{"dataset", id}, {"error", status.message()}});
      continue;
    }
    TY_RETURN_IF_ERROR(status);
  }
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> names, uploads_.List());
  for (const std::string& name : names) {
    if (!ids.contains(name)) TY_RETURN_IF_ERROR(uploads_.Remove(name));
  }
  return absl::OkStatus();
}

absl::StatusOr<DatasetRow> SqlDatasetStore::Find(absl::string_view name) {
  std::optional<DatasetRow> row;
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(row, FindDataset(connection, name));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return *std::move(row);
}

absl::Status SqlDatasetStore::CheckRoom(int64_t more_bytes) {
  TY_ASSIGN_OR_RETURN(const int64_t free_bytes, uploads_.FreeBytes());
  if (free_bytes - more_bytes >= options_.free_bytes_floor) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the server's disk has ", free_bytes, " bytes free, ", more_bytes,
                                " are to come"),
                   {.reason = ErrorReason::kStorageFull,
                    .hint = "delete datasets that are no longer needed, or retry later",
                    .in_force = absl::StrCat(options_.free_bytes_floor, " bytes are kept free")});
}

absl::StatusOr<v1::Dataset> SqlDatasetStore::Create(const v1::CreateDatasetRequest& request,
                                                    absl::string_view owner,
                                                    absl::string_view body_digest) {
  TY_RETURN_IF_ERROR(CheckCreate(request));
  v1::Dataset dataset;
  dataset.set_name(MakeName(kDatasets, NewId()));
  dataset.set_display_name(request.dataset().display_name());
  dataset.set_state(v1::Dataset::UPLOADING);
  dataset.set_owner(std::string(owner));
  *dataset.mutable_create_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::GetCurrentTimeNanos());
  const absl::Status written = database_->Write([&](Connection& connection) {
    return InsertOrFind(connection, request, body_digest, &dataset);
  });
  TY_RETURN_IF_ERROR(written);
  return dataset;
}

absl::Status SqlDatasetStore::InsertOrFind(Connection& connection,
                                           const v1::CreateDatasetRequest& request,
                                           absl::string_view body_digest, v1::Dataset* dataset) {
  TY_ASSIGN_OR_RETURN(
      const std::optional<std::string> made,
      FindRequest(connection, dataset->owner(), request.request_id(), kCreateMethod, body_digest));
  if (made.has_value()) {
    TY_ASSIGN_OR_RETURN(DatasetRow row, FindDataset(connection, *made));
    *dataset = std::move(row.dataset);
    return absl::OkStatus();
  }
  const int64_t declared_bytes = request.declared_size_bytes();
  if (declared_bytes > options_.dataset_bytes_max) {
    return TooLarge(absl::StrCat("the upload is declared to have ", declared_bytes, " bytes"),
                    "split the table, or ask for a higher limit", options_.dataset_bytes_max);
  }
  TY_RETURN_IF_ERROR(CheckRoom(declared_bytes));
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, dataset->name()));
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare("INSERT INTO datasets (id, owner, state, committed_size_bytes, "
                         "declared_size_bytes, record) VALUES (?, ?, ?, 0, ?, ?)"));
  insert.Bind(id).Bind(dataset->owner()).Bind(int64_t{dataset->state()}).Bind(declared_bytes);
  TY_RETURN_IF_ERROR(insert.BindBlob(dataset->SerializeAsString()).Step().status());
  return InsertRequest(connection, dataset->owner(), request.request_id(), kCreateMethod,
                       body_digest, dataset->name());
}

absl::StatusOr<std::unique_ptr<UploadWriter>> SqlDatasetStore::OpenUpload(absl::string_view name) {
  TY_ASSIGN_OR_RETURN(std::string id, ParseName(kDatasets, name));
  std::unique_ptr<UploadLocks::Lock> lock = uploads_.locks().Acquire(id, UploadUse::kWrite);
  TY_ASSIGN_OR_RETURN(const DatasetRow row, Find(name));
  if (row.ready()) {
    return InvalidState(absl::StrCat(name, " is READY; its bytes never change"),
                        "create another dataset");
  }
  if (lock == nullptr) {
    return MakeError(absl::StatusCode::kAborted,
                     absl::StrCat("another stream is writing to ", name),
                     {.reason = ErrorReason::kOffsetMismatch,
                      .hint = "end the other stream, then go on from the committed size",
                      .metadata = {{"committed_size_bytes", absl::StrCat(row.committed_bytes)}}});
  }
  TY_RETURN_IF_ERROR(CheckRoom(0));
  TY_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                      uploads_.OpenAppend(id, row.committed_bytes));
  return std::make_unique<FileUploadWriter>(this, std::move(lock), std::move(id), row,
                                            std::move(file));
}

absl::Status SqlDatasetStore::RecordCommitted(absl::string_view id, int64_t size_bytes,
                                              int64_t added_bytes) {
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    TY_RETURN_IF_ERROR(
        connection.Run("UPDATE datasets SET committed_size_bytes = ? WHERE id = ? AND state = ?",
                       size_bytes, id, int64_t{v1::Dataset::UPLOADING}));
    return connection.changes() == 1 ? absl::OkStatus() : NotFound(MakeName(kDatasets, id));
  });
  TY_RETURN_IF_ERROR(written);
  if (observer_.on_upload) observer_.on_upload(added_bytes);
  return absl::OkStatus();
}

absl::StatusOr<v1::UploadStatus> SqlDatasetStore::GetUploadStatus(absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const DatasetRow row, Find(name));
  v1::UploadStatus status;
  status.set_committed_size_bytes(row.committed_bytes);
  status.set_finalized(row.ready());
  return status;
}

absl::StatusOr<v1::Dataset> SqlDatasetStore::Finalize(const v1::FinalizeDatasetRequest& request) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, request.name()));
  TY_ASSIGN_OR_RETURN(const IngestOptions options, CheckFinalize(request));
  const std::unique_ptr<UploadLocks::Lock> lock =
      uploads_.locks().Acquire(id, UploadUse::kFinalize);
  TY_ASSIGN_OR_RETURN(const DatasetRow row, Find(request.name()));
  if (lock == nullptr) return InUse(request.name());
  if (row.ready()) {
    TY_RETURN_IF_ERROR(CheckSameFinalize(row, request));
    return row.dataset;
  }
  TY_RETURN_IF_ERROR(CheckComplete(row));

  const absl::Time started = SteadyNow();
  absl::StatusOr<Frozen> frozen = IngestAndFreeze(id, row, request, options);
  for (int attempt = 1; absl::IsAborted(frozen.status()) && attempt < kFreezeAttemptsMax;
       ++attempt) {
    frozen = IngestAndFreeze(id, row, request, options);
  }
  TY_RETURN_IF_ERROR(frozen.status());
  // The blob has the bytes now; a file that stays is removed at the next start.
  uploads_.Remove(id).IgnoreError();

  const v1::Dataset& dataset = frozen->dataset;
  if (frozen->known && observer_.on_dedup) observer_.on_dedup();
  if (observer_.on_ingest) {
    observer_.on_ingest(absl::ToDoubleSeconds(SteadyNow() - started), dataset.row_count());
  }
  if (observer_.on_rows_rejected) {
    observer_.on_rows_rejected("bad_record", frozen->rejected_records);
    observer_.on_rows_rejected("bad_cell", dataset.rejected_row_count() - frozen->rejected_records);
  }
  return dataset;
}

absl::StatusOr<SqlDatasetStore::Frozen> SqlDatasetStore::IngestAndFreeze(
    absl::string_view id, const DatasetRow& row, const v1::FinalizeDatasetRequest& request,
    const IngestOptions& options) {
  TY_ASSIGN_OR_RETURN(Frozen frozen, Ingest(id, row, request, options));
  frozen.known = blobs_->Path(frozen.dataset.digest()).ok();
  TY_RETURN_IF_ERROR(Freeze(frozen));
  return frozen;
}

absl::StatusOr<SqlDatasetStore::Frozen> SqlDatasetStore::Ingest(
    absl::string_view id, const DatasetRow& row, const v1::FinalizeDatasetRequest& request,
    IngestOptions options) {
  // What an upload that was broken off left behind the committed bytes is not part of the file.
  TY_RETURN_IF_ERROR(uploads_.Restore(id, row.committed_bytes));
  TY_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file, uploads_.OpenRead(id));
  FileSource source(std::move(file));
  Frozen frozen{.id = std::string(id), .dataset = row.dataset};
  v1::Dataset& dataset = frozen.dataset;
  TY_ASSIGN_OR_RETURN(*dataset.mutable_digest(), DigestOf(source));
  TY_RETURN_IF_ERROR(CheckExpectedDigest(request.expected_digest(), dataset.digest()));
  TY_RETURN_IF_ERROR(source.Rewind());
  Table labels;
  if (!request.labels_dataset().empty()) {
    TY_ASSIGN_OR_RETURN(labels, LoadLabels(request.labels_dataset(), &frozen));
    options.labels = &labels;
  }
  TY_RETURN_IF_ERROR(MakeTable(source, options, &frozen));
  *dataset.mutable_column_overrides() = request.column_overrides();
  *dataset.mutable_npz_arrays() = request.npz_arrays();
  dataset.set_state(v1::Dataset::READY);
  *dataset.mutable_finalize_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::GetCurrentTimeNanos());
  return frozen;
}

absl::StatusOr<Table> SqlDatasetStore::LoadLabels(const std::string& name, Frozen* frozen) {
  TY_ASSIGN_OR_RETURN(const DatasetRow labels, Find(name));
  if (labels.dataset.sealed()) {
    return InvalidState(absl::StrCat(name, " is sealed"),
                        "only the grading of submissions uses it");
  }
  TY_ASSIGN_OR_RETURN(Table table, LoadTable(labels.dataset, /*check_cells=*/true));
  TY_ASSIGN_OR_RETURN(std::shared_ptr<const void> retained, RetainBlob(labels.dataset.digest()));
  frozen->retained.push_back(std::move(retained));
  frozen->dataset.set_labels_digest(labels.dataset.digest());
  return table;
}

absl::Status SqlDatasetStore::MakeTable(FileSource& source, const IngestOptions& options,
                                        Frozen* frozen) {
  RejectReport rejects(RejectsPath(frozen->id), options_.files);
  IngestOptions with_files = options;
  with_files.writer.spill_path = absl::StrCat(options_.scratch_directory, "/", frozen->id);
  with_files.on_rejected = [&rejects, frozen](const RejectedCell& cell) {
    if (cell.column.empty()) ++frozen->rejected_records;
    return rejects.Add(cell);
  };
  TY_ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> blob, blobs_->NewBlob());
  const absl::StatusOr<IngestResult> result =
      IngestTable(source, with_files,
                  [&blob](absl::string_view bytes) { return blob->Append(bytes); });
  // A table that was rejected has its report too.
  TY_RETURN_IF_ERROR(rejects.Finish());
  TY_RETURN_IF_ERROR(result.status());
  IngestResultToProto(*result, &frozen->dataset);
  TY_ASSIGN_OR_RETURN(*frozen->dataset.mutable_table_digest(), blob->Commit());
  TY_ASSIGN_OR_RETURN(std::shared_ptr<const void> retained,
                      RetainBlob(frozen->dataset.table_digest()));
  frozen->retained.push_back(std::move(retained));
  malloc_trim(0);  // dictionaries leave holes, and the table's texts come back in other sizes
  return AddWarnings(&frozen->dataset);
}

absl::Status SqlDatasetStore::AddWarnings(v1::Dataset* dataset) {
  TY_ASSIGN_OR_RETURN(const std::string path, blobs_->Path(dataset->table_digest()));
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, options_.files->Map(path));
  TY_ASSIGN_OR_RETURN(const Table table, OpenTable(file, {.check_cells = false}));
  // One column at a time is as much of a large table as should count as the server's memory.
  const auto forget = [&file](const Column& column) { file->Forget(column.cell_bytes()); };
  WarningsToProto(FindTableWarnings(table, forget), dataset);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const void>> SqlDatasetStore::RetainBlob(const std::string& digest) {
  blobs_->Retain(digest);
  std::shared_ptr<const void> retained(this, [this, digest](const void*) { blobs_->Release(digest); });
  const absl::Status there = blobs_->Path(digest).status();
  if (absl::IsNotFound(there)) return absl::AbortedError("a blob was removed");
  TY_RETURN_IF_ERROR(there);
  return retained;
}

absl::Status SqlDatasetStore::Freeze(Frozen& frozen) {
  TY_RETURN_IF_ERROR(blobs_->Adopt(uploads_.Path(frozen.id), frozen.dataset.digest()));
  return database_->Write([&](Connection& connection) { return WriteReady(connection, frozen); });
}

absl::Status SqlDatasetStore::WriteReady(Connection& connection, const Frozen& frozen) {
  const v1::Dataset& dataset = frozen.dataset;
  for (const std::string& digest :
       {dataset.digest(), dataset.table_digest(), dataset.labels_digest()}) {
    if (digest.empty()) continue;
    const absl::Status there = blobs_->Path(digest).status();
    if (absl::IsNotFound(there)) return absl::AbortedError("a blob was removed");
    TY_RETURN_IF_ERROR(there);
  }
  TY_ASSIGN_OR_RETURN(
      Statement update,
      connection.Prepare(
          "UPDATE datasets SET state = ?, digest = ?, table_digest = ?, labels_digest = ?, "
          "record = ? WHERE id = ?"));
  update.Bind(int64_t{dataset.state()}).Bind(dataset.digest()).Bind(dataset.table_digest());
  dataset.labels_digest().empty() ? update.BindNull() : update.Bind(dataset.labels_digest());
  update.BindBlob(dataset.SerializeAsString()).Bind(frozen.id);
  return update.Step().status();
}

absl::StatusOr<v1::Dataset> SqlDatasetStore::Get(absl::string_view name) {
  TY_ASSIGN_OR_RETURN(DatasetRow row, Find(name));
  return std::move(row.dataset);
}

absl::StatusOr<v1::ListDatasetsResponse> SqlDatasetStore::List(
    const v1::ListDatasetsRequest& request, absl::string_view owner) {
  TY_ASSIGN_OR_RETURN(const PageQuery page, ParsePage(request.page_size(), request.page_token()));
  v1::ListDatasetsResponse response;
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(
        Statement rows,
        connection.Prepare(owner.empty()
                               ? "SELECT number, record, committed_size_bytes FROM datasets "
                                 "WHERE number < ? ORDER BY number DESC LIMIT ?"
                               : "SELECT number, record, committed_size_bytes FROM datasets "
                                 "WHERE number < ? AND owner = ? ORDER BY number DESC LIMIT ?"));
    rows.Bind(page.before_number);
    if (!owner.empty()) rows.Bind(owner);
    rows.Bind(page.size + 1);
    const auto add = [&](absl::string_view record) -> absl::StatusOr<int64_t> {
      v1::Dataset& dataset = *response.add_datasets();
      TY_RETURN_IF_ERROR(ParseRecord(record, kDatasets, &dataset));
      dataset.set_size_bytes(rows.Int(2));
      dataset.clear_columns();
      dataset.clear_rejected_cells();
      return static_cast<int64_t>(dataset.ByteSizeLong());
    };
    TY_ASSIGN_OR_RETURN(*response.mutable_next_page_token(), ReadPage(rows, page.size, add));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return response;
}

absl::StatusOr<Table> SqlDatasetStore::LoadTable(const v1::Dataset& dataset, bool check_cells) {
  if (dataset.state() != v1::Dataset::READY) {
    return InvalidState(absl::StrCat(dataset.name(), " is not READY"), "finalize it first");
  }
  const absl::StatusOr<std::string> path = blobs_->Path(dataset.table_digest());
  // The row is there, so a missing blob is damage, not a wrong name.
  if (absl::IsNotFound(path.status())) return MissingBlob(dataset.name(), dataset.table_digest());
  TY_RETURN_IF_ERROR(path.status());
  absl::StatusOr<Table> table = OpenFile(*path, check_cells);
  if (!table.ok()) return Annotate(table.status(), dataset.name());
  return table;
}

absl::StatusOr<Table> SqlDatasetStore::LoadFrozenTable(absl::string_view table_digest) {
  TY_ASSIGN_OR_RETURN(const std::string path, blobs_->Path(table_digest));
  return OpenFile(path, /*check_cells=*/false);
}

absl::StatusOr<Table> SqlDatasetStore::OpenFile(const std::string& path, bool check_cells) {
  TY_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, options_.files->Map(path));
  return OpenTable(std::move(file), {.check_cells = check_cells});
}

absl::StatusOr<DatasetStore::RejectFile> SqlDatasetStore::OpenRejects(absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const DatasetRow row, Find(name));
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, name));
  const absl::StatusOr<int64_t> size = options_.files->Size(RejectsPath(id));
  if (absl::IsNotFound(size.status())) {
    return MakeError(absl::StatusCode::kNotFound,
                     absl::StrCat(row.dataset.name(), " has no reject report"),
                     {.reason = ErrorReason::kNotFound,
                      .hint = "there is one after a Finalize that rejected rows"});
  }
  TY_RETURN_IF_ERROR(size.status());
  RejectFile rejects{.size_bytes = *size};
  TY_ASSIGN_OR_RETURN(rejects.file, options_.files->OpenRead(RejectsPath(id)));
  return rejects;
}

absl::StatusOr<v1::Dataset> SqlDatasetStore::Seal(absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, name));
  v1::Dataset sealed;
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(DatasetRow row, FindDataset(connection, name));
    sealed = std::move(row.dataset);
    if (sealed.state() != v1::Dataset::READY) {
      return InvalidState(absl::StrCat(name, " is not READY"), "finalize it first");
    }
    if (sealed.sealed()) return absl::OkStatus();
    TY_RETURN_IF_ERROR(CheckNoUnfinishedJob(connection, name));
    // Its trainings could not begin any more.
    TY_RETURN_IF_ERROR(CheckNoAssignment(connection, name));
    sealed.set_sealed(true);
    TY_ASSIGN_OR_RETURN(Statement update,
                        connection.Prepare("UPDATE datasets SET sealed = 1, record = ? WHERE id = ?"));
    return update.BindBlob(sealed.SerializeAsString()).Bind(id).Step().status();
  });
  TY_RETURN_IF_ERROR(written);
  // What was left out of the table may be told by its rejects.
  TY_RETURN_IF_ERROR(RemoveIfThere(*options_.files, RejectsPath(id)));
  return sealed;
}

absl::Status SqlDatasetStore::Delete(absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, name));
  const std::unique_ptr<UploadLocks::Lock> lock = uploads_.locks().Acquire(id, UploadUse::kDelete);
  std::vector<std::string> digests;
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(const DatasetRow row, FindDataset(connection, name));
    if (lock == nullptr) return InUse(name);
    TY_RETURN_IF_ERROR(CheckNoUnfinishedJob(connection, name));
    TY_RETURN_IF_ERROR(CheckNoAssignment(connection, name));
    digests = {row.dataset.digest(), row.dataset.table_digest(), row.dataset.labels_digest()};
    TY_RETURN_IF_ERROR(connection.Run("DELETE FROM datasets WHERE id = ?", id));
    return DeleteRequests(connection, name);
  });
  TY_RETURN_IF_ERROR(written);
  TY_RETURN_IF_ERROR(uploads_.Remove(id));
  TY_RETURN_IF_ERROR(RemoveIfThere(*options_.files, RejectsPath(id)));
  return RemoveUnreferencedBlobs(*database_, *blobs_, digests);
}

absl::StatusOr<DatasetStore::Counts> SqlDatasetStore::Count() {
  Counts counts;
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(Statement rows,
                        connection.Prepare("SELECT state, COUNT(*), SUM(committed_size_bytes) "
                                           "FROM datasets GROUP BY state"));
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      const bool ready = rows.Int(0) == v1::Dataset::READY;
      (ready ? counts.ready : counts.uploading) = rows.Int(1);
      counts.stored_bytes += rows.Int(2);
    }
  });
  TY_RETURN_IF_ERROR(read);
  return counts;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DatasetStore>> DatasetStore::Open(const Options& options,
                                                                 Database* database,
                                                                 BlobStore* blobs,
                                                                 DatasetObserver observer) {
  auto store = std::make_unique<SqlDatasetStore>(options, database, blobs, std::move(observer));
  TY_RETURN_IF_ERROR(store->Recover());
  return store;
}

}  // namespace trainyard

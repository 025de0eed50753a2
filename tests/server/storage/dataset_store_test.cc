#include "server/storage/dataset_store.h"

#include <fstream>
#include <functional>
#include <sstream>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "server/storage/blob_references.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/mem_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::string_view kCsv = "a,b\n1,x\n2,y\n3,x\n";

// A store on a real database and files in memory, which can be cut off and opened again.
class DatasetStoreTest : public testing::Test {
 protected:
  void SetUp() override { Start(); }
  void Start() {
    ASSERT_OK_AND_ASSIGN(db_, Database::Open(dir_.path() + "/trainyard.db"));
    ASSERT_OK_AND_ASSIGN(blobs_, BlobStore::Open("/blobs", files_));
    ASSERT_THAT(SweepBlobs(*db_, *blobs_), IsOk());
    ASSERT_OK_AND_ASSIGN(
        store_,
        DatasetStore::Open({.uploads_directory = "/uploads",
                            .rejects_directory = "/rejects",
                            .scratch_directory = "/scratch",
                            .dataset_bytes_max = 1000,
                            .free_bytes_floor = 5000,
                            .files = files_},
                           db_.get(), blobs_.get(),
                           {.on_upload = [this](int64_t bytes) { uploaded_bytes_ += bytes; },
                            .on_ingest = [this](double, int64_t rows) { ingested_rows_ += rows; },
                            .on_rows_rejected = [this](absl::string_view,
                                                       int64_t rows) { rejected_rows_ += rows; },
                            .on_dedup = [this] { ++dedup_hits_; }}));
  }
  // What a power cut and a restart leave.
  void Restart() {
    store_.reset();
    blobs_.reset();
    db_.reset();
    files_->FailNothing();
    files_->PowerCut();
    Start();
  }
  absl::StatusOr<v1::Dataset> Create(const std::string& request_id = "",
                                     const std::string& digest = "body", int64_t declared = 0) {
    v1::CreateDatasetRequest request;
    request.mutable_dataset()->set_display_name("a table");
    request.set_request_id(request_id);
    request.set_declared_size_bytes(declared);
    return store_->Create(request, "ann", digest);
  }
  std::string CreateName() { return Create()->name(); }
  absl::Status Upload(const std::string& name, absl::string_view bytes) {
    absl::StatusOr<std::unique_ptr<UploadWriter>> writer = store_->OpenUpload(name);
    if (!writer.ok()) return writer.status();
    const absl::Status status = (*writer)->Append(bytes);
    return status.ok() ? (*writer)->Commit().status() : status;
  }
  absl::StatusOr<v1::Dataset> Finalize(const std::string& name, const std::string& delimiter = "",
                                       int64_t bad_rows_max = 0) {
    v1::FinalizeDatasetRequest request;
    request.set_name(name);
    request.mutable_csv()->set_delimiter(delimiter);
    request.mutable_csv()->set_bad_rows_max(bad_rows_max);
    return store_->Finalize(request);
  }
  std::string Ready(absl::string_view csv = kCsv) {
    const std::string name = CreateName();
    EXPECT_THAT(Upload(name, csv), IsOk());
    EXPECT_THAT(Finalize(name), IsOk());
    return name;
  }
  int64_t Committed(const std::string& name) {
    return store_->GetUploadStatus(name)->committed_size_bytes();
  }
  std::vector<std::string> PathsUnder(absl::string_view prefix) const {
    std::vector<std::string> found;
    for (const std::string& path : files_->Paths()) {
      if (absl::StartsWith(path, prefix)) found.push_back(path);
    }
    return found;
  }

  TempDir dir_;
  FaultyVfs vfs_;
  std::shared_ptr<MemFileSystem> files_ = std::make_shared<MemFileSystem>();
  int64_t uploaded_bytes_ = 0, ingested_rows_ = 0, rejected_rows_ = 0, dedup_hits_ = 0;
  std::unique_ptr<Database> db_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<DatasetStore> store_;
};

TEST_F(DatasetStoreTest, CreateGivesAnEmptyUpload) {
  ASSERT_OK_AND_ASSIGN(const v1::Dataset made, Create());
  EXPECT_EQ(made.state(), v1::Dataset::UPLOADING);
  EXPECT_EQ(made.owner(), "ann");
  EXPECT_EQ(made.display_name(), "a table");
  EXPECT_GT(made.create_time().seconds(), 1'600'000'000);
  EXPECT_EQ(store_->Get(made.name())->SerializeAsString(), made.SerializeAsString());
  EXPECT_EQ(Committed(made.name()), 0);
}

TEST_F(DatasetStoreTest, CreateShowsAllFaultsAtOnce) {
  v1::CreateDatasetRequest request;
  request.mutable_dataset()->set_display_name(std::string(201, 'x'));
  request.set_declared_size_bytes(-1);
  const absl::Status status = store_->Create(request, "ann", "body").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("dataset.display_name: has 201 bytes")));
  EXPECT_EQ(GetErrorInfo(status)->violations.size(), 2u);
}

TEST_F(DatasetStoreTest, CreateIsIdempotentAlsoAfterARestart) {
  const std::string name = Create("id-1")->name();
  EXPECT_EQ(Create("id-1")->name(), name);
  Restart();
  EXPECT_EQ(Create("id-1")->name(), name);
  EXPECT_THAT(Create("id-1", "another body"), HasReason(ErrorReason::kRequestIdReused));
  EXPECT_NE(Create("id-2")->name(), name);
  ASSERT_THAT(store_->Delete(name), IsOk());
  EXPECT_NE(Create("id-1", "another body")->name(), name);
}

TEST_F(DatasetStoreTest, TooLargeIsRefusedAtOnce) {
  EXPECT_THAT(Create("", "body", 1001), HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(Create("", "body", 1000), IsOk());
}

TEST_F(DatasetStoreTest, AFullDiskIsRefusedBeforeItIsFull) {
  const std::string name = CreateName();
  files_->set_free_bytes(5100);
  EXPECT_THAT(Create("", "body", 100), IsOk());
  EXPECT_THAT(Create("", "body", 101), HasReason(ErrorReason::kStorageFull));
  files_->set_free_bytes(4999);
  EXPECT_THAT(Upload(name, kCsv), HasReason(ErrorReason::kStorageFull));
}

TEST_F(DatasetStoreTest, AnUploadGoesOnWhereItStands) {
  const std::string name = CreateName();
  ASSERT_THAT(Upload(name, kCsv.substr(0, 5)), IsOk());
  EXPECT_EQ(Committed(name), 5);
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<UploadWriter> writer, store_->OpenUpload(name));
    EXPECT_EQ(writer->offset(), 5);
    ASSERT_THAT(writer->Append("lost with the stream"), IsOk());
  }
  EXPECT_EQ(Committed(name), 5);
  ASSERT_THAT(Upload(name, kCsv.substr(5)), IsOk());
  EXPECT_EQ(store_->Get(name)->size_bytes(), static_cast<int64_t>(kCsv.size()));
  EXPECT_EQ(Finalize(name)->digest(), Sha256Digest(kCsv));
  EXPECT_EQ(uploaded_bytes_, static_cast<int64_t>(kCsv.size()));
}

TEST_F(DatasetStoreTest, OneStreamWritesAtATime) {
  const std::string name = CreateName();
  ASSERT_THAT(Upload(name, "abc"), IsOk());
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<UploadWriter> writer, store_->OpenUpload(name));
  const absl::Status second = store_->OpenUpload(name).status();
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kAborted, HasSubstr(name)));
  EXPECT_THAT(second, HasReason(ErrorReason::kOffsetMismatch));
  EXPECT_THAT(GetErrorInfo(second)->metadata,
              ElementsAre(std::pair<std::string, std::string>("committed_size_bytes", "3")));
  EXPECT_THAT(Finalize(name), HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(store_->Delete(name), HasReason(ErrorReason::kInvalidState));
  writer.reset();
  EXPECT_THAT(store_->OpenUpload(name), IsOk());
}

TEST_F(DatasetStoreTest, BytesBeyondTheLimitAreRefusedAndTheRestIsKept) {
  const std::string name = CreateName();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<UploadWriter> writer, store_->OpenUpload(name));
  ASSERT_THAT(writer->Append(std::string(1000, 'x')), IsOk());
  EXPECT_THAT(writer->Append("y"), HasReason(ErrorReason::kTooLarge));
  EXPECT_EQ(*writer->Commit(), 1000);
}

TEST_F(DatasetStoreTest, TheDeclaredSizeHolds) {
  const std::string name = Create("", "body", 17)->name();
  ASSERT_THAT(Upload(name, kCsv.substr(0, 10)), IsOk());
  EXPECT_THAT(Finalize(name), HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(Upload(name, "12345678"), HasReason(ErrorReason::kTooLarge));
}

TEST_F(DatasetStoreTest, FinalizeFreezes) {
  const std::string name = Ready();
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, store_->Get(name));
  EXPECT_EQ(dataset.state(), v1::Dataset::READY);
  EXPECT_EQ(dataset.row_count(), 3);
  EXPECT_EQ(dataset.columns_size(), 2);
  EXPECT_EQ(dataset.digest(), Sha256Digest(kCsv));
  EXPECT_EQ(*blobs_->Get(dataset.digest(), 1000), kCsv);
  EXPECT_EQ(dataset.csv().header(), v1::CsvOptions::PRESENT);
  EXPECT_GE(dataset.finalize_time().seconds(), dataset.create_time().seconds());
  EXPECT_TRUE(store_->GetUploadStatus(name)->finalized());
  ASSERT_OK_AND_ASSIGN(const Table table, store_->LoadTable(dataset, true));
  EXPECT_EQ(table.rows, 3);
  EXPECT_THAT(table.columns[1].categories, ElementsAre("x", "y"));
  EXPECT_THAT(PathsUnder("/uploads/"), IsEmpty());
  EXPECT_EQ(ingested_rows_, 3);
}

TEST_F(DatasetStoreTest, FinalizeTwiceIsOneFinalize) {
  const std::string name = Ready();
  const std::string first = store_->Get(name)->SerializeAsString();
  EXPECT_EQ(Finalize(name)->SerializeAsString(), first);
  EXPECT_EQ(Finalize(name, ",")->SerializeAsString(), first);
  EXPECT_THAT(Finalize(name, ";"), HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(Finalize(name, ",", 5), HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(store_->OpenUpload(name), HasReason(ErrorReason::kInvalidState));
}

TEST_F(DatasetStoreTest, ASealedTableIsNoLabelsOfAnother) {
  const std::string labels = Ready("label\n1\n2\n3\n"), table = CreateName();
  ASSERT_THAT(Upload(table, kCsv), IsOk());
  ASSERT_THAT(store_->Seal(labels), IsOk());
  v1::FinalizeDatasetRequest request;
  request.set_name(table);
  request.set_labels_dataset(labels);
  EXPECT_THAT(store_->Finalize(request), HasReason(ErrorReason::kInvalidState));
  request.set_labels_dataset(Ready("label\n1\n2\n3\n"));
  EXPECT_THAT(store_->Finalize(request), IsOk());
}

TEST_F(DatasetStoreTest, ThreadsThatFinalizeAtOnceGetTheSame) {
  const std::string name = CreateName();
  ASSERT_THAT(Upload(name, kCsv), IsOk());
  std::vector<std::thread> threads;
  std::vector<absl::StatusOr<v1::Dataset>> answers(6, absl::UnknownError(""));
  for (auto& answer : answers) {
    threads.emplace_back([&] { answer = Finalize(name); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& answer : answers) {
    ASSERT_THAT(answer, IsOk());
    EXPECT_EQ(answer->SerializeAsString(), answers[0]->SerializeAsString());
  }
  EXPECT_EQ(ingested_rows_, 3);
}

TEST_F(DatasetStoreTest, ATableThatCannotBeUsedKeepsItsBytes) {
  const std::string name = CreateName();
  const std::string bad = "a,b\n1,x\n2\n3,y\n";
  EXPECT_THAT(Finalize(name), HasReason(ErrorReason::kInvalidState));  // no bytes yet
  ASSERT_THAT(Upload(name, bad), IsOk());
  const absl::Status status = Finalize(name).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 3")));
  EXPECT_THAT(status, HasReason(ErrorReason::kDatasetRejected));
  EXPECT_EQ(store_->Get(name)->state(), v1::Dataset::UPLOADING);
  EXPECT_EQ(Committed(name), static_cast<int64_t>(bad.size()));
  EXPECT_THAT(PathsUnder("/blobs/"), IsEmpty());
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, Finalize(name, "", 1));
  EXPECT_EQ(dataset.row_count(), 2);
  EXPECT_EQ(dataset.rejected_row_count(), 1);
  EXPECT_EQ(dataset.rejected_cells(0).line(), 3);
  EXPECT_EQ(rejected_rows_, 1);
}

TEST_F(DatasetStoreTest, TheExpectedDigestIsChecked) {
  const std::string name = CreateName();
  ASSERT_THAT(Upload(name, kCsv), IsOk());
  v1::FinalizeDatasetRequest request;
  request.set_name(name);
  request.set_expected_digest("abc");
  EXPECT_THAT(store_->Finalize(request), HasReason(ErrorReason::kInvalidRequest));
  request.set_expected_digest(Sha256Digest("other"));
  const absl::Status status = store_->Finalize(request).status();
  EXPECT_THAT(status, HasReason(ErrorReason::kDigestMismatch));
  EXPECT_EQ(GetErrorInfo(status)->metadata[0].second, Sha256Digest(kCsv));
  request.set_expected_digest(Sha256Digest(kCsv));
  EXPECT_THAT(store_->Finalize(request), IsOk());
  request.set_expected_digest(Sha256Digest("other"));
  EXPECT_THAT(store_->Finalize(request), HasReason(ErrorReason::kDigestMismatch));
}

TEST_F(DatasetStoreTest, EqualBytesAreStoredOnceAndLiveAsLongAsADatasetHasThem) {
  const std::string a = Ready(), b = Ready();
  EXPECT_EQ(dedup_hits_, 1);
  EXPECT_EQ(PathsUnder("/blobs/").size(), 2u);  // the bytes and the table
  ASSERT_THAT(store_->Delete(a), IsOk());
  EXPECT_THAT(store_->LoadTable(*store_->Get(b), true), IsOk());
  EXPECT_EQ(*SweepBlobs(*db_, *blobs_), 0);
  ASSERT_THAT(store_->Delete(b), IsOk());
  EXPECT_THAT(files_->Paths(), IsEmpty());
  EXPECT_THAT(store_->Delete(b), HasReason(ErrorReason::kNotFound));
}

TEST_F(DatasetStoreTest, DeletingAnUploadRemovesItsBytes) {
  const std::string name = CreateName();
  ASSERT_THAT(Upload(name, kCsv), IsOk());
  ASSERT_THAT(store_->Delete(name), IsOk());
  EXPECT_THAT(files_->Paths(), IsEmpty());
  EXPECT_THAT(store_->OpenUpload(name), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(Finalize(name), HasReason(ErrorReason::kNotFound));
}

TEST_F(DatasetStoreTest, ADatasetOfAnUnfinishedJobIsNotDeleted) {
  const std::string name = Ready();
  const auto set_job_state = [&](v1::JobState state) {
    return db_->Write([&](Connection& connection) {
      return connection.Run(
          "INSERT OR REPLACE INTO jobs (id, owner, dataset, state, infra_failures, last_sequence, "
          "record) VALUES ('j1', 'local', ?, ?, 0, 0, x'')",
          name, static_cast<int64_t>(state));
    });
  };
  for (const v1::JobState state : {v1::JOB_STATE_PENDING, v1::JOB_STATE_RUNNING,
                                   v1::JOB_STATE_PAUSED, v1::JOB_STATE_CANCELLING}) {
    ASSERT_THAT(set_job_state(state), IsOk());
    const absl::Status refused = store_->Delete(name);
    EXPECT_THAT(refused, HasReason(ErrorReason::kInvalidState)) << v1::JobState_Name(state);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("trainingJobs/j1"));
  }
  ASSERT_THAT(set_job_state(v1::JOB_STATE_SUCCEEDED), IsOk());
  EXPECT_THAT(store_->Delete(name), IsOk());
}

TEST_F(DatasetStoreTest, ListIsNewestFirstWithoutColumns) {
  const std::string a = Ready(), b = CreateName();
  ASSERT_THAT(Upload(b, "xyz"), IsOk());
  v1::ListDatasetsRequest request;
  request.set_page_size(1);
  ASSERT_OK_AND_ASSIGN(const v1::ListDatasetsResponse first, store_->List(request, ""));
  ASSERT_EQ(first.datasets_size(), 1);
  EXPECT_EQ(first.datasets(0).name(), b);
  EXPECT_EQ(first.datasets(0).size_bytes(), 3);
  request.set_page_token(first.next_page_token());
  ASSERT_OK_AND_ASSIGN(const v1::ListDatasetsResponse second, store_->List(request, ""));
  ASSERT_EQ(second.datasets_size(), 1);
  EXPECT_EQ(second.datasets(0).name(), a);
  EXPECT_EQ(second.datasets(0).row_count(), 3);
  EXPECT_EQ(second.datasets(0).columns_size(), 0);
  EXPECT_THAT(second.next_page_token(), IsEmpty());
}

TEST_F(DatasetStoreTest, CountsFollowTheStates) {
  Ready();
  ASSERT_THAT(Upload(CreateName(), "xyz"), IsOk());
  ASSERT_OK_AND_ASSIGN(const DatasetStore::Counts counts, store_->Count());
  EXPECT_EQ(counts.ready, 1);
  EXPECT_EQ(counts.uploading, 1);
  EXPECT_EQ(counts.stored_bytes, static_cast<int64_t>(kCsv.size()) + 3);
}

TEST_F(DatasetStoreTest, ALostOrDamagedTableIsDataLoss) {
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, store_->Get(Ready()));
  files_->FlipByte(*blobs_->Path(dataset.table_digest()), 20);
  EXPECT_THAT(store_->LoadTable(dataset, true).status(), HasReason(ErrorReason::kDataLoss));
  ASSERT_THAT(blobs_->Remove(dataset.table_digest()), IsOk());
  EXPECT_THAT(store_->LoadTable(dataset, true).status(), HasReason(ErrorReason::kDataLoss));
  EXPECT_THAT(store_->LoadTable(*Create(), true).status(), HasReason(ErrorReason::kInvalidState));
}

TEST_F(DatasetStoreTest, CommittedSurvivesAPowerCutAndNothingElse) {
  const std::string name = CreateName();
  ASSERT_THAT(Upload(name, kCsv), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<UploadWriter> writer, store_->OpenUpload(name));
    ASSERT_THAT(writer->Append("not committed"), IsOk());
  }
  Restart();
  EXPECT_EQ(Committed(name), static_cast<int64_t>(kCsv.size()));
  EXPECT_EQ(*files_->Size(PathsUnder("/uploads/")[0]), static_cast<int64_t>(kCsv.size()));
  EXPECT_EQ(Finalize(name)->digest(), Sha256Digest(kCsv));
  Restart();
  EXPECT_EQ(store_->LoadTable(*store_->Get(name), true)->rows, 3);
}

TEST_F(DatasetStoreTest, AnUploadWithLostBytesDoesNotKeepTheServerDown) {
  const std::string name = CreateName(), other = CreateName();
  ASSERT_THAT(Upload(name, kCsv), IsOk());
  ASSERT_THAT(files_->Truncate(PathsUnder("/uploads/")[0], 3), IsOk());
  Restart();
  EXPECT_THAT(Finalize(name), HasReason(ErrorReason::kDataLoss));
  EXPECT_THAT(store_->OpenUpload(name), HasReason(ErrorReason::kDataLoss));
  EXPECT_THAT(Upload(other, kCsv), IsOk());
}

// After a Finalize that failed late, the upload's file and the blob are one file: more bytes must
// not change the blob.
TEST_F(DatasetStoreTest, ABlobNeverChangesUnderAnUpload) {
  const std::string name = CreateName();
  ASSERT_THAT(Upload(name, kCsv), IsOk());
  const std::string path = PathsUnder("/uploads/")[0];
  ASSERT_THAT(blobs_->Adopt(path, Sha256Digest(kCsv)), IsOk());
  ASSERT_THAT(Upload(name, "4,y\n"), IsOk());
  EXPECT_EQ(*blobs_->Get(Sha256Digest(kCsv), 1000), kCsv);
  EXPECT_EQ(Finalize(name)->row_count(), 4);
}

// One fault at every operation on files, and at every change that SQLite makes to its own, in turn,
// passing and lasting, then a power cut: what was acknowledged is there.
class DatasetStoreFaultTest : public DatasetStoreTest, public testing::WithParamInterface<int64_t> {
 protected:
  void TearDown() override { vfs_.FailFrom(0, 0); }

  // The life of one dataset while something fails, and after it.
  void LiveOnce() {
    const std::string first(kCsv.substr(0, 6)), rest(kCsv.substr(6)), request = NewId();
    const absl::StatusOr<v1::Dataset> created = Create(request);
    std::string name = created.ok() ? created->name() : "";
    const bool first_ok = created.ok() && Upload(name, first).ok();
    const bool rest_ok = first_ok && Upload(name, rest).ok();
    const bool ready = rest_ok && Finalize(name).ok();
    const bool deleted = ready && store_->Delete(name).ok();
    failed_ = files_->Failed() || vfs_.Failed();
    EXPECT_TRUE(failed_ || deleted);
    vfs_.FailFrom(0, 0);
    Restart();

    EXPECT_TRUE(!deleted || absl::IsNotFound(store_->Get(name).status()));
    // Whether a deletion that was answered with an error is done is not said.
    if (ready && absl::IsNotFound(store_->Get(name).status())) return;
    ASSERT_OK_AND_ASSIGN(const v1::Dataset again, Create(request));
    EXPECT_TRUE(!created.ok() || again.name() == name);
    name = again.name();
    EXPECT_GE(Committed(name),
              static_cast<int64_t>(rest_ok ? kCsv.size() : (first_ok ? first.size() : 0)));
    EXPECT_TRUE(!ready || store_->Get(name)->state() == v1::Dataset::READY);
    FinishAndDelete(name);
  }

  void FinishAndDelete(const std::string& name) {
    if (store_->Get(name)->state() == v1::Dataset::UPLOADING) {
      ASSERT_THAT(Upload(name, kCsv.substr(static_cast<size_t>(Committed(name)))), IsOk());
    }
    ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, Finalize(name));
    EXPECT_EQ(dataset.digest(), Sha256Digest(kCsv));
    EXPECT_EQ(*blobs_->Get(dataset.digest(), 1000), kCsv);
    EXPECT_EQ(store_->LoadTable(dataset, true)->rows, 3);
    ASSERT_THAT(store_->Delete(name), IsOk());
  }

  // Until a whole life goes without a fault.
  void LiveUntilNothingFails(const std::function<void(int64_t nth)>& fail_from) {
    failed_ = true;
    int64_t nth = 0;
    while (failed_ && !HasFailure()) {
      SCOPED_TRACE(++nth);
      fail_from(nth);
      LiveOnce();
      Restart();
      EXPECT_THAT(files_->Paths(), IsEmpty());
    }
    EXPECT_GT(nth, 10);  // the loop has really failed something
  }

 private:
  bool failed_ = true;
};

INSTANTIATE_TEST_SUITE_P(OnceAndForEver, DatasetStoreFaultTest,
                         testing::Values(int64_t{1}, MemFileSystem::kForEver));

TEST_P(DatasetStoreFaultTest, AtEachOperationOnFiles) {
  LiveUntilNothingFails([this](int64_t nth) { files_->FailFrom(nth, GetParam()); });
}

TEST_P(DatasetStoreFaultTest, AtEachChangeOfTheDatabase) {
  LiveUntilNothingFails([this](int64_t nth) { vfs_.FailFrom(nth, GetParam()); });
}

// Everything real: SQLite, files, the Wisconsin breast cancer table of 1995.
TEST(DatasetStoreDiskTest, WdbcBecomes569RowsOf31Columns) {
  TempDir dir;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> db, Database::Open(dir.path() + "/db"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<BlobStore> blobs,
                       BlobStore::Open(dir.path() + "/blobs"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<DatasetStore> store,
                       DatasetStore::Open({.uploads_directory = dir.path() + "/uploads",
                                            .rejects_directory = dir.path() + "/rejects",
                                            .scratch_directory = dir.path() + "/scratch",
                                           .dataset_bytes_max = int64_t{1} << 30},
                                          db.get(), blobs.get()));
  std::stringstream csv;
  csv << std::ifstream(TY_SOURCE_DIR "/tests/data/wdbc.csv").rdbuf();
  ASSERT_OK_AND_ASSIGN(const v1::Dataset made, store->Create({}, "ann", ""));
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<UploadWriter> writer,
                         store->OpenUpload(made.name()));
    ASSERT_THAT(writer->Append(csv.str()), IsOk());
    ASSERT_THAT(writer->Commit(), IsOk());
  }
  v1::FinalizeDatasetRequest request;
  request.set_name(made.name());
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, store->Finalize(request));
  EXPECT_EQ(dataset.row_count(), 569);
  EXPECT_EQ(dataset.columns_size(), 31);
  ASSERT_OK_AND_ASSIGN(const Table table, store->LoadTable(dataset, true));
  EXPECT_EQ(table.rows, 569);
  EXPECT_EQ(table.columns.size(), 31u);
}

}  // namespace
}  // namespace trainyard

// The command line against servers in this process that break off, lie and refuse on purpose.
#include "client/cli.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "client/digest.h"
#include "core/base/crc32c.h"
#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kJob[] = "trainingJobs/j1";
constexpr char kDataset[] = "datasets/d1";

grpc::Status ToGrpc(const absl::Status& status) {
  const WireError wire = EncodeError(status);
  return grpc::Status(static_cast<grpc::StatusCode>(wire.code), wire.message, wire.details);
}

grpc::Status BrokenConnection() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
}

// Takes an upload; each stream breaks after as many chunks as `breaks` says, then is done.
class FakeDatasets : public v1::DatasetService::Service {
 public:
  grpc::Status CreateDataset(grpc::ServerContext*, const v1::CreateDatasetRequest* request,
                             v1::Dataset* dataset) override {
    create_ids.push_back(request->request_id());
    if (create_failures-- > 0) return BrokenConnection();
    dataset->set_name(absl::StrCat("datasets/d", ++created));
    dataset->set_display_name(request->dataset().display_name());
    dataset->set_state(v1::Dataset::UPLOADING);
    return grpc::Status::OK;
  }

  grpc::Status WriteDataset(grpc::ServerContext*,
                            grpc::ServerReader<v1::WriteDatasetRequest>* reader,
                            v1::WriteDatasetResponse* response) override {
    int chunks_left = breaks.empty() ? 1'000'000 : breaks.front();
    if (!breaks.empty()) breaks.erase(breaks.begin());
    ++streams;
    v1::WriteDatasetRequest request;
    bool first = true;
    for (; reader->Read(&request); first = false) {
      EXPECT_EQ(request.name().empty(), !first);
      if (first && request.name() != written) bytes.clear();
      if (first) written = request.name();
      if (chunks_left-- == 0) return BrokenConnection();
      EXPECT_EQ(request.offset(), static_cast<int64_t>(bytes.size()));
      EXPECT_EQ(request.crc32c(), crc32c::Value(request.data()));
      bytes += request.data();
    }
    EXPECT_FALSE(first) << "a stream must name its dataset";
    response->set_committed_size_bytes(static_cast<int64_t>(bytes.size()));
    return answers_lost-- > 0 ? BrokenConnection() : grpc::Status::OK;
  }

  grpc::Status GetUploadStatus(grpc::ServerContext*, const v1::GetUploadStatusRequest*,
                               v1::UploadStatus* status) override {
    // The last chunk was not durable when the stream broke.
    if (!bytes.empty() && lose_last_chunk) bytes.resize(bytes.size() - (1 << 20));
    lose_last_chunk = false;
    status->set_committed_size_bytes(static_cast<int64_t>(bytes.size()));
    return grpc::Status::OK;
  }

  grpc::Status FinalizeDataset(grpc::ServerContext*, const v1::FinalizeDatasetRequest* request,
                               v1::Dataset* dataset) override {
    expected_digest = request->expected_digest();
    csv = request->csv();
    finalized.push_back(*request);
    if (!finalize_error.ok() && request->name() != accepted) return ToGrpc(finalize_error);
    dataset->set_name(request->name());
    dataset->set_state(v1::Dataset::READY);
    dataset->set_row_count(569);
    v1::Column* column = dataset->add_columns();
    column->set_name("age");
    column->set_type(v1::COLUMN_TYPE_NUMERIC);
    return grpc::Status::OK;
  }

  grpc::Status DeleteDataset(grpc::ServerContext*, const v1::DeleteDatasetRequest* request,
                             google::protobuf::Empty*) override {
    deleted.push_back(request->name());
    return request->name() == undeletable ? BrokenConnection() : grpc::Status::OK;
  }

  grpc::Status GetDataset(grpc::ServerContext*, const v1::GetDatasetRequest* request,
                          v1::Dataset* dataset) override {
    dataset->set_name(request->name());
    dataset->set_state(v1::Dataset::READY);
    dataset->set_row_count(4);
    v1::Column* const column = dataset->add_columns();
    column->set_name("diagnosis");
    column->set_type(v1::COLUMN_TYPE_TEXT);
    column->set_distinct_count(1);
    column->add_top_values()->set_value("benign");
    column->mutable_top_values(0)->set_count(4);
    return grpc::Status::OK;
  }

  grpc::Status DownloadRejectReport(
      grpc::ServerContext*, const v1::DownloadRejectReportRequest* request,
      grpc::ServerWriter<v1::DownloadRejectReportResponse>* writer) override {
    EXPECT_EQ(request->name(), kDataset);
    v1::DownloadRejectReportResponse response;
    response.set_total_size_bytes(12);
    for (int i = 0; i < report_chunks; ++i) {
      response.set_data("line,\n");
      writer->Write(response);
    }
    return grpc::Status::OK;
  }

  std::vector<int> breaks;
  int create_failures = 0;
  int answers_lost = 0;
  bool lose_last_chunk = false;
  absl::Status finalize_error;
  std::string accepted;  // a dataset that finalize_error does not strike
  std::string undeletable;
  int report_chunks = 2;
  int created = 0;
  std::string written;  // what `bytes` are of
  std::string bytes;
  std::vector<v1::FinalizeDatasetRequest> finalized;
  int streams = 0;
  std::string expected_digest;
  v1::CsvOptions csv;
  std::vector<std::string> create_ids;
  std::vector<std::string> deleted;
};

v1::WatchTrainingJobResponse Event(int64_t sequence) {
  v1::WatchTrainingJobResponse response;
  response.mutable_event()->set_sequence(sequence);
  response.mutable_event()->mutable_create_time()->set_seconds(1'000'000 + sequence);
  return response;
}

v1::WatchTrainingJobResponse EpochEvent(int64_t sequence, int32_t epoch) {
  v1::WatchTrainingJobResponse response = Event(sequence);
  response.mutable_event()->mutable_epoch()->set_epoch(epoch);
  response.mutable_event()->mutable_epoch()->set_train_loss(0.5);
  return response;
}

v1::WatchTrainingJobResponse StateEvent(int64_t sequence, v1::JobState to) {
  v1::WatchTrainingJobResponse response = Event(sequence);
  response.mutable_event()->mutable_state_change()->set_to(to);
  return response;
}

v1::WatchTrainingJobResponse Failure(int64_t sequence, v1::FailureCategory category) {
  v1::WatchTrainingJobResponse response = StateEvent(sequence, v1::JOB_STATE_FAILED);
  response.mutable_event()->mutable_state_change()->mutable_error()->set_category(category);
  return response;
}

// Answers one watch after the other from a script, and the last one again and again.
class FakeJobs : public v1::JobService::Service {
 public:
  struct Stream {
    std::vector<v1::WatchTrainingJobResponse> responses;
    grpc::Status end;
  };

  grpc::Status WatchTrainingJob(grpc::ServerContext* context,
                                const v1::WatchTrainingJobRequest* request,
                                grpc::ServerWriter<v1::WatchTrainingJobResponse>* writer) override {
    start_sequences.push_back(request->start_sequence());
    kinds = {request->kinds().begin(), request->kinds().end()};
    const Stream stream = script.front();
    if (script.size() > 1) script.erase(script.begin());
    v1::WatchTrainingJobResponse snapshot;
    *snapshot.mutable_snapshot() = job;
    if (!stream.responses.empty()) writer->Write(snapshot);
    for (const auto& response : stream.responses) writer->Write(response);
    if (hang) {
      watching.Notify();
      while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return stream.end;
  }

  grpc::Status GetTrainingJob(grpc::ServerContext*, const v1::GetTrainingJobRequest* request,
                              v1::TrainingJob* answer) override {
    if (request->name() != kJob) {
      return ToGrpc(MakeError(absl::StatusCode::kNotFound,
                              absl::StrCat(request->name(), " is unknown"),
                              {.reason = ErrorReason::kNotFound, .hint = "trainyard job list"}));
    }
    *answer = job;
    return grpc::Status::OK;
  }

  grpc::Status CreateTrainingJob(grpc::ServerContext*, const v1::CreateTrainingJobRequest* request,
                                 v1::TrainingJob* answer) override {
    created = *request;
    request_ids.push_back(request->request_id());
    if (create_failures-- > 0) return BrokenConnection();
    if (!create_error.ok()) return ToGrpc(create_error);
    *answer = job;
    return grpc::Status::OK;
  }

  grpc::Status ListTrainingJobs(grpc::ServerContext*, const v1::ListTrainingJobsRequest* request,
                                v1::ListTrainingJobsResponse* answer) override {
    // Pages of two, whatever is asked for.
    const int first = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    for (int i = first; i < std::min(first + 2, 5); ++i) {
      answer->add_training_jobs()->set_name(absl::StrCat("trainingJobs/", i));
    }
    if (first + 2 < 5) answer->set_next_page_token(absl::StrCat(first + 2));
    return grpc::Status::OK;
  }

  v1::TrainingJob job;
  std::vector<Stream> script;
  bool hang = false;
  absl::Notification watching;
  std::vector<int64_t> start_sequences;
  std::vector<int> kinds;
  v1::CreateTrainingJobRequest created;
  std::vector<std::string> request_ids;
  int create_failures = 0;
  absl::Status create_error;
};

// An analysis is queued as the job of FakeJobs; what it found is a landscape of 3 × 3 points.
class FakeAnalyses : public v1::AnalysisService::Service {
 public:
  explicit FakeAnalyses(FakeJobs* jobs) : jobs_(jobs) {}

  grpc::Status CreateAnalysis(grpc::ServerContext*, const v1::CreateAnalysisRequest* request,
                              v1::TrainingJob* answer) override {
    created = *request;
    *jobs_->job.mutable_analysis() = request->analysis();
    *answer = jobs_->job;
    return grpc::Status::OK;
  }

  grpc::Status GetAnalysisResult(grpc::ServerContext*, const v1::GetAnalysisResultRequest* request,
                                 v1::AnalysisResult* answer) override {
    EXPECT_EQ(request->name(), kJob);
    for (const double a : {-1.0, 0.0, 1.0}) answer->mutable_loss_landscape()->add_axis(a);
    for (int i = 0; i < 9; ++i)
      answer->mutable_loss_landscape()->add_losses(diverged ? NAN : 1.0 * i);
    answer->mutable_loss_landscape()->set_centre(4);
    return grpc::Status::OK;
  }

  v1::CreateAnalysisRequest created;
  bool diverged = false;

 private:
  FakeJobs* const jobs_;
};

// Answers each row with its own bytes, or a native model of three chunks.
class FakeModels : public v1::ModelService::Service {
 public:
  grpc::Status PredictTable(grpc::ServerContext*,
                            grpc::ServerReaderWriter<v1::PredictTableResponse,
                                                     v1::PredictTableRequest>* stream) override {
    v1::PredictTableRequest request;
    while (stream->Read(&request)) {
      if (request.has_options()) {
        name = request.options().name();
        hidden_layer = request.options().hidden_layer();
      }
      v1::PredictTableResponse response;
      response.set_data(request.data());
      response.set_row_count(1);
      stream->Write(response);
    }
    return ToGrpcOrOk(predict_error);
  }

  grpc::Status ExportModel(grpc::ServerContext*, const v1::ExportModelRequest* request,
                           grpc::ServerWriter<v1::ExportModelResponse>* writer) override {
    format = request->format();
    exported = *request;
    v1::ExportModelResponse response;
    response.set_total_size_bytes(6);
    if (format == v1::MODEL_FORMAT_ONNX) {
      response.set_largest_difference(3.125e-7);
      response.set_rows_compared(569);
    }
    for (int i = 0; i < chunks; ++i) {
      response.set_data("ab");
      writer->Write(response);
    }
    return grpc::Status::OK;
  }

  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                        v1::Model* answer) override {
    *answer = model;
    answer->set_name(request->name());
    return grpc::Status::OK;
  }

  grpc::Status Predict(grpc::ServerContext*, const v1::PredictRequest* request,
                       v1::PredictResponse* answer) override {
    predicted = *request;
    for (int i = 0; i < request->rows_size(); ++i) answer->add_predictions()->set_label("yes");
    return grpc::Status::OK;
  }

  grpc::Status ImportModel(grpc::ServerContext*, grpc::ServerReader<v1::ImportModelRequest>* reader,
                           v1::Model* answer) override {
    v1::ImportModelRequest request;
    for (bool first = true; reader->Read(&request); first = false) {
      EXPECT_EQ(request.has_options(), first);
      if (first) import_options = request.options();
      imported += request.data();
    }
    if (!import_error.ok()) return ToGrpc(import_error);
    answer->set_name("models/m9");
    return grpc::Status::OK;
  }

  static grpc::Status ToGrpcOrOk(const absl::Status& status) {
    return status.ok() ? grpc::Status::OK : ToGrpc(status);
  }

  std::string name;
  int32_t hidden_layer = 0;
  v1::ModelFormat format = v1::MODEL_FORMAT_UNSPECIFIED;
  int chunks = 3;
  absl::Status predict_error;
  v1::Model model;
  v1::PredictRequest predicted;
  v1::ExportModelRequest exported;
  v1::ImportModelRequest::Options import_options;
  std::string imported;
  absl::Status import_error;
};

class CliTest : public testing::Test {
 protected:
  CliTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&datasets_);
    builder.RegisterService(&jobs_);
    builder.RegisterService(&models_);
    builder.RegisterService(&analyses_);
    server_ = builder.BuildAndStart();
    jobs_.job.set_name(kJob);
    jobs_.job.set_state(v1::JOB_STATE_SUCCEEDED);
    jobs_.job.set_model("models/m1");
  }

  ExitCode Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), absl::StrCat("--server=127.0.0.1:", port_));
    return RunCli(
        arguments, {out_, err_}, &interrupt_,
        {.delay_min = absl::Milliseconds(1), .delay_max = absl::Milliseconds(2), .retries_max = 5});
  }

  std::string File(const std::string& name, const std::string& bytes) {
    const std::string path = testing::TempDir() + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
  }

  FakeDatasets datasets_;
  FakeJobs jobs_;
  FakeModels models_;
  FakeAnalyses analyses_{&jobs_};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  Interrupt interrupt_;
  std::ostringstream out_, err_;
};

std::string Bytes(size_t size) {
  std::string bytes(size, 'x');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

TEST_F(CliTest, AnUploadIsOneStreamWithItsDigest) {
  const std::string bytes = Bytes((3 << 20) + 5);
  ASSERT_EQ(Run({"dataset", "upload", File("table.csv", bytes), "--delimiter", "tab", "--header",
                 "absent"}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(datasets_.bytes, bytes);
  EXPECT_EQ(datasets_.streams, 1);
  Digest digest;
  digest.Update(bytes);
  EXPECT_EQ(datasets_.expected_digest, digest.Finish());
  EXPECT_EQ(datasets_.csv.delimiter(), "\t");
  EXPECT_EQ(datasets_.csv.header(), v1::CsvOptions::ABSENT);
  EXPECT_THAT(out_.str(), HasSubstr("datasets/d1  READY"));
  EXPECT_THAT(out_.str(), HasSubstr("age"));
}

TEST_F(CliTest, ABrokenUploadGoesOnWhereTheServerHasTheBytes) {
  const std::string bytes = Bytes((5 << 20) + 7);
  datasets_.breaks = {2, 0, 2};
  datasets_.lose_last_chunk = true;
  ASSERT_EQ(Run({"dataset", "upload", File("table.csv", bytes)}), ExitCode::kOk) << err_.str();
  EXPECT_EQ(datasets_.bytes, bytes);
  EXPECT_EQ(datasets_.streams, 4);
  Digest digest;
  digest.Update(bytes);
  EXPECT_EQ(datasets_.expected_digest, digest.Finish());
  EXPECT_THAT(err_.str(), HasSubstr("going on at 1.0 MiB"));
}

TEST_F(CliTest, AnUploadWhoseAnswerIsLostIsNotSentAgain) {
  datasets_.answers_lost = 1;
  ASSERT_EQ(Run({"dataset", "upload", File("table.csv", "a,b\n1,2\n")}), ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(datasets_.bytes, "a,b\n1,2\n");
  EXPECT_EQ(datasets_.streams, 2);
}

TEST_F(CliTest, AnUploadThatNeverGetsOnEndsAndIsDeleted) {
  datasets_.breaks = std::vector<int>(100, 0);
  EXPECT_EQ(Run({"dataset", "upload", File("table.csv", "a,b\n1,2\n")}), ExitCode::kUnreachable);
  EXPECT_EQ(datasets_.streams, 6);  // the first one and five retries
  EXPECT_THAT(datasets_.deleted, ElementsAre(kDataset));
}

TEST_F(CliTest, AnEmptyFileIsRefusedBeforeAnythingIsSent) {
  EXPECT_EQ(Run({"dataset", "upload", File("empty.csv", "")}), ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("empty.csv is empty"));
  EXPECT_THAT(datasets_.create_ids, ElementsAre());
}

TEST_F(CliTest, AServerThatNeverAnsweredIsNotWaitedFor) {
  datasets_.create_failures = 1;
  EXPECT_EQ(Run({"dataset", "upload", File("a.csv", "a,y\n1,2\n")}), ExitCode::kUnreachable);
  EXPECT_EQ(datasets_.create_ids.size(), 1u);
}

TEST_F(CliTest, OneThatHasAnsweredIsWaitedForWithTheSameRequestId) {
  jobs_.create_failures = 2;
  ASSERT_EQ(Run({"train", "--dataset", File("a.csv", "a,y\n1,2\n"), "--target", "y"}),
            ExitCode::kOk)
      << err_.str();
  ASSERT_EQ(jobs_.request_ids.size(), 3u);
  EXPECT_THAT(jobs_.request_ids, testing::Each(jobs_.request_ids[0]));
  EXPECT_EQ(jobs_.request_ids[0].size(), 36u);
}

absl::Status OneBadCell() {
  return MakeError(absl::StatusCode::kInvalidArgument, "1 bad row, 0 allowed",
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "mend the cell",
                    .violations = {{"line 42, column \"age\"", "a number, found \"n/a\""}}});
}

TEST_F(CliTest, ARejectedTableShowsBadCellsAndWhatCanBeDoneWithIt) {
  datasets_.finalize_error = OneBadCell();
  EXPECT_EQ(Run({"dataset", "upload", File("table.csv", "age\nn/a\n")}), ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("line 42, column \"age\"  a number, found \"n/a\""));
  EXPECT_THAT(err_.str(),
              HasSubstr("how to go on: mend the cell\n    flags for it: --bad-rows-max"));
  for (const char* next : {"rejects datasets/d1 -f rejects.csv\n",
                           "finalize datasets/d1 --bad-rows", "delete datasets/d1\n"}) {
    EXPECT_THAT(err_.str(), HasSubstr(absl::StrCat("trainyard dataset ", next)));
  }
  EXPECT_THAT(datasets_.deleted, ElementsAre());
  EXPECT_EQ(out_.str(), "");
}

TEST_F(CliTest, ARejectedTableOfATrainingIsDeleted) {
  datasets_.finalize_error = OneBadCell();
  EXPECT_EQ(Run({"train", "--dataset", File("table.csv", "age\nn/a\n")}), ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("of: trainyard dataset upload\n"));
  EXPECT_THAT(err_.str(), Not(HasSubstr("trainyard dataset rejects")));
  EXPECT_THAT(datasets_.deleted, ElementsAre(kDataset));
}

TEST_F(CliTest, ARejectedTableIsReadAgainWithOtherOptions) {
  datasets_.finalize_error = OneBadCell();
  EXPECT_EQ(Run({"dataset", "finalize", "d1", "--delimiter", ";"}), ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("trainyard dataset rejects datasets/d1"));
  datasets_.finalize_error = absl::OkStatus();
  ASSERT_EQ(Run({"dataset", "finalize", "d1", "--bad-rows-max", "3", "--format", "csv",
                 "--column-kind", "age=category"}),
            ExitCode::kOk)
      << err_.str();
  const v1::FinalizeDatasetRequest& request = datasets_.finalized.back();
  EXPECT_EQ(request.name(), kDataset);
  EXPECT_EQ(request.csv().bad_rows_max(), 3);
  EXPECT_EQ(request.format(), v1::FILE_FORMAT_CSV);
  EXPECT_EQ(request.column_overrides(0).name(), "age");
  EXPECT_THAT(out_.str(), HasSubstr("datasets/d1  READY"));
}

TEST_F(CliTest, ARejectReportIsCompleteOrNotThere) {
  ASSERT_EQ(Run({"dataset", "rejects", "d1"}), ExitCode::kOk) << err_.str();
  EXPECT_EQ(out_.str(), "line,\nline,\n");
  const std::string target = testing::TempDir() + "/rejects.csv";
  ASSERT_EQ(Run({"dataset", "rejects", "d1", "-f", target}), ExitCode::kOk) << err_.str();
  EXPECT_EQ(ReadFile(target), "line,\nline,\n");
  datasets_.report_chunks = 1;
  const std::string half = testing::TempDir() + "/half.csv";
  EXPECT_EQ(Run({"dataset", "rejects", "d1", "-f", half}), ExitCode::kInfra);
  EXPECT_FALSE(std::ifstream(half).good());
}

TEST_F(CliTest, LabelsAreADatasetOfTheirOwnUntilTheTableHasThem) {
  const std::string labels = File("labels.idx", "5 0 4");
  ASSERT_EQ(Run({"dataset", "upload", File("images.idx", "pixels"), "--labels", labels, "--format",
                 "idx"}),
            ExitCode::kOk)
      << err_.str();
  ASSERT_EQ(datasets_.finalized.size(), 2u);
  EXPECT_EQ(datasets_.finalized[0].name(), "datasets/d1");
  EXPECT_EQ(datasets_.finalized[0].format(), v1::FILE_FORMAT_UNSPECIFIED);
  EXPECT_EQ(datasets_.finalized[1].name(), "datasets/d2");
  EXPECT_EQ(datasets_.finalized[1].labels_dataset(), "datasets/d1");
  EXPECT_EQ(datasets_.finalized[1].format(), v1::FILE_FORMAT_IDX);
  EXPECT_EQ(datasets_.bytes, "pixels");
  EXPECT_THAT(datasets_.deleted, ElementsAre("datasets/d1"));
}

TEST_F(CliTest, LabelsAreDeletedWhenTheTableIsRejected) {
  datasets_.finalize_error = OneBadCell();
  datasets_.accepted = "datasets/d1";
  EXPECT_EQ(Run({"dataset", "upload", File("images.idx", "pixels"), "--labels",
                 File("labels.idx", "5 0 4")}),
            ExitCode::kRefused);
  EXPECT_THAT(datasets_.deleted, ElementsAre("datasets/d1"));
  EXPECT_THAT(err_.str(), HasSubstr("trainyard dataset rejects datasets/d2"));
}

TEST_F(CliTest, RejectedLabelsAreNamedAndNothingIsLeft) {
  datasets_.finalize_error = OneBadCell();
  EXPECT_EQ(Run({"dataset", "upload", File("images.idx", "pixels"), "--labels",
                 File("labels.idx", "5 0 4")}),
            ExitCode::kRefused);
  EXPECT_THAT(datasets_.deleted, ElementsAre("datasets/d1"));
  EXPECT_EQ(datasets_.created, 1);  // the table was not even announced
  EXPECT_THAT(err_.str(), HasSubstr("/labels.idx: 1 bad row, 0 allowed"));
}

TEST_F(CliTest, LabelsThatCannotBeDeletedAreTold) {
  datasets_.undeletable = "datasets/d1";
  EXPECT_EQ(Run({"dataset", "upload", File("images.idx", "pixels"), "--labels",
                 File("labels.idx", "5 0 4")}),
            ExitCode::kOk);
  EXPECT_THAT(err_.str(), HasSubstr("the labels' own dataset is still on the server; delete it "
                                    "with: trainyard dataset delete datasets/d1"));
}

TEST_F(CliTest, ADatasetOfLabelsIsTakenAsItIs) {
  ASSERT_EQ(Run({"dataset", "upload", File("images.idx", "pixels"), "--labels", "datasets/l"}),
            ExitCode::kOk);
  EXPECT_EQ(datasets_.finalized[0].labels_dataset(), "datasets/l");
  EXPECT_THAT(datasets_.deleted, ElementsAre());
}

TEST_F(CliTest, ADatasetIsShownWholeOrByOneColumn) {
  ASSERT_EQ(Run({"dataset", "show", "d1"}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("datasets/d1  READY"));
  ASSERT_EQ(Run({"dataset", "show", "d1", "--column", "diagnosis"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("diagnosis  text\n"));
  ASSERT_EQ(Run({"dataset", "show", "d1", "--target", "diagnosis"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("CLASS   ROWS   SHARE\nbenign     4  100.0%"));
  EXPECT_EQ(Run({"dataset", "show", "d1", "--column", "diagnosys"}), ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("has no column \"diagnosys\" (did you mean \"diagnosis\"?)"));
  EXPECT_EQ(Run({"dataset", "show", "d1", "--column", "a", "--target", "b"}), ExitCode::kUsage);
}

TEST_F(CliTest, ATestTableIsUploadedToo) {
  ASSERT_EQ(Run({"train", "--dataset", kDataset, "--test-dataset", File("test.csv", "a,y\n1,2\n")}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(jobs_.created.training_job().spec().test_dataset(), "datasets/d1");
  EXPECT_EQ(Run({"train", "--dataset", kDataset, "--test-dataset", "no-such"}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--test-dataset \"no-such\": neither"));
}

TEST_F(CliTest, AFileThatIsNotThereIsUsage) {
  EXPECT_EQ(Run({"dataset", "upload", "/no/such.csv"}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("/no/such.csv"));
  EXPECT_EQ(Run({"train", "--dataset", "no-such-thing", "--target", "y"}), ExitCode::kUsage);
}

TEST_F(CliTest, AWatchThatBreaksGoesOnFromTheNextEvent) {
  jobs_.script = {
      {{StateEvent(1, v1::JOB_STATE_PENDING), EpochEvent(2, 0)}, BrokenConnection()},
      {{}, BrokenConnection()},
      {{EpochEvent(3, 1)}, grpc::Status(grpc::StatusCode::INTERNAL, "Received RST_STREAM")},
      {{EpochEvent(4, 2), StateEvent(5, v1::JOB_STATE_SUCCEEDED)}, grpc::Status::OK}};
  ASSERT_EQ(Run({"-o", "json", "job", "watch", "j1"}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(jobs_.start_sequences, ElementsAre(1, 3, 3, 4));
  const std::vector<std::string> lines = absl::StrSplit(out_.str(), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 6u) << out_.str();  // one snapshot, five events
  EXPECT_THAT(lines[0], HasSubstr("\"snapshot\""));
  for (size_t i = 1; i < lines.size(); ++i) {
    EXPECT_THAT(lines[i], HasSubstr(absl::StrCat("\"sequence\":\"", i, "\"")));
  }
  EXPECT_THAT(err_.str(), HasSubstr("going on from event 3"));
}

TEST_F(CliTest, AWatchInTextEndsWithModelAndNextSteps) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_RUNNING), EpochEvent(2, 0),
                    StateEvent(3, v1::JOB_STATE_SUCCEEDED)},
                   grpc::Status::OK}};
  v1::Metric* accuracy = jobs_.job.add_test_metrics();
  accuracy->set_name("accuracy");
  accuracy->set_value(0.98);
  ASSERT_EQ(Run({"job", "watch", kJob}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("epoch 1/"));
  EXPECT_THAT(out_.str(), HasSubstr("accuracy 0.98"));
  EXPECT_THAT(out_.str(), HasSubstr("trainyard model predict models/m1"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("\x1b")));
}

TEST_F(CliTest, AWatchWithoutStepsAsksForEveryOtherKind) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_SUCCEEDED)}, grpc::Status::OK}};
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"job", "watch", "j1"},
        {"train", "--dataset", kDataset, "--target", "y", "--follow"},
        {"analyze", "landscape", "--model", "m1"}}) {
    jobs_.kinds.clear();
    ASSERT_EQ(Run(command), ExitCode::kOk) << err_.str();
    EXPECT_THAT(jobs_.kinds,
                testing::UnorderedElementsAre(
                    v1::EVENT_KIND_STATE_CHANGE, v1::EVENT_KIND_EPOCH, v1::EVENT_KIND_CHECKPOINT,
                    v1::EVENT_KIND_NOTE, v1::EVENT_KIND_REWIND, v1::EVENT_KIND_TEST,
                    v1::EVENT_KIND_EVALUATION, v1::EVENT_KIND_ANALYSIS_PROGRESS));
  }
}

TEST_F(CliTest, AWatchThatSkipsAnEventIsRefused) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_RUNNING), EpochEvent(3, 0)}, grpc::Status::OK}};
  EXPECT_EQ(Run({"-o", "json", "job", "watch", "j1"}), ExitCode::kInfra);
  EXPECT_THAT(err_.str(), HasSubstr("event 2 was due, but event 3 came"));
}

TEST_F(CliTest, AStreamThatEndsBeforeTheJobIsTakenUpAgainButNotForever) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_RUNNING)}, grpc::Status::OK},
                  {{}, grpc::Status::OK}};
  EXPECT_EQ(Run({"job", "watch", "j1"}), ExitCode::kUnreachable);
  // Both streams and five retries; the second stream brings nothing, so the count goes on.
  EXPECT_EQ(jobs_.start_sequences.size(), 6u);
  EXPECT_THAT(err_.str(), HasSubstr("trainyard job watch trainingJobs/j1"));
}

TEST_F(CliTest, AFailedJobSaysWhoseFault) {
  jobs_.job.set_state(v1::JOB_STATE_FAILED);
  jobs_.job.mutable_error()->set_message("the loss is NaN");
  jobs_.script = {{{Failure(1, v1::FAILURE_CATEGORY_USER)}, grpc::Status::OK}};
  EXPECT_EQ(Run({"job", "watch", "j1"}), ExitCode::kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("the loss is NaN"));
  jobs_.script = {{{Failure(1, v1::FAILURE_CATEGORY_INFRA)}, grpc::Status::OK}};
  EXPECT_EQ(Run({"job", "watch", "j1"}), ExitCode::kInfra);
}

TEST_F(CliTest, InterruptingAWatchSaysHowToGoOn) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_RUNNING)}, grpc::Status::OK}};
  jobs_.hang = true;
  std::thread ctrl_c([this] {
    jobs_.watching.WaitForNotification();
    interrupt_.Raise();
  });
  EXPECT_EQ(Run({"job", "watch", "j1"}), ExitCode::kInterrupted);
  ctrl_c.join();
  EXPECT_THAT(err_.str(),
              HasSubstr("goes on without a watcher; watch it again with: trainyard job watch " +
                        std::string(kJob)));
}

TEST_F(CliTest, ASpecIsTheFileWithTheFlagsOnTop) {
  const std::string spec = File("spec.yaml", "target_column: y\nepochs: 3\nlayers: [{units: 8}]\n");
  ASSERT_EQ(Run({"train", "--dataset", kDataset, "--spec", spec, "--epochs", "9", "--name", "try",
                 "--request-id", "f81d4fae-7dec-41d0-a765-00a0c91e6bf6"}),
            ExitCode::kOk)
      << err_.str();
  const v1::TrainingJob& job = jobs_.created.training_job();
  EXPECT_EQ(job.dataset(), kDataset);
  EXPECT_EQ(job.display_name(), "try");
  EXPECT_EQ(job.spec().target_column(), "y");
  EXPECT_EQ(job.spec().epochs(), 9);
  EXPECT_EQ(job.spec().layers(0).units(), 8);
  EXPECT_EQ(jobs_.created.request_id(), "f81d4fae-7dec-41d0-a765-00a0c91e6bf6");
  EXPECT_THAT(out_.str(), HasSubstr("trainyard job watch trainingJobs/j1"));
}

TEST_F(CliTest, WithoutLayersTheNetworkIsChosenAndTold) {
  const auto layers_of = [this](const char* yaml) {
    EXPECT_EQ(Run({"train", "--dataset", kDataset, "--spec", File("spec.yaml", yaml)}),
              ExitCode::kOk)
        << err_.str();
    return jobs_.created.training_job().spec().layers();
  };
  EXPECT_EQ(layers_of("layers: []\n").size(), 0);
  EXPECT_EQ(layers_of("layers: [{units: 8}]\n")[0].units(), 8);
  EXPECT_THAT(err_.str(), Not(HasSubstr("note: layers")));
  EXPECT_EQ(layers_of("epochs: 3\n")[0].units(), 100);
  EXPECT_THAT(err_.str(), HasSubstr("note: layers: one of 100 units, because"));
}

TEST_F(CliTest, AnAnalysisWithoutAModelHasTheNetworkOfTrain) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_SUCCEEDED)}, grpc::Status::OK}};
  EXPECT_EQ(Run({"analyze", "lr-finder", "--dataset", kDataset, "--validate-only"}), ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(analyses_.created.spec().layers(0).units(), 100);
  EXPECT_EQ(Run({"analyze", "hessian", "--model", "m1", "--threads", "2", "--validate-only"}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(analyses_.created.spec().layers_size(), 0);
}

TEST_F(CliTest, ALocalTableIsUploadedFirst) {
  ASSERT_EQ(Run({"train", "--dataset", File("local.csv", "a,y\n1,2\n"), "--target", "y"}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(datasets_.bytes, "a,y\n1,2\n");
  EXPECT_EQ(jobs_.created.training_job().dataset(), kDataset);
}

TEST_F(CliTest, ABadSpecFileSendsNothing) {
  const std::string spec = File("bad.yaml", "target_column: y\nepochz: 3\n");
  EXPECT_EQ(Run({"train", "--dataset", File("local.csv", "a,y\n1,2\n"), "--spec", spec}),
            ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("line 2, column 1"));
  EXPECT_EQ(datasets_.streams, 0);
}

TEST_F(CliTest, ARefusedSpecListsEveryField) {
  jobs_.create_error =
      MakeViolationsError(ErrorReason::kInvalidSpec,
                          {{"spec.epochs", "0 is below 1"}, {"spec.target_column", "unknown"}});
  EXPECT_EQ(Run({"-o", "json", "train", "--dataset", kDataset, "--target", "z"}),
            ExitCode::kRefused);
  EXPECT_THAT(err_.str(),
              HasSubstr("  spec.epochs: 0 is below 1\n  spec.target_column: unknown\n"));
  EXPECT_THAT(out_.str(), HasSubstr("{\"error\":{\"code\":3,"));
}

TEST_F(CliTest, ListsAreFetchedInPagesUpToTheLimit) {
  ASSERT_EQ(Run({"job", "list", "--limit", "3"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("trainingJobs/3"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("trainingJobs/4")));
}

TEST_F(CliTest, UnknownNamesAreRefusedWithTheRemedy) {
  EXPECT_EQ(Run({"job", "get", "nope"}), ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("trainingJobs/nope is unknown (NOT_FOUND)"));
  EXPECT_THAT(err_.str(), HasSubstr("how to go on: trainyard job list"));
}

TEST_F(CliTest, ATableIsPredictedAsItStreams) {
  const std::string bytes = Bytes((6 << 20) + 11);
  const std::string target = testing::TempDir() + "/predictions.csv";
  ASSERT_EQ(Run({"model", "predict", "m1", File("table.csv", bytes), "-f", target}), ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(models_.name, "models/m1");
  EXPECT_EQ(ReadFile(target), bytes);
  ASSERT_EQ(Run({"model", "predict", "m1", File("small.csv", "a\n1\n")}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "a\n1\n");
}

TEST_F(CliTest, ACompressedTableIsPredictedAsItsText) {
  // What `gzip` and `zstd` make of "a\n1\n".
  const std::string gzip(
      "\x1f\x8b\x08\0\0\0\0\0\x02\x03\x4b\xe4\x32\xe4\x02\0\0\x24\xc1\x89\x04\0\0\0", 24);
  const std::string zstd("\x28\xb5\x2f\xfd\x04\x58\x21\0\0\x61\x0a\x31\x0a\x75\x1c\xc3\x01", 17);
  for (const std::string& bytes : {gzip, zstd}) {
    out_.str("");
    ASSERT_EQ(Run({"model", "predict", "m1", File("small.csv", bytes)}), ExitCode::kOk)
        << err_.str();
    EXPECT_EQ(out_.str(), "a\n1\n");
  }
  EXPECT_EQ(Run({"model", "predict", "m1", File("cut.csv.gz", gzip.substr(0, 20))}),
            ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("/cut.csv.gz: "));
}

TEST_F(CliTest, ColumnsThatAModelDoesNotUseAreTold) {
  models_.model.add_feature_columns("a");
  const std::string table = File("wide.csv", "# of today\n\"id, old\";y;a\n7;2,5;1\n8;3,5;2\n");
  ASSERT_EQ(Run({"model", "predict", "m1", table}), ExitCode::kOk) << err_.str();
  EXPECT_EQ(err_.str(), "ignored 2 columns that the model does not use: id, old, y\n");
  EXPECT_EQ(out_.str(), ReadFile(table));  // all of it is sent all the same
  err_.str("");
  ASSERT_EQ(Run({"model", "predict", "m1", File("exact.csv", "a\n1\n")}), ExitCode::kOk);
  ASSERT_EQ(Run({"model", "predict", "m1", File("numbers.csv", "1,2\n3,4\n")}), ExitCode::kOk);
  ASSERT_EQ(Run({"model", "predict", "m1", File("words.csv", "x,y\n3,4\n"), "--no-header"}),
            ExitCode::kOk);
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CliTest, OnlyTextIsPredicted) {
  EXPECT_EQ(Run({"model", "predict", "m1", File("x.npy", "\x93NUMPY\x01\x00")}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("/x.npy: is npy, not CSV"));
  EXPECT_EQ(models_.name, "");
}

TEST_F(CliTest, AFailedPredictionLeavesNoFile) {
  models_.predict_error = MakeError(absl::StatusCode::kInvalidArgument, "line 3: bad",
                                    {.reason = ErrorReason::kDatasetRejected});
  const std::string target = testing::TempDir() + "/none.csv";
  EXPECT_EQ(Run({"model", "predict", "m1", File("table.csv", "a\n1\n"), "-f", target}),
            ExitCode::kRefused);
  EXPECT_FALSE(std::ifstream(target).good());
}

TEST_F(CliTest, AnExportIsCompleteOrNotThere) {
  const std::string target = testing::TempDir() + "/model.onnx";
  ASSERT_EQ(Run({"model", "export", "m1", "--format", "onnx", "-f", target}), ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(ReadFile(target), "ababab");
  EXPECT_EQ(models_.format, v1::MODEL_FORMAT_ONNX);
  models_.chunks = 2;
  EXPECT_EQ(Run({"model", "export", "m1", "-f", target}), ExitCode::kInfra);
  EXPECT_EQ(ReadFile(target), "ababab");  // as it was
}

TEST_F(CliTest, AnOnnxExportSaysHowFarItIsFromTheServer) {
  const std::string target = testing::TempDir() + "/checked.onnx";
  ASSERT_EQ(Run({"model", "export", "m1", "--format", "onnx", "-f", target, "--verify", "d1",
                 "--tolerance", "1e-6"}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(models_.exported.verify_dataset(), kDataset);
  EXPECT_EQ(models_.exported.tolerance(), 1e-6);
  EXPECT_THAT(err_.str(), HasSubstr("differs from the server's predictions by at most 3.125e-07 on "
                                    "569 rows"));
  EXPECT_EQ(Run({"model", "export", "m1", "-f", target, "--verify", "d1"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"model", "export", "m1", "--format", "onnx", "-f", target, "--tolerance", "-1"}),
            ExitCode::kUsage);
}

TEST_F(CliTest, AModelIsImportedFromItsFile) {
  const std::string bytes = Bytes((2 << 20) + 3);
  ASSERT_EQ(Run({"model", "import", File("mine.bundle", bytes), "--request-id", "id"}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(models_.imported, bytes);
  EXPECT_EQ(models_.import_options.display_name(), "mine.bundle");
  EXPECT_EQ(models_.import_options.request_id(), "id");
  EXPECT_THAT(out_.str(), HasSubstr("models/m9\n"));
  models_.import_error = MakeError(absl::StatusCode::kInvalidArgument, "no bundle",
                                   {.reason = ErrorReason::kInvalidRequest});
  EXPECT_EQ(Run({"model", "import", File("mine.bundle", "x")}), ExitCode::kRefused);
  EXPECT_EQ(Run({"model", "import", "/no/such.bundle"}), ExitCode::kUsage);
}

TEST_F(CliTest, RowsOfNumbersAreSentAsNumbers) {
  models_.model.add_features()->set_encoding(v1::ENCODING_NUMBER);
  ASSERT_EQ(Run({"model", "predict", "m1", "--row", "1, 2.5", "--row", "-3,4"}), ExitCode::kOk)
      << err_.str();
  ASSERT_EQ(models_.predicted.rows_size(), 2);
  EXPECT_THAT(models_.predicted.rows(0).values(), ElementsAre(1, 2.5));
  EXPECT_THAT(models_.predicted.rows(1).values(), ElementsAre(-3, 4));
  EXPECT_EQ(models_.predicted.rows(0).cells_size(), 0);
  EXPECT_EQ(Run({"model", "predict", "m1", "--row", "1,red"}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--row 1: value 2: expected a number, found \"red\""));
}

TEST_F(CliTest, RowsOfCategoriesOrWithGapsAreSentAsCells) {
  models_.model.add_features()->set_encoding(v1::ENCODING_NUMBER);
  ASSERT_EQ(Run({"model", "predict", "m1", "--row", "1,,3"}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(models_.predicted.rows(0).cells(), ElementsAre("1", "", "3"));
  EXPECT_EQ(models_.predicted.rows(0).values_size(), 0);
  models_.model.add_features()->set_encoding(v1::ENCODING_ONE_HOT);
  ASSERT_EQ(Run({"model", "predict", "m1", "--row", "1, \"a, \"\"b\"\"\" ", "--row",
                 "2,\"a, \"\"b\"\"\""}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_THAT(models_.predicted.rows(1).cells(), ElementsAre("2", "a, \"b\""));
}

TEST_F(CliTest, AModelSaysWhatItDoesToEachFeature) {
  v1::Model& model = models_.model;
  v1::ModelFeature* const age = model.add_features();
  age->set_column("age");
  age->set_encoding(v1::ENCODING_NUMBER);
  age->set_width(2);
  age->set_offset(38.5);
  age->set_scale(0.1);
  age->set_fill_value(37);
  age->set_missing_indicator(true);
  v1::ModelFeature* const work = model.add_features();
  work->set_column("work");
  work->set_encoding(v1::ENCODING_ONE_HOT);
  work->set_width(3);
  work->set_unseen(v1::UNSEEN_CATEGORY_OTHER);
  work->set_category_count(2);
  work->add_categories("private");
  work->add_categories("state");
  for (const char* command : {"show", "get"}) {
    ASSERT_EQ(Run({"model", command, "m1"}), ExitCode::kOk) << err_.str();
  }
  EXPECT_THAT(
      out_.str(),
      HasSubstr(
          "features:\n"
          "COLUMN  ENCODING  INPUTS  OFFSET  SCALE  MISSING        UNSEEN  CATEGORIES\n"
          "age     number         2    38.5    0.1  37 +indicator\n"
          "work    one_hot        3                                other   2: private|state\n"));
}

TEST_F(CliTest, AServerThatIsNotThereIsTold) {
  server_->Shutdown();
  EXPECT_EQ(Run({"job", "get", "j1"}), ExitCode::kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr(absl::StrCat("cannot reach the server at 127.0.0.1:", port_)));
}

TEST_F(CliTest, OnATerminalTheBarIsRedrawnInPlaceAndGoneAtTheEnd) {
  jobs_.job.mutable_progress()->set_epochs_total(2);
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_RUNNING), EpochEvent(2, 0),
                    StateEvent(3, v1::JOB_STATE_SUCCEEDED)},
                   grpc::Status::OK}};
  const Streams terminal{out_, err_, true, true, [] { return size_t{60}; }};
  ASSERT_EQ(RunCli({absl::StrCat("--server=127.0.0.1:", port_), "job", "watch", "j1"}, terminal,
                   &interrupt_, {}),
            ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("\r\x1b[Kepoch 0/2 ["));
  const std::string last = out_.str().substr(out_.str().rfind("\x1b[K"));
  EXPECT_THAT(last, HasSubstr("SUCCEEDED"));
}

TEST_F(CliTest, AnAnalysisIsWatchedAndShown) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_SUCCEEDED)}, grpc::Status::OK}};
  const std::string json = testing::TempDir() + "/numbers.json";
  const std::string plot = testing::TempDir() + "/landscape.svg";
  ASSERT_EQ(Run({"analyze", "landscape", "--dataset", "datasets/d1", "--target", "y", "--hidden",
                 "4", "--resolution", "3", "--range", "0.5", "--part", "validation", "--json", json,
                 "--plot", plot, "--surface"}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(analyses_.created.dataset(), kDataset);
  EXPECT_EQ(analyses_.created.spec().target_column(), "y");
  EXPECT_EQ(analyses_.created.spec().layers(0).units(), 4);
  EXPECT_EQ(analyses_.created.analysis().part(), v1::DATASET_PART_VALIDATION);
  EXPECT_EQ(analyses_.created.analysis().loss_landscape().resolution(), 3);
  EXPECT_EQ(analyses_.created.analysis().loss_landscape().range(), 0.5);
  EXPECT_THAT(out_.str(), HasSubstr("loss over two random directions"));
  EXPECT_THAT(ReadFile(json), HasSubstr("\"centre\": 4"));
  EXPECT_THAT(ReadFile(plot), testing::StartsWith("<?xml"));
}

TEST_F(CliTest, AnAnalysisOfAModelNeedsNoSpec) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_SUCCEEDED)}, grpc::Status::OK}};
  ASSERT_EQ(Run({"analyze", "line", "--model", "m1", "--other-model", "m2", "--json", "-"}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_FALSE(analyses_.created.has_spec());
  EXPECT_EQ(analyses_.created.analysis().model(), "models/m1");
  EXPECT_EQ(analyses_.created.analysis().loss_line().other_model(), "models/m2");
  EXPECT_THAT(out_.str(), testing::StartsWith("{"));
  ASSERT_EQ(Run({"analyze", "show", "j1"}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("loss there 4"));
}

TEST_F(CliTest, FaultsOfAnAnalysisAreFoundBeforeItIsQueued) {
  EXPECT_EQ(Run({"analyze", "hessian"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"analyze", "hessian", "--model", "m1", "--plot", "x.svg"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"analyze", "landscape", "--model", "m1", "--plot", "x.gif"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"analyze", "landscape", "--model", "m1", "--surface"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"analyze", "landscape", "--model", "m1", "--range", "far"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"analyze", "landscape", "--model", "m1", "--detach", "--plot", "x.svg"}),
            ExitCode::kUsage);
  EXPECT_EQ(Run({"analyze", "landscape", "--model", "m1", "--plot", "/no/such/folder/x.svg"}),
            ExitCode::kUsage);
  EXPECT_EQ(Run({"analyze", "landscape", "--model", "m1", "--json", "/no/such/folder/x.json"}),
            ExitCode::kUsage);
  EXPECT_EQ(Run({"analyze", "show", "j1", "--surface"}), ExitCode::kUsage);
  EXPECT_FALSE(analyses_.created.has_analysis());
}

TEST_F(CliTest, WithoutGnuplotNothingIsQueued) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/no/such/folder", 1);
  EXPECT_EQ(Run({"analyze", "landscape", "--model", "m1", "--plot",
                 testing::TempDir() + "/landscape.svg"}),
            ExitCode::kUsage);
  setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(err_.str(), HasSubstr("cannot start gnuplot"));
  EXPECT_FALSE(analyses_.created.has_analysis());
}

TEST_F(CliTest, APictureThatCannotBeDrawnIsNoFaultOfTheAnalysis) {
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_SUCCEEDED)}, grpc::Status::OK}};
  analyses_.diverged = true;
  EXPECT_EQ(Run({"analyze", "landscape", "--model", "m1", "--plot",
                 testing::TempDir() + "/diverged.svg"}),
            ExitCode::kUnwritten);
  EXPECT_THAT(out_.str(), HasSubstr("no finite value\n"));
  EXPECT_THAT(err_.str(), HasSubstr("no finite value to draw"));
  EXPECT_THAT(err_.str(), HasSubstr("trainingJobs/j1 succeeded and keeps its result; see it again "
                                    "with: trainyard analyze show trainingJobs/j1"));
}

TEST_F(CliTest, AnAnalysisCanBeCheckedOnly) {
  ASSERT_EQ(
      Run({"analyze", "hessian", "--model", "m1", "--validate-only", "--direction-seed", "3"}),
      ExitCode::kOk)
      << err_.str();
  EXPECT_TRUE(analyses_.created.validate_only());
  EXPECT_EQ(analyses_.created.analysis().hessian().seed(), 3u);
  EXPECT_THAT(out_.str(),
              HasSubstr("nothing was queued\n  analysis  hessian of models/m1, seed 3"));
  EXPECT_TRUE(jobs_.start_sequences.empty());
}

TEST_F(CliTest, AJobShowsEverythingThatWasResolved) {
  v1::TrainingSpec& spec = *jobs_.job.mutable_resolved_spec();
  spec.set_init(v1::INIT_NORMAL);
  spec.mutable_init_options()->set_scale(0.5);
  spec.set_output_bias(false);
  spec.mutable_optimizer()->set_kind(v1::OptimizerSpec::MUON);
  spec.mutable_optimizer()->set_nesterov(false);
  spec.mutable_early_stopping()->set_restore_best(false);
  spec.add_initial_weights();
  spec.add_initial_weights();
  spec.set_evaluation_interval(10);
  spec.set_max_memory_bytes(64 << 20);
  spec.set_step_event_interval(4);
  v1::AnalysisSpec& analysis = *jobs_.job.mutable_analysis();
  analysis.set_model("models/m1");
  analysis.set_part(v1::DATASET_PART_TEST);
  analysis.set_rows_max(500);
  analysis.mutable_loss_landscape()->set_resolution(51);
  analysis.mutable_loss_landscape()->set_seed(7);
  ASSERT_EQ(Run({"job", "get", "j1"}), ExitCode::kOk) << err_.str();
  for (const char* line :
       {"  analysis    loss_landscape of models/m1, part test, rows max 500, resolution 51, seed "
        "7\n",
        "  init            normal, scale 0.5\n", "  output bias     none\n",
        "  starts from     weights given for 2 layers\n", "  evaluation      every 10 steps\n",
        "  max memory      64.0 MiB\n", "  optimizer       muon, no nesterov\n",
        "  early stopping  no restore best\n", "  step events     every 4 steps\n"}) {
    EXPECT_THAT(out_.str(), HasSubstr(line));
  }
}

TEST_F(CliTest, AJobShowsWhatIsDoneToItsData) {
  v1::TrainingSpec& spec = *jobs_.job.mutable_resolved_spec();
  spec.mutable_split()->set_fold_count(5);
  spec.mutable_split()->set_test_fraction(0.1);
  spec.mutable_split()->set_group_column("patient");
  spec.mutable_feature_defaults()->set_imputation(v1::IMPUTATION_MEDIAN);
  v1::FeatureSpec* const grade = spec.add_feature_options();
  grade->set_column("grade");
  grade->set_encoding(v1::ENCODING_ORDINAL);
  grade->add_categories("low");
  grade->add_categories("high");
  spec.add_feature_options()->set_column("age");
  spec.mutable_feature_options(1)->set_missing_indicator(true);
  spec.set_target_scaling(v1::TARGET_SCALING_STANDARDIZE);
  spec.set_test_dataset("datasets/t");
  ASSERT_EQ(Run({"job", "show", "j1"}), ExitCode::kOk) << err_.str();
  for (const char* line : {"  split           5 folds, test 0.1, groups of \"patient\"\n",
                           "  test rows of    datasets/t\n", "  target scaling  standardize\n",
                           "  each feature    imputation median\n",
                           "  features with   grade: encoding ordinal, categories low|high; age: "
                           "missing indicator\n"}) {
    EXPECT_THAT(out_.str(), HasSubstr(line));
  }
}

TEST_F(CliTest, AFailedAnalysisSaysWhyAndExitsAsAJob) {
  jobs_.script = {{{Failure(1, v1::FAILURE_CATEGORY_USER)}, grpc::Status::OK}};
  jobs_.job.set_state(v1::JOB_STATE_FAILED);
  jobs_.job.mutable_error()->set_category(v1::FAILURE_CATEGORY_USER);
  jobs_.job.mutable_error()->set_message("the loss is not finite");
  EXPECT_EQ(Run({"analyze", "collapse", "--model", "m1"}), ExitCode::kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("the loss is not finite"));
}

TEST_F(CliTest, HiddenOutputsAreAskedForByLayer) {
  const std::string table = File("rows.csv", "a\n1\n");
  ASSERT_EQ(Run({"model", "predict", "m1", table, "--hidden-layer", "2"}), ExitCode::kOk);
  EXPECT_EQ(models_.hidden_layer, 2);
  EXPECT_EQ(Run({"model", "predict", "m1", "--row", "1", "--hidden-layer", "2"}), ExitCode::kUsage);
}

TEST_F(CliTest, FoldsStandWithTheirMeanAndSpread) {
  for (const int fold : {0, 1}) {
    v1::SeedResult* const result = jobs_.job.add_seed_results();
    result->set_fold(fold);
    result->set_steps_done(100);
    result->set_stop_reason(v1::STOP_REASON_COMPLETED);
  }
  v1::MetricSpread* const loss = jobs_.job.add_metric_spreads();
  loss->set_name("validation_loss");
  loss->set_mean(0.123456);
  loss->set_standard_deviation(0.01);
  loss->set_count(2);
  v1::MetricSpread* const auc = jobs_.job.add_metric_spreads();
  auc->set_name("validation_roc_auc");
  auc->set_mean(0.9);
  auc->set_standard_deviation(0.0125);
  auc->set_count(1);
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_SUCCEEDED)}, grpc::Status::OK}};
  ASSERT_EQ(Run({"job", "watch", "j1"}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("folds:\nFOLD  STEPS  STOPPED    VALIDATION  TEST\n"
                                    "   1    100  completed\n   2    100  completed\n"));
  EXPECT_THAT(out_.str(), HasSubstr("mean and standard deviation over the folds:\n"
                                    "METRIC                MEAN     SPREAD\n"
                                    "validation_loss     0.1235  ±  0.01\n"
                                    "validation_roc_auc     0.9  ±  0.0125  of 1 folds\n"));
}

TEST_F(CliTest, ConfusionAndSeedsStandWithTheOutcome) {
  v1::ConfusionMatrix* confusion = jobs_.job.mutable_test_confusion();
  for (const char* name : {"no", "yes"}) confusion->add_classes(name);
  for (const double count : {50, 3, 1, 46}) confusion->add_counts(count);
  for (const int seed : {7, 8}) {
    v1::SeedResult* result = jobs_.job.add_seed_results();
    result->set_seed(seed);
    result->set_steps_done(100);
    result->set_stop_reason(v1::STOP_REASON_EARLY_STOPPED);
  }
  jobs_.script = {{{StateEvent(1, v1::JOB_STATE_SUCCEEDED)}, grpc::Status::OK}};
  ASSERT_EQ(Run({"job", "watch", "j1"}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("ACTUAL \\ PREDICTED  no  yes\n"
                                    "no                  50    3\n"
                                    "yes                  1   46\n"));
  EXPECT_THAT(out_.str(), HasSubstr("   8    100  early_stopped"));
}

}  // namespace
}  // namespace trainyard

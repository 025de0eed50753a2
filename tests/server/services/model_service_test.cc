// Prediction, evaluation and export of a model that a real worker trained.
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/model/bundle.h"
#include "core/model/predictor.h"
#include "server/base/ids.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

using Stub = v1::ModelService::Stub;

class ModelServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    dataset_ = server_.Upload(ReadTestData("iris.csv"));
    const v1::TrainingJob job = server_.Wait(server_.Submit(dataset_, "species").name());
    ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.ShortDebugString();
    // Not by GetModel, which loads the bundle: tests damage it before anybody has.
    ASSERT_OK_AND_ASSIGN(const auto list, CallWith(server_.models(), &Stub::ListModels, {}));
    ASSERT_EQ(list.models_size(), 1);
    model_ = list.models(0);
    ASSERT_EQ(model_.name(), job.model());
  }

  absl::StatusOr<std::string> Export(const std::string& name, v1::ModelFormat format) {
    v1::ExportModelRequest request;
    request.set_name(name);
    request.set_format(format);
    grpc::ClientContext context;
    const auto reader = server_.models().ExportModel(&context, request);
    v1::ExportModelResponse response;
    std::string bytes;
    int64_t total = 0;
    while (reader->Read(&response)) {
      bytes += response.data();
      total = response.total_size_bytes();
    }
    const absl::Status status = FromGrpcStatus(reader->Finish());
    if (!status.ok()) return status;
    EXPECT_EQ(total, static_cast<int64_t>(bytes.size()));
    return bytes;
  }

  // Streams `csv` in pieces of `piece` bytes.
  absl::StatusOr<std::string> PredictTable(const std::string& csv, size_t piece,
                                           int64_t* rows = nullptr) {
    grpc::ClientContext context;
    const auto stream = server_.models().PredictTable(&context);
    v1::PredictTableRequest request;
    request.mutable_options()->set_name(model_.name());
    std::thread writer([&] {
      bool open = stream->Write(request);
      request.clear_options();
      for (size_t at = 0; open && at < csv.size(); at += piece) {
        request.set_data(csv.substr(at, piece));
        open = stream->Write(request);
      }
      stream->WritesDone();
    });
    std::string out;
    v1::PredictTableResponse response;
    while (stream->Read(&response)) {
      out += response.data();
      if (rows != nullptr) *rows += response.row_count();
    }
    writer.join();
    const absl::Status status = FromGrpcStatus(stream->Finish());
    if (!status.ok()) return status;
    return out;
  }

  TestServer server_{{.workers = 1}};
  std::string dataset_;
  v1::Model model_;
};

TEST_F(ModelServiceTest, PredictionsAreThoseOfTheBundle) {
  ASSERT_OK_AND_ASSIGN(const std::string bytes, server_.server().models()->LoadBundle(model_));
  ASSERT_OK_AND_ASSIGN(Bundle bundle, DecodeBundle(bytes));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Predictor> predictor,
                       Predictor::Create(std::move(bundle)));
  const std::vector<double> values = {5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6.0, 2.5};
  ASSERT_OK_AND_ASSIGN(const std::vector<Prediction> expected, predictor->Predict(values));

  v1::PredictRequest request;
  request.set_name(model_.name());
  for (int row = 0; row < 2; ++row) {
    request.add_rows()->mutable_values()->Add(values.begin() + 4 * row,
                                              values.begin() + 4 * row + 4);
  }
  ASSERT_OK_AND_ASSIGN(const v1::PredictResponse response,
                       CallWith(server_.models(), &Stub::Predict, request));
  ASSERT_EQ(response.predictions_size(), 2);
  for (int row = 0; row < 2; ++row) {
    const v1::Prediction& prediction = response.predictions(row);
    const Prediction& want = expected[static_cast<size_t>(row)];
    EXPECT_EQ(prediction.label(), model_.classes(want.class_index));
    EXPECT_EQ(
        std::vector<double>(prediction.probabilities().begin(), prediction.probabilities().end()),
        want.probabilities);
  }
}

TEST_F(ModelServiceTest, FaultyRowsAreAllNamed) {
  v1::PredictRequest request;
  request.set_name(model_.name());
  EXPECT_THAT(CallWith(server_.models(), &Stub::Predict, request),
              HasReason(ErrorReason::kInvalidRequest));
  request.add_rows()->add_values(1);
  for (int i = 0; i < 4; ++i) request.mutable_rows()->rbegin()->add_values(1);
  request.add_rows();
  const auto response = CallWith(server_.models(), &Stub::Predict, request);
  EXPECT_THAT(response, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(GetErrorInfo(response.status())->violations.size(), 2u);
  request.clear_rows();
  auto& values = *request.add_rows()->mutable_values();
  values.Add(1);
  values.Add(2);
  values.Add(std::numeric_limits<double>::quiet_NaN());
  values.Add(4);
  EXPECT_THAT(CallWith(server_.models(), &Stub::Predict, request),
              HasReason(ErrorReason::kInvalidRequest));
  request.set_name("models/nowhere");
  EXPECT_THAT(CallWith(server_.models(), &Stub::Predict, request),
              HasReason(ErrorReason::kNotFound));
}

TEST_F(ModelServiceTest, ATableIsPredictedTheSameInAnyPieces) {
  const std::string csv = ReadTestData("iris.csv");
  int64_t rows = 0;
  ASSERT_OK_AND_ASSIGN(const std::string whole, PredictTable(csv, csv.size(), &rows));
  EXPECT_EQ(rows, 150);
  const std::vector<std::string> lines = absl::StrSplit(whole, '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), 151u);
  EXPECT_EQ(lines[0].substr(0, 23), "prediction,probability_");
  EXPECT_EQ(*PredictTable(csv, 7), whole);
  EXPECT_EQ(*PredictTable(csv, 1000), whole);
}

TEST_F(ModelServiceTest, ABadTableEndsTheCallWithItsPlace) {
  EXPECT_THAT(
      PredictTable("sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n1,2,x,4\n", 10),
      StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("line 3")));
  EXPECT_THAT(PredictTable("sepal_length,sepal_width\n1,2\n", 100),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(ModelServiceTest, ATableWithoutOptionsIsRefused) {
  grpc::ClientContext context;
  const auto stream = server_.models().PredictTable(&context);
  v1::PredictTableRequest request;
  request.set_data("1,2,3,4\n");
  stream->Write(request);
  stream->WritesDone();
  EXPECT_THAT(FromGrpcStatus(stream->Finish()), HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(ModelServiceTest, EvaluationMeasuresAllRows) {
  v1::EvaluateModelRequest request;
  request.set_name(model_.name());
  request.set_dataset(dataset_);
  ASSERT_OK_AND_ASSIGN(const auto response,
                       CallWith(server_.models(), &Stub::EvaluateModel, request));
  EXPECT_EQ(response.row_count(), 150);
  EXPECT_EQ(response.metrics(0).name(), "loss");
  request.set_dataset(server_.NewUpload());
  EXPECT_THAT(CallWith(server_.models(), &Stub::EvaluateModel, request),
              HasReason(ErrorReason::kInvalidState));
  request.set_dataset(server_.Upload("a,y\n1,no\n2,yes\n"));
  EXPECT_THAT(CallWith(server_.models(), &Stub::EvaluateModel, request),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(ModelServiceTest, GetSaysTheFeaturesAndAllThatTheListSays) {
  v1::GetModelRequest request;
  request.set_name(model_.name());
  ASSERT_OK_AND_ASSIGN(v1::Model model, CallWith(server_.models(), &Stub::GetModel, request));
  ASSERT_EQ(model.features_size(), 4);
  EXPECT_EQ(model.features(3).column(), "petal_width");
  model.clear_features();
  EXPECT_EQ(model.SerializeAsString(), model_.SerializeAsString());
  request.set_name("models/nowhere");
  EXPECT_THAT(CallWith(server_.models(), &Stub::GetModel, request),
              HasReason(ErrorReason::kNotFound));
}

TEST_F(ModelServiceTest, ExportsAreTheBundleAndItsOtherForms) {
  ASSERT_OK_AND_ASSIGN(const std::string native,
                       Export(model_.name(), v1::MODEL_FORMAT_UNSPECIFIED));
  EXPECT_EQ(Sha256Digest(native), model_.digest());
  EXPECT_EQ(static_cast<int64_t>(native.size()), model_.size_bytes());
  ASSERT_OK_AND_ASSIGN(const std::string json, Export(model_.name(), v1::MODEL_FORMAT_JSON));
  EXPECT_EQ(json.front(), '{');
  ASSERT_OK_AND_ASSIGN(const std::string onnx, Export(model_.name(), v1::MODEL_FORMAT_ONNX));
  EXPECT_THAT(onnx, testing::HasSubstr("features"));
  EXPECT_THAT(Export(model_.name(), static_cast<v1::ModelFormat>(9)),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(Export("models/nowhere", v1::MODEL_FORMAT_NATIVE), HasReason(ErrorReason::kNotFound));
}

TEST_F(ModelServiceTest, ADamagedBundleIsDataLossAndTheServerGoesOn) {
  ASSERT_OK_AND_ASSIGN(const std::string path, server_.server().blobs()->Path(model_.digest()));
  std::filesystem::permissions(path, std::filesystem::perms::owner_write,
                               std::filesystem::perm_options::add);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(40).put('\x7f');
  EXPECT_THAT(Export(model_.name(), v1::MODEL_FORMAT_NATIVE), HasReason(ErrorReason::kDataLoss));
  v1::PredictRequest request;
  request.set_name(model_.name());
  request.add_rows();
  EXPECT_THAT(CallWith(server_.models(), &Stub::Predict, request),
              HasReason(ErrorReason::kDataLoss));
  EXPECT_THAT(CallWith(server_.models(), &Stub::ListModels, {}), IsOk());
}

TEST_F(ModelServiceTest, ADeletedModelIsGoneAndItsJobStays) {
  v1::DeleteModelRequest request;
  request.set_name(model_.name());
  EXPECT_THAT(CallWith(server_.models(), &Stub::DeleteModel, request), IsOk());
  EXPECT_THAT(CallWith(server_.models(), &Stub::DeleteModel, request),
              HasReason(ErrorReason::kNotFound));
  v1::GetTrainingJobRequest get;
  get.set_name(model_.training_job());
  EXPECT_THAT(CallWith(server_.jobs(), &v1::JobService::Stub::GetTrainingJob, get), IsOk());
}

}  // namespace
}  // namespace trainyard

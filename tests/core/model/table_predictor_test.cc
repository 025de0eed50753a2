#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/base/rng.h"
#include "core/data/number.h"
#include "core/model/predictor.h"
#include "core/base/status_macros.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Everything that `table` gives before it wants more bytes.
absl::Status TakeAll(TablePredictor& table, std::string* out) {
  while (true) {
    TY_ASSIGN_OR_RETURN(const std::string piece, table.Take());
    if (piece.empty()) return absl::OkStatus();
    *out += piece;
  }
}

// The whole answer for `csv` sent in chunks of `chunk` bytes, and the error at the end.
std::pair<std::string, absl::Status> Answer(TablePredictor& table, absl::string_view csv,
                                            size_t chunk = 1000) {
  std::string out;
  for (size_t i = 0; i < csv.size(); i += chunk) {
    table.Append(csv.substr(i, chunk));
    const absl::Status status = TakeAll(table, &out);
    if (!status.ok()) return {out, status};
  }
  table.Finish();
  const absl::Status status = TakeAll(table, &out);
  return {out, status};
}

class TablePredictorTest : public testing::Test {
 protected:
  TablePredictorTest() {
    Bundle bundle = SmallBundle();
    bundle.classes = {"no", "yes, \"sure\""};
    predictor_ = *Predictor::Create(bundle);
  }

  // The whole answer for `csv` sent in chunks of `chunk` bytes, and the error at the end.
  std::pair<std::string, absl::Status> Run(const std::string& csv, size_t chunk,
                                           const CsvOptions& options = {}) {
    TablePredictor table(*predictor_, options);
    return Answer(table, csv, chunk);
  }

  std::unique_ptr<Predictor> predictor_;
};

TEST_F(TablePredictorTest, ColumnsAreFoundByNameAndOthersIgnored) {
  const auto [out, status] = Run("weight,note,size\n3,hello,1\n5,,2\n", 1000);
  ASSERT_THAT(status, IsOk());
  const std::vector<std::string> lines = absl::StrSplit(out, '\n');
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "prediction,probability_no,\"probability_yes, \"\"sure\"\"\"");
  const double rows[] = {1, 3, 2, 5};
  ASSERT_OK_AND_ASSIGN(const auto expected, predictor_->Predict(rows));
  for (size_t r = 0; r < 2; ++r) {
    const std::string end = absl::StrCat(NumberText(expected[r].probabilities[0]), ",",
                                         NumberText(expected[r].probabilities[1]));
    EXPECT_THAT(lines[r + 1], testing::EndsWith(end));
    EXPECT_THAT(lines[r + 1],
                StartsWith(expected[r].class_index == 0 ? "no," : "\"yes, \"\"sure\"\"\","));
  }
}

TEST_F(TablePredictorTest, WithoutHeaderFieldsAreTheFeaturesInOrder) {
  const auto [by_position, status] = Run("1,3\n2,5\n", 1000);
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(by_position, Run("weight,size\n3,1\n5,2\n", 1000).first);
  EXPECT_THAT(Run("1,2,3\n", 1000).second,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 features")));
}

TEST_F(TablePredictorTest, AnyChunkingGivesTheSameAnswer) {
  std::string csv = "size,weight\r\n";
  Rng rng(1, RngStream::kAnalysis);
  for (int i = 0; i < 700; ++i) absl::StrAppend(&csv, rng.Normal(), ",\"", rng.Normal(), "\"\r\n");
  const std::string whole = Run(csv, csv.size()).first;
  for (const size_t chunk : {1, 7, 1000, 9999}) EXPECT_EQ(Run(csv, chunk).first, whole) << chunk;
  EXPECT_EQ(Run(csv.substr(0, csv.size() - 2), 5000).first, whole);
}

TEST_F(TablePredictorTest, RowsBeforeABadCellAreAnswered) {
  for (const size_t chunk : {1, 10, 1000}) {
    const auto [out, status] = Run("size,weight\n1,2\n3,4\n5,x\n6,7\n", chunk);
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3) << chunk;
    EXPECT_THAT(status,
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("line 4, column \"weight\": expected a number, found \"x\"")));
    EXPECT_THAT(status, HasReason(ErrorReason::kDatasetRejected));
  }
}

TEST_F(TablePredictorTest, AValueBeyondFloatIsABadCellOfItsLine) {
  const auto [out, status] = Run("size,weight\n1,2\n3,4\n1e300,5\n6,7\n", 1000);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("line 4, column \"size\": expected a number within the "
                                         "range of float32 after scaling, found \"1e300\"")));
  EXPECT_THAT(status, HasReason(ErrorReason::kDatasetRejected));
}

TEST_F(TablePredictorTest, FaultsOfTheFileAreErrors) {
  EXPECT_THAT(Run("a,b\n1,2\n", 100).second, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(Run("a,b\n1,2\n", 100).second.message(), HasSubstr("\"size\""));
  EXPECT_THAT(Run("a,b\n1,2\n", 100).second.message(), HasSubstr("\"weight\""));
  EXPECT_THAT(Run("", 100).second, HasReason(ErrorReason::kDatasetRejected));
  EXPECT_THAT(Run("size,weight\n1\n", 100).second.message(),
              HasSubstr("line 2: expected 2 fields, found 1 field"));
  EXPECT_THAT(Run("size,weight\n1,\n", 100).second.message(), HasSubstr("found \"\""));
  EXPECT_THAT(Run("size,weight\n1,\"2\n", 100).second.message(), HasSubstr("quote left open"));
  EXPECT_THAT(Run("size,weight\n", 100, {.delimiter = 'x'}).second,
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(TablePredictorTest, OnlyAHeaderIsAnAnswerWithoutRows) {
  const auto [out, status] = Run("size,weight\n", 100);
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
}

TEST(TablePredictorRegressionTest, ValuesPrintAsShortestFloats) {
  const auto predictor =
      *Predictor::Create(RandomBundle(Task::kRegression, 1, {}, Activation::kRelu, 0, 3));
  TablePredictor table(*predictor, {.header = CsvOptions::Header::kAbsent});
  const auto [out, status] = Answer(table, "1\n2\n");
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(table.rows_done(), 2);
  const double rows[] = {1, 2};
  ASSERT_OK_AND_ASSIGN(const auto p, predictor->Predict(rows));
  EXPECT_EQ(out, absl::StrCat("prediction\n", NumberText(static_cast<float>(p[0].value)), "\n",
                              NumberText(static_cast<float>(p[1].value)), "\n"));
}

// Years: float32 has steps of 1e-4 at 2000, the model's are of 1e-8.
TEST(TablePredictorRegressionTest, ALargeOffsetCostsNoDigits) {
  Bundle bundle = RandomBundle(Task::kRegression, 1, {}, Activation::kRelu, 0, 3);
  bundle.loss.target_offset = 2000;
  bundle.loss.target_scale = 0.01;
  const auto predictor = *Predictor::Create(bundle);
  TablePredictor table(*predictor, {.header = CsvOptions::Header::kAbsent});
  const auto [out, status] = Answer(table, "1\n2\n");
  EXPECT_THAT(status, IsOk());
  const std::vector<std::string> lines = absl::StrSplit(out, '\n');
  ASSERT_EQ(lines.size(), 4u);
  const double rows[] = {1, 2};
  ASSERT_OK_AND_ASSIGN(const auto p, predictor->Predict(rows));
  EXPECT_NEAR(*ParseNumber(lines[1]), p[0].value, 1e-9);
  EXPECT_NEAR(*ParseNumber(lines[2]), p[1].value, 1e-9);
  EXPECT_LE(lines[1].size(), 16u);
}

// As spreadsheets of half of Europe write it: the dialect is that of the file, not of the training.
TEST_F(TablePredictorTest, SemicolonsAndDecimalCommasAreFound) {
  const auto [points, ok] = Run("size,weight\n1.5,3.25\n2.5,5\n", 1000);
  const auto [commas, also_ok] = Run("weight;size\n3,25;1,5\n5;2,5\n", 3);
  EXPECT_THAT(ok, IsOk());
  EXPECT_THAT(also_ok, IsOk());
  const std::vector<std::string> a = absl::StrSplit(points, '\n');
  const std::vector<std::string> b = absl::StrSplit(commas, '\n');
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 1; i < a.size(); ++i) EXPECT_EQ(absl::StrReplaceAll(b[i], {{";", ","}}), a[i]);
}

// Columns c0, c1, … of a file without header are where they were, whatever else the file has.
TEST(TablePredictorPlaceTest, AFileWithoutHeaderIsReadAsInTraining) {
  Bundle bundle = SmallBundle();
  bundle.feature_columns = {"c0", "c2"};
  const auto predictor = *Predictor::Create(bundle);
  const CsvOptions absent{.header = CsvOptions::Header::kAbsent};
  TablePredictor whole(*predictor, absent);
  const auto [out, status] = Answer(whole, "1,x,3,y\n2,x,5,y\n");
  EXPECT_THAT(status, IsOk());
  TablePredictor features_only(*predictor, absent);
  EXPECT_EQ(Answer(features_only, "1,3\n2,5\n").first, out);
}

TEST(TablePredictorHiddenTest, ColumnsAreTheUnitsOfTheLayer) {
  const auto predictor = *Predictor::Create(SmallBundle());
  TablePredictor table(*predictor, {}, /*hidden_layer=*/1);
  const auto [out, status] = Answer(table, "weight,size\n3,1\n5,2\n");
  EXPECT_THAT(status, IsOk());
  const double rows[] = {1, 3, 2, 5};
  ASSERT_OK_AND_ASSIGN(const Matrix hidden, predictor->HiddenOutputs(rows, 1));
  std::string expected = "h0,h1,h2\n";
  for (int64_t r = 0; r < 2; ++r) {
    absl::StrAppend(&expected, NumberText(hidden.row(r)[0]), ",", NumberText(hidden.row(r)[1]), ",",
                    NumberText(hidden.row(r)[2]), "\n");
  }
  EXPECT_EQ(out, expected);
  EXPECT_EQ(table.rows_done(), 2);
}

TEST(TablePredictorLabelsTest, LikelyLabelsAreJoined) {
  // Without features' influence: probabilities are those of the biases.
  Bundle bundle = RandomBundle(Task::kMultilabel, 1, {}, Activation::kRelu, 3, 1);
  bundle.classes = {"a", "b", "c"};
  bundle.weights[0].weights = {0, 0, 0};
  bundle.weights[0].biases = {2, -3, 1};
  const auto predictor = *Predictor::Create(bundle);
  TablePredictor table(*predictor, {});
  const auto [out, status] = Answer(table, "f0\n7\n");
  EXPECT_THAT(status, IsOk());
  EXPECT_THAT(out, StartsWith("prediction,probability_a,probability_b,probability_c\na;c,"));
}

}  // namespace
}  // namespace trainyard

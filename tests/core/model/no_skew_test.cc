// Training and prediction see the same: what TablePredictor makes of a file is, bit for bit, what
// the network makes of the features that training on the file had.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "core/data/number.h"
#include "core/model/predictor.h"
#include "core/nn/mlp.h"
#include "core/tensor/kernels.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

constexpr int kRows = 300;
constexpr int64_t kBatch = 64;

// Numbers with and without holes, text with everything that a file can quote, numbers that are
// written in several ways, and a target.
std::string MessyCsv() {
  const char* const cities[] = {"Rome", "\"Bern, \"\"CH\"\"\"", " Oslo ", "Zürich", "", "?", "N/A"};
  const char* const codes[] = {"1", "1.0", " 2", "2.50", "+3", "1e1", "null"};
  Rng rng(8, RngStream::kAnalysis);
  std::string csv = "x,gaps,city,code,word,y,grade\n";
  for (int i = 0; i < kRows; ++i) {
    const std::string gap = rng.Below(4) == 0 ? (i % 2 == 0 ? "NA" : "") : absl::StrCat(i * 1e3);
    absl::StrAppend(&csv, 1e6 + rng.Normal(), ",", gap, ",", cities[rng.Below(7)], ",",
                    codes[rng.Below(7)], ",word ", rng.Below(200), ",", rng.Normal(), ",",
                    std::string(1 + rng.Below(5), 'a'), "\n");
  }
  return csv;
}

DataConfig ConfigWith(Encoding city, Encoding code, Scaling scaling) {
  DataConfig config;
  config.target_column = "y";
  config.scaling = scaling;
  config.feature_columns = {"word", "gaps", "code", "x", "city", "grade"};
  config.feature_options = {
      {.column = "word", .encoding = Encoding::kHashing, .hash_buckets = 7},
      {.column = "gaps", .imputation = Imputation::kMedian, .missing_indicator = true},
      {.column = "code", .encoding = code},
      {.column = "city", .encoding = city},
      {.column = "grade", .encoding = Encoding::kOneHot, .categories_max = 3}};
  config.split.validation_fraction = 0;
  config.split.test_fraction = 0;
  return config;
}

Bundle BundleOf(const Dataset& dataset) {
  Bundle bundle =
      RandomBundle(Task::kRegression, dataset.feature_count(), {5}, Activation::kTanh, 0, 3);
  bundle.feature_columns = dataset.config.feature_columns;
  bundle.preprocessor =
      dataset.preprocessor.WithMissingMarkers(CsvOptions::DefaultMissingMarkers());
  return bundle;
}

// The network's output for every row of the features, in batches as prediction has them.
std::vector<float> Outputs(const MlpWeights& weights, const Matrix& features) {
  SetKernelThreads(1);
  const auto network = *Mlp::Create(ConfigOf(weights), *CreateFastKernels(), {.forward = {kBatch}});
  TY_CHECK(network->LoadWeights(weights).ok());
  Matrix x(kBatch, features.cols());
  std::vector<float> outputs;
  for (int64_t begin = 0; begin < features.rows(); begin += kBatch) {
    const int64_t rows = std::min(kBatch, features.rows() - begin);
    std::copy_n(features.row(begin).data(), rows * features.cols(), x.data());
    TY_CHECK(network->Forward(x.data(), kBatch).ok());
    outputs.insert(outputs.end(), network->logits(), network->logits() + rows);
  }
  return outputs;
}

std::vector<float> PredictedFromFile(const Bundle& bundle, const std::string& csv) {
  const auto predictor = *Predictor::Create(bundle);
  TablePredictor table(*predictor, {});
  table.Append(csv);
  table.Finish();
  const std::string out = *table.Take();
  std::vector<float> values;
  for (const absl::string_view line : absl::StrSplit(out, '\n', absl::SkipEmpty())) {
    if (line != "prediction") values.push_back(static_cast<float>(*ParseNumber(line)));
  }
  return values;
}

void ExpectNoSkew(const Table& table, const std::string& csv, const DataConfig& given) {
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
  const DataConfig config = ResolveDataConfig(given, SchemaOf(table), &violations, &notes);
  ASSERT_TRUE(violations.empty()) << violations[0].field << ": " << violations[0].description;
  ASSERT_OK_AND_ASSIGN(const Dataset dataset, BuildDataset(table, config, 1));
  ASSERT_EQ(dataset.train.rows(), kRows);
  ASSERT_EQ(dataset.preprocessor.FeatureNames(dataset.config.feature_columns).size(),
            static_cast<size_t>(dataset.feature_count()));
  const Bundle stored = BundleOf(dataset);
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, DecodeBundle(EncodeBundle(stored)));
  const std::vector<float> expected = Outputs(bundle.weights, dataset.train.features);
  EXPECT_EQ(PredictedFromFile(bundle, csv), expected);
}

TEST(NoSkewTest, ATrainingFileIsPredictedFromTheFeaturesOfTraining) {
  const std::string csv = MessyCsv();
  const Table table = TableOf(csv);
  const Encoding encodings[] = {Encoding::kOneHot, Encoding::kOrdinal, Encoding::kHashing};
  for (const Encoding city : encodings) {
    for (const Encoding code : encodings) {
      SCOPED_TRACE(
          absl::StrCat("city ", static_cast<int>(city), ", code ", static_cast<int>(code)));
      for (const Scaling scaling : {Scaling::kStandardize, Scaling::kRobust})
        ExpectNoSkew(table, csv, ConfigWith(city, code, scaling));
    }
  }
  ExpectNoSkew(table, csv, ConfigWith(Encoding::kOneHot, Encoding::kNumber, Scaling::kMinMax));
}

}  // namespace
}  // namespace trainyard

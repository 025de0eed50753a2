#include "core/model/predictor.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "core/data/number.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<double> RandomRows(int64_t rows, int64_t features, uint64_t seed) {
  Rng rng(seed, RngStream::kAnalysis);
  std::vector<double> values;
  for (int64_t i = 0; i < rows * features; ++i) {
    values.push_back(10.0 * static_cast<double>(i % features) + 3 * rng.Normal());
  }
  return values;
}

double Sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

double Activate(const LayerWeights& layer, double z) {
  const double hard = std::clamp(z / 6 + 0.5, 0.0, 1.0);
  switch (layer.activation) {
    case Activation::kRelu:
      return std::max(0.0, z);
    case Activation::kSigmoid:
      return Sigmoid(z);
    case Activation::kTanh:
      return std::tanh(z);
    case Activation::kLeakyRelu:
      return z > 0 ? z : layer.alpha * z;
    case Activation::kElu:
      return z > 0 ? z : layer.alpha * std::expm1(z);
    case Activation::kSelu:
      return 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * std::expm1(z));
    case Activation::kGelu:
      return z / 2 * (1 + std::erf(z / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return z / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
    case Activation::kSilu:
      return z * Sigmoid(z);
    case Activation::kSoftplus:
      return std::log1p(std::exp(-std::fabs(z))) + std::max(z, 0.0);
    case Activation::kHardSigmoid:
      return hard;
    case Activation::kHardTanh:
      return std::clamp(z, -1.0, 1.0);
    case Activation::kHardSwish:
      return z * hard;
    default:
      return z;
  }
}

// In place, in evaluation mode.
void Normalise(const LayerWeights& layer, std::vector<double>* z) {
  if (layer.normalization == Normalization::kNone) return;
  const auto size = static_cast<double>(z->size());
  double mean = 0;
  double variance = 0;
  for (const double v : *z) mean += v / size;
  for (const double v : *z) variance += (v - mean) * (v - mean) / size;
  for (size_t j = 0; j < z->size(); ++j) {
    const bool by_batch = layer.normalization == Normalization::kBatch;
    const double m = by_batch ? layer.running_means[j] : mean;
    const double v = by_batch ? layer.running_variances[j] : variance;
    (*z)[j] = ((*z)[j] - m) / std::sqrt(v + 1e-5) * layer.gains[j] + layer.shifts[j];
  }
}

std::vector<double> LayerByHand(const LayerWeights& layer, const std::vector<double>& x) {
  std::vector<double> y(layer.biases.begin(), layer.biases.end());
  y.resize(layer.out);
  for (int64_t i = 0; i < layer.in; ++i) {
    for (int64_t j = 0; j < layer.out; ++j) y[j] += x[i] * layer.weights[i * layer.out + j];
  }
  Normalise(layer, &y);
  for (size_t j = 0; j < y.size(); ++j) {
    y[j] = Activate(layer, y[j]) + (layer.residual ? x[j] : 0);
  }
  return y;
}

// What leaves layer `last` (0-based) for one row, by the formula, in double.
std::vector<double> OutputsByHand(const Bundle& bundle, std::span<const double> raw, size_t last) {
  std::vector<double> x;
  for (size_t i = 0; i < raw.size(); ++i) {
    x.push_back((raw[i] - bundle.preprocessor.offsets()[i]) * bundle.preprocessor.scales()[i]);
  }
  for (size_t i = 0; i <= last; ++i) x = LayerByHand(bundle.weights[i], x);
  return x;
}

std::vector<double> OutputsByHand(const Bundle& bundle, std::span<const double> raw) {
  return OutputsByHand(bundle, raw, bundle.weights.size() - 1);
}

std::unique_ptr<Predictor> MakePredictor(Bundle bundle) {
  auto predictor = Predictor::Create(std::move(bundle));
  EXPECT_THAT(predictor.status(), IsOk());
  return *std::move(predictor);
}

TEST(PredictorTest, AgreesWithTheFormulaForEveryTaskAndActivation) {
  for (auto number = static_cast<uint8_t>(Activation::kIdentity);
       number <= static_cast<uint8_t>(kActivationLast); ++number) {
    const Activation activation{number};
    SCOPED_TRACE(int{number});
    for (const std::vector<int64_t>& hidden :
         {std::vector<int64_t>{}, std::vector<int64_t>{5}, std::vector<int64_t>{40, 3}}) {
      const Bundle bundle = RandomBundle(Task::kRegression, 6, hidden, activation, 0, 3);
      const auto predictor = MakePredictor(bundle);
      const std::vector<double> values = RandomRows(130, 6, 4);
      ASSERT_OK_AND_ASSIGN(const std::vector<Prediction> p, predictor->Predict(values));
      ASSERT_EQ(p.size(), 130u);
      for (size_t r = 0; r < p.size(); ++r) {
        const double expected = OutputsByHand(bundle, {values.data() + r * 6, 6})[0];
        EXPECT_NEAR(p[r].value, expected, 1e-4 * (1 + std::fabs(expected)));
      }
    }
  }
}

// Normalised by batch, then by layer with its input added; without biases.
Bundle NormalisedBundle(Task task, int64_t classes) {
  Bundle bundle = RandomBundle(task, 6, {9, 9}, Activation::kSilu, classes, 3);
  Normalise(Normalization::kBatch, 4, &bundle.weights[0]);
  Normalise(Normalization::kLayer, 5, &bundle.weights[1]);
  bundle.weights[1].residual = true;
  for (LayerWeights& layer : bundle.weights) layer.biases.clear();
  return bundle;
}

TEST(PredictorTest, AgreesWithTheFormulaForNormalisedAndResidualLayers) {
  const Bundle bundle = NormalisedBundle(Task::kRegression, 0);
  const std::vector<double> values = RandomRows(130, 6, 4);
  ASSERT_OK_AND_ASSIGN(const auto p, MakePredictor(bundle)->Predict(values));
  for (size_t r = 0; r < p.size(); ++r) {
    const double expected = OutputsByHand(bundle, {values.data() + r * 6, 6})[0];
    EXPECT_NEAR(p[r].value, expected, 1e-4 * (1 + std::fabs(expected)));
  }
}

TEST(PredictorTest, HiddenOutputsAreWhatLeavesALayer) {
  const Bundle bundle = NormalisedBundle(Task::kRegression, 0);
  const auto predictor = MakePredictor(bundle);
  const std::vector<double> values = RandomRows(130, 6, 4);
  for (const int64_t layer : {1, 2}) {
    ASSERT_OK_AND_ASSIGN(const Matrix hidden, predictor->HiddenOutputs(values, layer));
    ASSERT_EQ(hidden.rows(), 130);
    ASSERT_EQ(hidden.cols(), 9);
    for (int64_t r = 0; r < 130; ++r) {
      const auto expected = OutputsByHand(bundle, {values.data() + r * 6, 6}, layer - 1);
      for (int64_t c = 0; c < 9; ++c) EXPECT_NEAR(hidden.row(r)[c], expected[c], 1e-4);
    }
  }
  const double not_finite[] = {1, 2, 3, 4, 5, INFINITY};
  EXPECT_THAT(predictor->HiddenOutputs(not_finite, 1).status(),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST(PredictorTest, LabelsAreSigmoidsByThemselves) {
  const Bundle bundle = NormalisedBundle(Task::kMultilabel, 4);
  const std::vector<double> values = RandomRows(70, 6, 8);
  ASSERT_OK_AND_ASSIGN(const auto p, MakePredictor(bundle)->Predict(values));
  for (size_t r = 0; r < p.size(); ++r) {
    EXPECT_EQ(p[r].class_index, -1);
    const std::vector<double> logits = OutputsByHand(bundle, {values.data() + r * 6, 6});
    for (size_t c = 0; c < 4; ++c) {
      EXPECT_NEAR(p[r].probabilities[c], Sigmoid(logits[c]), 1e-4);
    }
  }
  EXPECT_THAT(LikelyLabels({.probabilities = {0.7, 0.5, 0.1, 0.51}}), ElementsAre(0, 3));
}

TEST(PredictorTest, APoissonModelSaysTheRate) {
  Bundle bundle = NormalisedBundle(Task::kRegression, 0);
  bundle.loss.kind = LossKind::kPoisson;
  const std::vector<double> values = RandomRows(70, 6, 8);
  ASSERT_OK_AND_ASSIGN(const auto p, MakePredictor(bundle)->Predict(values));
  for (size_t r = 0; r < p.size(); ++r) {
    const double expected = std::exp(OutputsByHand(bundle, {values.data() + r * 6, 6})[0]);
    EXPECT_NEAR(p[r].value, expected, 1e-4 * (1 + expected));
  }
}

TEST(PredictorTest, ValuesAreInTheUnitOfTheTarget) {
  Bundle bundle = RandomBundle(Task::kRegression, 3, {4}, Activation::kTanh, 0, 9);
  bundle.loss.target_offset = 1e7;
  bundle.loss.target_scale = 0.125;
  const std::vector<double> values = RandomRows(70, 3, 8);
  ASSERT_OK_AND_ASSIGN(const auto p, MakePredictor(bundle)->Predict(values));
  for (size_t r = 0; r < p.size(); ++r) {
    const double z = OutputsByHand(bundle, {values.data() + r * 3, 3})[0];
    EXPECT_NEAR(p[r].value, 1e7 + 0.125 * z, 1e-6);
  }
}

TEST(PredictorTest, ClassProbabilitiesAreSoftmaxAndSigmoid) {
  const std::vector<double> values = RandomRows(70, 3, 8);
  const Bundle many = RandomBundle(Task::kMulticlass, 3, {4}, Activation::kTanh, 4, 9);
  ASSERT_OK_AND_ASSIGN(const auto p, MakePredictor(many)->Predict(values));
  const Bundle two = RandomBundle(Task::kBinary, 3, {4}, Activation::kTanh, 2, 9);
  ASSERT_OK_AND_ASSIGN(const auto q, MakePredictor(two)->Predict(values));
  for (size_t r = 0; r < p.size(); ++r) {
    const std::vector<double> logits = OutputsByHand(many, {values.data() + r * 3, 3});
    double sum = 0;
    for (const double z : logits) sum += std::exp(z);
    double total = 0;
    for (size_t c = 0; c < 4; ++c) {
      EXPECT_NEAR(p[r].probabilities[c], std::exp(logits[c]) / sum, 1e-4);
      EXPECT_GE(p[r].probabilities[p[r].class_index], p[r].probabilities[c]);
      total += p[r].probabilities[c];
    }
    EXPECT_NEAR(total, 1, 1e-12);
    const double logit = OutputsByHand(two, {values.data() + r * 3, 3})[0];
    EXPECT_NEAR(q[r].probabilities[1], 1 / (1 + std::exp(-logit)), 1e-4);
    EXPECT_NEAR(q[r].probabilities[0] + q[r].probabilities[1], 1, 1e-12);
  }
}

TEST(PredictorTest, ARowsDigitsDoNotDependOnItsCompany) {
  for (const std::vector<int64_t>& hidden :
       {std::vector<int64_t>{8}, std::vector<int64_t>{200, 130}}) {
    const auto predictor =
        MakePredictor(RandomBundle(Task::kRegression, 20, hidden, Activation::kRelu, 0, 5));
    const std::vector<double> values = RandomRows(150, 20, 6);
    ASSERT_OK_AND_ASSIGN(const auto together, predictor->Predict(values));
    for (size_t r = 0; r < 150; ++r) {
      ASSERT_OK_AND_ASSIGN(const auto alone, predictor->Predict({values.data() + r * 20, 20}));
      ASSERT_EQ(alone[0].value, together[r].value) << "row " << r;
    }
  }
}

TEST(PredictorTest, ConcurrentCallsAgree) {
  const auto predictor =
      MakePredictor(RandomBundle(Task::kMulticlass, 10, {32}, Activation::kRelu, 3, 5));
  const std::vector<double> values = RandomRows(200, 10, 6);
  ASSERT_OK_AND_ASSIGN(const auto expected, predictor->Predict(values));
  std::vector<std::thread> threads;
  std::vector<int> differences(8, -1);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const auto p = predictor->Predict(values);
      differences[t] = 0;
      for (size_t r = 0; r < 200; ++r) {
        differences[t] += p.ok() && (*p)[r].probabilities == expected[r].probabilities ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(differences, testing::Each(0));
}

TEST(PredictorTest, BadValuesAreNamed) {
  const auto predictor = MakePredictor(SmallBundle());
  const double three[] = {1, 2, 3};
  EXPECT_THAT(predictor->Predict(three).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3 values")));
  const double not_finite[] = {1, 2, 3, std::nan("")};
  const absl::Status status = predictor->Predict(not_finite).status();
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(GetErrorInfo(status)->violations[0].field, "rows[1].values[1]");
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"weight\" is missing")));
  const double huge[] = {1e300, 0};
  EXPECT_THAT(predictor->Predict(huge).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("range of float32")));
  EXPECT_THAT(predictor->Predict({}), IsOk());
}

// Cells of rows of ColumnsBundle() and the values it gives, by hand: 0.25·z - 3.
constexpr const char* kColumnCells[][4] = {{"2.5", "Oslo", "20", ""}, {"?", "Lima", "3.0", "a"}};
constexpr double kColumnValues[] = {0.25 * (0.25 - 4 + 0.75 + 0.125 + 0.0625) - 3,
                                    0.25 * (0.125 + 2 + 3 + 0.25 - 8 + 0.0625) - 3};

TEST(PredictorTest, EveryKindOfColumnCountsAsByHand) {
  const auto predictor = MakePredictor(ColumnsBundle());
  std::vector<double> raw;
  for (const auto& row : kColumnCells) {
    for (int64_t c = 0; c < 4; ++c)
      raw.push_back(predictor->bundle().preprocessor.RawOf(c, row[c]));
  }
  ASSERT_OK_AND_ASSIGN(const auto p, predictor->Predict(raw));
  ASSERT_EQ(p.size(), 2u);
  EXPECT_EQ(p[0].value, kColumnValues[0]);
  EXPECT_EQ(p[1].value, kColumnValues[1]);
  raw[2] = Preprocessor::kUnseen;
  const absl::Status status = predictor->Predict(raw).status();
  EXPECT_EQ(GetErrorInfo(status)->violations[0].field, "rows[0].values[2]");
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"code\" is none of")));
}

// Columns in another order, categories the model has not seen among them, numbers for text.
TEST(PredictorTest, EvaluateTakesTextAsPredictDoes) {
  std::string csv = "word,code,city,size,price\n";
  for (int i = 0; i < 100; ++i) {
    for (size_t r = 0; r < 2; ++r) {
      const auto& cells = kColumnCells[r];
      csv += std::string(cells[3]) + "," + cells[2] + "," + cells[1] + "," + cells[0] + "," +
             NumberText(kColumnValues[r]) + "\n";
    }
  }
  const auto predictor = MakePredictor(ColumnsBundle());
  ASSERT_OK_AND_ASSIGN(const EvalResult result, predictor->Evaluate(TableOf(csv)));
  ASSERT_EQ(result.metrics[0].first, "loss");
  EXPECT_EQ(result.metrics[0].second, 0);
  const Table numbers = TableOf("word,code,city,size,price\n1,3,1,big,1\n2,3,2,small,1\n");
  EXPECT_THAT(predictor->Evaluate(numbers).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("column \"size\": is text, and the model has it as a number")));
}

TEST(PredictorTest, ABundleThatDoesNotFitIsRefused) {
  Bundle bundle = SmallBundle();
  bundle.weights.pop_back();
  EXPECT_EQ(Predictor::Create(bundle).status().code(), absl::StatusCode::kDataLoss);
}

// Squared errors of a model whose target is scaled so, over 300 rows: Evaluate's and by Predict.
void ExpectEvaluateIsPredict(double offset, double scale) {
  std::string csv = "f1,f0,target\n";
  Rng rng(2, RngStream::kAnalysis);
  for (int i = 0; i < 300; ++i) {
    csv += std::to_string(9 + 3 * rng.Normal()) + "," + std::to_string(rng.Normal()) + "," +
           std::to_string(offset + scale * rng.Normal()) + "\n";
  }
  const Table table = TableOf(csv);
  Bundle bundle = RandomBundle(Task::kRegression, 2, {6}, Activation::kTanh, 0, 5);
  bundle.loss.target_offset = offset;
  bundle.loss.target_scale = scale;
  const auto predictor = MakePredictor(bundle);
  ASSERT_OK_AND_ASSIGN(const EvalResult result, predictor->Evaluate(table));
  EXPECT_EQ(result.rows, 300);
  double squares = 0;
  for (int64_t r = 0; r < 300; ++r) {
    const double row[] = {table.FindColumn("f0")->numbers[r], table.FindColumn("f1")->numbers[r]};
    ASSERT_OK_AND_ASSIGN(const auto p, predictor->Predict(row));
    const double error = p[0].value - table.FindColumn("target")->numbers[r];
    squares += error * error;
  }
  ASSERT_EQ(result.metrics[0].first, "loss");
  EXPECT_NEAR(result.metrics[0].second, squares / 300, 1e-5 * squares / 300);
  EXPECT_NEAR(result.Find("rmse"), std::sqrt(squares / 300), 1e-5 * std::sqrt(squares / 300));
}

TEST(PredictorTest, EvaluateMeasuresWhatPredictSays) {
  ExpectEvaluateIsPredict(0, 1);
  ExpectEvaluateIsPredict(5e5, 2e4);
}

TEST(PredictorTest, EvaluateCountsRightClasses) {
  const auto predictor = MakePredictor(SmallBundle());
  const Table table = TableOf("kind,weight,size\na,1,2\nb,3,4\na,5,60\nb,0,-9\n");
  ASSERT_OK_AND_ASSIGN(const EvalResult result, predictor->Evaluate(table));
  int right = 0;
  for (int64_t r = 0; r < 4; ++r) {
    const double row[] = {table.columns[2].numbers[r], table.columns[1].numbers[r]};
    ASSERT_OK_AND_ASSIGN(const auto p, predictor->Predict(row));
    right += predictor->bundle().classes[p[0].class_index] == table.CellText(r, 0) ? 1 : 0;
  }
  EXPECT_EQ(result.metrics[1].first, "accuracy");
  EXPECT_DOUBLE_EQ(result.metrics[1].second, right / 4.0);
}

TEST(PredictorTest, EvaluateCountsRowsByTheirWeight) {
  Bundle bundle = SmallBundle();
  bundle.weight_column = "count";
  const auto predictor = MakePredictor(bundle);
  // The first two rows three times, the third not at all.
  const char* const rows[] = {"a,1,2", "b,3,4", "a,5,60", "b,0,-9"};
  const std::string once = absl::StrCat("kind,weight,size,count\n", rows[0], ",3\n", rows[1],
                                        ",3\n", rows[2], ",0\n", rows[3], ",1\n");
  std::string repeated = "kind,weight,size\n";
  for (const int r : {0, 1, 0, 1, 0, 1, 3}) absl::StrAppend(&repeated, rows[r], "\n");
  ASSERT_OK_AND_ASSIGN(const EvalResult weighted, predictor->Evaluate(TableOf(once)));
  ASSERT_OK_AND_ASSIGN(const EvalResult counted, predictor->Evaluate(TableOf(repeated)));
  ASSERT_EQ(weighted.metrics.size(), counted.metrics.size());
  for (size_t i = 0; i < counted.metrics.size(); ++i) {
    EXPECT_NEAR(weighted.metrics[i].second, counted.metrics[i].second, 1e-9)
        << counted.metrics[i].first;
  }
  EXPECT_EQ(weighted.confusion, counted.confusion);
  EXPECT_THAT(predictor->Evaluate(TableOf("kind,weight,size,count\na,1,2,-1\nb,1,2,1\n")).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least 0")));
}

TEST(PredictorTest, EvaluateComparesEveryLabel) {
  Bundle bundle = RandomBundle(Task::kMultilabel, 2, {}, Activation::kRelu, 2, 5);
  bundle.classes = {"left", "right"};
  const auto predictor = MakePredictor(bundle);
  const Table table = TableOf("left,f0,right,f1\n1,0.5,0,9\n0,-2,1,12\n1,3,1,8\n0,0,0,11\n");
  ASSERT_OK_AND_ASSIGN(const EvalResult result, predictor->Evaluate(table));
  double right = 0;
  for (int64_t r = 0; r < 4; ++r) {
    const double row[] = {table.FindColumn("f0")->numbers[r], table.FindColumn("f1")->numbers[r]};
    ASSERT_OK_AND_ASSIGN(const auto p, predictor->Predict(row));
    right += (p[0].probabilities[0] > 0.5) == (table.FindColumn("left")->numbers[r] == 1);
    right += (p[0].probabilities[1] > 0.5) == (table.FindColumn("right")->numbers[r] == 1);
  }
  EXPECT_EQ(result.rows, 4);
  EXPECT_DOUBLE_EQ(result.Find("accuracy"), right / 8);
  EXPECT_THAT(predictor->Evaluate(TableOf("left,f0,right,f1\n1,2,2,1\n0,1,1,1\n")).status(),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(predictor->Evaluate(TableOf("left,f0,f1\n1,2,2\n0,1,1\n")).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("as a label")));
}

// 150 rows, two batches and a rest: columns f0, f1 and what `target` makes of a row's number.
template <typename Target>
Table RandomTable(const std::string& target_names, const Target& target) {
  std::string csv = absl::StrCat("f1,", target_names, ",f0\n");
  Rng rng(6, RngStream::kAnalysis);
  for (int i = 0; i < 150; ++i) {
    absl::StrAppend(&csv, 9 + 3 * rng.Normal(), ",", target(rng), ",", rng.Normal(), "\n");
  }
  return TableOf(csv);
}

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

TEST(PredictorTest, RowsOfClassesHaveEvaluatesAccuracyAsTheirMean) {
  for (const int classes : {2, 3}) {
    SCOPED_TRACE(classes);
    const Table table = RandomTable("target", [&](Rng& rng) {
      return absl::StrCat("class ", rng.Below(static_cast<uint64_t>(classes)));
    });
    const Task task = classes == 2 ? Task::kBinary : Task::kMulticlass;
    const auto predictor = MakePredictor(RandomBundle(task, 2, {5}, Activation::kTanh, classes, 5));
    ASSERT_OK_AND_ASSIGN(const RowErrors rows, predictor->EvaluateRows(table));
    ASSERT_OK_AND_ASSIGN(const EvalResult result, predictor->Evaluate(table));
    EXPECT_EQ(rows.task, task);
    ASSERT_EQ(rows.errors.size(), 150u);
    EXPECT_TRUE(rows.targets.empty());
    EXPECT_NEAR(1 - MeanOf(rows.errors), result.Find("accuracy"), 1e-12);
    for (int64_t r = 0; r < 150; ++r) {
      const double row[] = {table.FindColumn("f0")->numbers[r], table.FindColumn("f1")->numbers[r]};
      ASSERT_OK_AND_ASSIGN(const auto p, predictor->Predict(row));
      const bool right = predictor->bundle().classes[p[0].class_index] == table.CellText(r, 1);
      ASSERT_EQ(rows.errors[r], right ? 0 : 1) << "row " << r;
    }
  }
}

TEST(PredictorTest, RowsOfLabelsAreRightWhenEveryLabelIs) {
  Bundle bundle = RandomBundle(Task::kMultilabel, 2, {5}, Activation::kTanh, 2, 5);
  bundle.classes = {"left", "right"};
  const auto predictor = MakePredictor(bundle);
  const Table table = RandomTable(
      "left,right", [](Rng& rng) { return absl::StrCat(rng.Below(2), ",", rng.Below(2)); });
  ASSERT_OK_AND_ASSIGN(const RowErrors rows, predictor->EvaluateRows(table));
  ASSERT_OK_AND_ASSIGN(const EvalResult result, predictor->Evaluate(table));
  EXPECT_NEAR(1 - MeanOf(rows.errors), result.Find("exact_match"), 1e-12);
  EXPECT_GT(MeanOf(rows.errors), 0);
  EXPECT_LT(MeanOf(rows.errors), 1);
}

TEST(PredictorTest, RowsOfNumbersAreTargetMinusPrediction) {
  Bundle bundle = RandomBundle(Task::kRegression, 2, {6}, Activation::kTanh, 0, 5);
  bundle.loss.target_offset = 5e5;
  bundle.loss.target_scale = 2e4;
  const auto predictor = MakePredictor(bundle);
  const Table table =
      RandomTable("target", [](Rng& rng) { return std::to_string(5e5 + 2e4 * rng.Normal()); });
  ASSERT_OK_AND_ASSIGN(const RowErrors rows, predictor->EvaluateRows(table));
  ASSERT_OK_AND_ASSIGN(const EvalResult result, predictor->Evaluate(table));
  ASSERT_EQ(rows.errors.size(), 150u);
  double squares = 0, absolutes = 0;
  for (int64_t r = 0; r < 150; ++r) {
    const double row[] = {table.FindColumn("f0")->numbers[r], table.FindColumn("f1")->numbers[r]};
    ASSERT_OK_AND_ASSIGN(const auto p, predictor->Predict(row));
    const double target = table.FindColumn("target")->numbers[r];
    EXPECT_NEAR(rows.targets[r], target, 0.01);
    EXPECT_NEAR(rows.errors[r], target - p[0].value, 0.01);
    squares += rows.errors[r] * rows.errors[r];
    absolutes += std::fabs(rows.errors[r]);
  }
  EXPECT_NEAR(std::sqrt(squares / 150), result.Find("rmse"), 1e-9 * result.Find("rmse"));
  EXPECT_NEAR(absolutes / 150, result.Find("mae"), 1e-9 * result.Find("mae"));
  EXPECT_NEAR(1 - squares / TargetSquareSum(rows), result.Find("r2"), 1e-9);
  EXPECT_DOUBLE_EQ(TargetSquareSum({.targets = {1e9 + 1, 1e9 + 3, 1e9 + 8}}), 26);
}

TEST(PredictorTest, RowsHaveNoWeightsAndEvaluatesFaults) {
  Bundle bundle = SmallBundle();
  bundle.weight_column = "count";
  const auto predictor = MakePredictor(bundle);
  const std::string rows[] = {"a,1,2,", "b,3,4,", "a,5,60,", "b,0,-9,"};
  const std::string head = "kind,weight,size,count\n";
  const Table weighted =
      TableOf(absl::StrCat(head, rows[0], "3\n", rows[1], "0\n", rows[2], "9\n", rows[3], "-1\n"));
  const Table equal =
      TableOf(absl::StrCat(head, rows[0], "1\n", rows[1], "1\n", rows[2], "1\n", rows[3], "1\n"));
  ASSERT_OK_AND_ASSIGN(const RowErrors a, predictor->EvaluateRows(weighted));
  ASSERT_OK_AND_ASSIGN(const RowErrors b, predictor->EvaluateRows(equal));
  EXPECT_EQ(a.errors, b.errors);
  ASSERT_OK_AND_ASSIGN(const EvalResult result, predictor->Evaluate(equal));
  EXPECT_DOUBLE_EQ(1 - MeanOf(a.errors), result.Find("accuracy"));
  const Table wrong = TableOf("a,size\n1,x\n2,y\n");
  EXPECT_EQ(predictor->EvaluateRows(wrong).status(), predictor->Evaluate(wrong).status());
  EXPECT_EQ(ViolatedFields(predictor->EvaluateRows(wrong).status()).size(), 3u);
}

TEST(PredictorTest, EvaluateNamesEveryUnsuitableColumn) {
  const auto predictor = MakePredictor(SmallBundle());
  const absl::Status status = predictor->Evaluate(TableOf("a,size\n1,x\n2,y\n")).status();
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  const ErrorInfo info = GetErrorInfo(status).value_or(ErrorInfo{});
  std::vector<std::string> fields;
  for (const FieldViolation& v : info.violations) fields.push_back(v.field);
  EXPECT_THAT(fields, ElementsAre("column \"kind\"", "column \"size\"", "column \"weight\""));
  EXPECT_THAT(predictor->Evaluate(TableOf("kind,weight,size\nz,1,2\n")).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no class \"z\"")));
}

}  // namespace
}  // namespace trainyard

#include "core/model/predictor.h"

#include <cmath>
#include <thread>

#include "core/base/rng.h"
#include "core/data/dataset.h"
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

double Activate(Activation activation, double z) {
  switch (activation) {
    case Activation::kRelu:
      return std::max(0.0, z);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-z));
    case Activation::kTanh:
      return std::tanh(z);
    default:
      return z;
  }
}

// The outputs of one row by the formula, in double.
std::vector<double> OutputsByHand(const Bundle& bundle, std::span<const double> raw) {
  std::vector<double> x;
  for (size_t i = 0; i < raw.size(); ++i) {
    x.push_back((raw[i] - bundle.preprocessor.offsets()[i]) * bundle.preprocessor.scales()[i]);
  }
  for (const LayerWeights& layer : bundle.weights) {
    std::vector<double> y(layer.biases.begin(), layer.biases.end());
    for (int64_t i = 0; i < layer.in; ++i) {
      for (int64_t j = 0; j < layer.out; ++j) y[j] += x[i] * layer.weights[i * layer.out + j];
    }
    for (double& z : y) z = Activate(layer.activation, z);
    x = y;
  }
  return x;
}

std::unique_ptr<Predictor> MakePredictor(Bundle bundle) {
  auto predictor = Predictor::Create(std::move(bundle));
  EXPECT_THAT(predictor.status(), IsOk());
  return *std::move(predictor);
}

TEST(PredictorTest, AgreesWithTheFormulaForEveryTaskAndActivation) {
  for (const Activation activation :
       {Activation::kIdentity, Activation::kRelu, Activation::kSigmoid, Activation::kTanh}) {
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
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"weight\" is not finite")));
  const double huge[] = {1e300, 0};
  EXPECT_THAT(predictor->Predict(huge).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("range of float32")));
  EXPECT_THAT(predictor->Predict({}), IsOk());
}

TEST(PredictorTest, ABundleThatDoesNotFitIsRefused) {
  Bundle bundle = SmallBundle();
  bundle.weights.pop_back();
  EXPECT_EQ(Predictor::Create(bundle).status().code(), absl::StatusCode::kDataLoss);
}

TEST(PredictorTest, EvaluateMeasuresWhatPredictSays) {
  std::string csv = "f1,f0,target\n";
  Rng rng(2, RngStream::kAnalysis);
  for (int i = 0; i < 300; ++i) {
    csv += std::to_string(9 + 3 * rng.Normal()) + "," + std::to_string(rng.Normal()) + "," +
           std::to_string(rng.Normal()) + "\n";
  }
  const Table table = TableOf(csv);
  const auto predictor =
      MakePredictor(RandomBundle(Task::kRegression, 2, {6}, Activation::kTanh, 0, 5));
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

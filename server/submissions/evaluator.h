// Evaluator measures the models of a submission on data that nobody sees. It reads bundles and frozen tables itself, on the server, after training: no
// worker, event, metric or log line has anything of it.
//
//   TY_ASSIGN_OR_RETURN(const Evaluation evaluation, evaluator.Evaluate({.model = "models/m1", .metric = ScoreMetric::kAccuracy, …}));
//
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
// Errors never quote the data: FAILED_PRECONDITION/NON_FINITE_LOSS and INVALID_ARGUMENT/INVALID_SPEC are the model's fault, anything else is INTERNAL.
#ifndef TRAINYARD_SERVER_SUBMISSIONS_EVALUATOR_H_
#define TRAINYARD_SERVER_SUBMISSIONS_EVALUATOR_H_

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/data/table.h"
#include "core/model/predictor.h"
#include "server/grading/score_metric.h"
#include "server/storage/dataset_store.h"
#include "server/storage/model_store.h"

namespace trainyard {

struct Evaluation {
  std::optional<ScoreValue> public_score, sealed_score;
  std::vector<double> public_losses;  // row by row, what the Ladder compares
  double ladder_unit = 1;
  int64_t deciding_rows = 0;  // of the sealed data, else of the public
};

class Evaluator {
 public:
  // Tables kept open, the least recently used go first.
  static constexpr size_t kTablesMax = 16;
  // Models whose values on public data are kept, and losses of all of them; the least recently used
  // go first.
  static constexpr size_t kKnownMax = 4'096;
  static constexpr size_t kKnownLossesMax = 8 << 20;  // 64 MiB

  struct Request {
    std::string model;  // models/{id}
    ScoreMetric metric = ScoreMetric::kUnspecified;
    std::string public_dataset, sealed_dataset;  // datasets/{id}; empty: none
    bool operator==(const Request&) const = default;
  };

  Evaluator(const ModelStore* models, DatasetStore* datasets)
      : models_(models), datasets_(datasets) {}

  // A model's values on public data are kept: many submit what somebody had graded already. Sealed
  // values are not.
  absl::StatusOr<Evaluation> Evaluate(const Request& request);

 private:
  struct Entry {
    std::string dataset;
    std::shared_ptr<const Table> table;
  };
  struct Known {
    Request request;  // without sealed data
    Evaluation evaluation;
  };

  // Checked against its checksums when it is opened.
  absl::StatusOr<std::shared_ptr<const Table>> Open(const std::string& dataset);
  absl::StatusOr<RowErrors> Measure(const Predictor& predictor, const std::string& dataset);
  absl::StatusOr<Evaluation> EvaluateModel(const Request& request);
  std::optional<Evaluation> Recall(const Request& request);
  void Keep(Known known);

  const ModelStore* const models_;
  DatasetStore* const datasets_;
  absl::Mutex mu_;
  std::list<Entry> tables_ ABSL_GUARDED_BY(mu_);  // used last first
  std::list<Known> known_ ABSL_GUARDED_BY(mu_);   // used last first
  size_t known_losses_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SUBMISSIONS_EVALUATOR_H_

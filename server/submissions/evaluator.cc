#include "server/submissions/evaluator.h"

#include <algorithm>
#include <utility>

#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/model/bundle.h"
#include "server/grading/ladder.h"

namespace trainyard {
namespace {

// What went wrong without a word of what was there.
absl::Status Unspoken(const absl::Status& status) {
  const ErrorReason reason = GetErrorInfo(status).value_or(ErrorInfo{}).reason;
  if (reason == ErrorReason::kNonFiniteLoss) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     "the model's values are not finite on the evaluation data",
                     {.reason = reason, .hint = "scale the features, or lower the learning rate"});
  }
  if (status.code() == absl::StatusCode::kInvalidArgument) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, "the model refuses rows of the evaluation data",
        {.reason = ErrorReason::kInvalidSpec,
         .hint = "let it take unseen categories and missing values, see the features of the spec"});
  }
  return MakeError(absl::StatusCode::kInternal, "the evaluation could not be done",
                   {.reason = ErrorReason::kInternal, .hint = "it is tried again"});
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Table>> Evaluator::Open(const std::string& dataset) {
  {
    absl::MutexLock lock(&mu_);
    const auto found = std::find_if(tables_.begin(), tables_.end(), [&](const Entry& entry) {
      return entry.dataset == dataset;
    });
    if (found != tables_.end()) {
      tables_.splice(tables_.begin(), tables_, found);
      return tables_.front().table;
    }
  }
  TY_ASSIGN_OR_RETURN(const v1::Dataset record, datasets_->Get(dataset));
  TY_ASSIGN_OR_RETURN(Table table, datasets_->LoadTable(record, /*check_cells=*/true));
  auto opened = std::make_shared<const Table>(std::move(table));
  absl::MutexLock lock(&mu_);
  tables_.push_front({dataset, opened});
  if (tables_.size() > kTablesMax) tables_.pop_back();
  return opened;
}

absl::StatusOr<RowErrors> Evaluator::Measure(const Predictor& predictor,
                                             const std::string& dataset) {
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<const Table> table, Open(dataset));
  return predictor.EvaluateRows(*table);
}

std::optional<Evaluation> Evaluator::Recall(const Request& request) {
  absl::MutexLock lock(&mu_);
  const auto found = std::find_if(known_.begin(), known_.end(),
                                  [&](const Known& known) { return known.request == request; });
  if (found == known_.end()) return std::nullopt;
  known_.splice(known_.begin(), known_, found);
  return found->evaluation;
}

void Evaluator::Keep(Known known) {
  absl::MutexLock lock(&mu_);
  known_losses_ += known.evaluation.public_losses.size();
  known_.push_front(std::move(known));
  while (known_.size() > kKnownMax || known_losses_ > kKnownLossesMax) {
    known_losses_ -= known_.back().evaluation.public_losses.size();
    known_.pop_back();
  }
}

absl::StatusOr<Evaluation> Evaluator::EvaluateModel(const Request& request) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(request.model));
  TY_ASSIGN_OR_RETURN(const std::string bytes, models_->LoadBundle(model));
  TY_ASSIGN_OR_RETURN(Bundle bundle, DecodeBundle(bytes));
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Predictor> predictor,
                      Predictor::Create(std::move(bundle)));
  Evaluation evaluation;
  if (!request.public_dataset.empty()) {
    TY_ASSIGN_OR_RETURN(const RowErrors rows, Measure(*predictor, request.public_dataset));
    TY_ASSIGN_OR_RETURN(evaluation.public_score, MeasureScore(request.metric, rows));
    evaluation.public_losses = RowLosses(request.metric, rows);
    evaluation.ladder_unit = LadderUnit(request.metric, rows);
    evaluation.deciding_rows = static_cast<int64_t>(rows.errors.size());
    Request open = request;
    open.sealed_dataset.clear();
    Keep({std::move(open), evaluation});
  }
  if (!request.sealed_dataset.empty()) {
    TY_ASSIGN_OR_RETURN(const RowErrors rows, Measure(*predictor, request.sealed_dataset));
    TY_ASSIGN_OR_RETURN(evaluation.sealed_score, MeasureScore(request.metric, rows));
    evaluation.deciding_rows = static_cast<int64_t>(rows.errors.size());
  }
  return evaluation;
}

absl::StatusOr<Evaluation> Evaluator::Evaluate(const Request& request) {
  if (std::optional<Evaluation> known = Recall(request)) return *std::move(known);
  absl::StatusOr<Evaluation> evaluation = EvaluateModel(request);
  if (!evaluation.ok()) return Unspoken(evaluation.status());
  return evaluation;
}

}  // namespace trainyard

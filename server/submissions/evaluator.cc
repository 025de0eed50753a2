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

absl::StatusOr<Evaluation> Evaluator::Evaluate(const Request& request) {
  const auto measure = [&]() -> absl::StatusOr<Evaluation> {
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
    }
    if (!request.sealed_dataset.empty()) {
      TY_ASSIGN_OR_RETURN(const RowErrors rows, Measure(*predictor, request.sealed_dataset));
      TY_ASSIGN_OR_RETURN(evaluation.sealed_score, MeasureScore(request.metric, rows));
      evaluation.deciding_rows = static_cast<int64_t>(rows.errors.size());
    }
    return evaluation;
  };
  absl::StatusOr<Evaluation> evaluation = measure();
  if (!evaluation.ok()) return Unspoken(evaluation.status());
  return evaluation;
}

}  // namespace trainyard

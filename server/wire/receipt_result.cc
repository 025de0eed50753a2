#include "server/wire/receipt_result.h"

#include <string>

#include "absl/strings/strip.h"

namespace trainyard {

ReceiptResult ReceiptResultOf(const v1::SubmissionResult& proto) {
  ReceiptResult result{
      .points = proto.points(),
      .max_points = proto.max_points(),
      .score = proto.score(),
      .metric =
          std::string(absl::StripPrefix(v1::ScoreMetric_Name(proto.metric()), "SCORE_METRIC_")),
      .sealed = proto.sealed()};
  for (const v1::Criterion& criterion : proto.criteria()) {
    result.criteria.push_back({.name = criterion.name(),
                               .points = criterion.points(),
                               .max_points = criterion.max_points(),
                               .passed = criterion.passed()});
  }
  return result;
}

}  // namespace trainyard

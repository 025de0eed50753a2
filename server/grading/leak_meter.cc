#include "server/grading/leak_meter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// What is left of a limit; the largest number for none. Never negative.
int64_t LeftOf(int64_t total, const std::optional<int64_t>& max) {
  if (!max.has_value()) return std::numeric_limits<int64_t>::max() - total;
  return std::max<int64_t>(*max - total, 0);
}

std::string BitsText(int64_t millibits) {
  return absl::StrCat(static_cast<double>(millibits) / 1000);
}

absl::Status CheckLimit(absl::string_view who, int64_t total, const std::optional<int64_t>& max,
                        int64_t cost) {
  if (cost <= LeftOf(total, max)) return absl::OkStatus();
  const std::string limit = BitsText(max.value_or(std::numeric_limits<int64_t>::max()));
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat(who, " was told ", BitsText(total),
                   " bits of the hidden test set, and one more answer of ", BitsText(cost),
                   " bits would exceed ", limit),
      {.reason = ErrorReason::kAttemptsExhausted,
       .hint = "go by the public rows; submissions are still graded, only not answered",
       .in_force = absl::StrCat("at most ", limit, " bits for ", who)});
}

}  // namespace

int64_t ReleaseMillibits(int64_t value_count) {
  TY_CHECK(value_count >= 1);
  const auto count = static_cast<uint64_t>(value_count);
  // Of a power of two exactly.
  if (std::has_single_bit(count)) return 1000 * (std::bit_width(count) - 1);
  return static_cast<int64_t>(std::ceil(1000 * std::log2(static_cast<double>(count))));
}

absl::StatusOr<LeakTotals> ChargeRelease(const LeakTotals& before, const LeakLimits& limits,
                                         int64_t cost_millibits) {
  TY_CHECK(cost_millibits >= 0);
  TY_RETURN_IF_ERROR(CheckLimit("this student", before.student_millibits,
                                limits.student_millibits_max, cost_millibits));
  TY_RETURN_IF_ERROR(
      CheckLimit("the class", before.class_millibits, limits.class_millibits_max, cost_millibits));
  return LeakTotals{before.student_millibits + cost_millibits,
                    before.class_millibits + cost_millibits};
}

std::optional<int64_t> ReleasesLeft(const LeakTotals& totals, const LeakLimits& limits,
                                    int64_t cost_millibits) {
  const bool limited =
      limits.student_millibits_max.has_value() || limits.class_millibits_max.has_value();
  if (!limited || cost_millibits == 0) return std::nullopt;
  const int64_t left = std::min(LeftOf(totals.student_millibits, limits.student_millibits_max),
                                LeftOf(totals.class_millibits, limits.class_millibits_max));
  return left / cost_millibits;
}

}  // namespace trainyard

// The canonical form of a resolved spec: specs that mean the same are the same bytes, and it is
// these bytes that are trained. So a spec that was changed in a fifth digit, in the order of its
// columns, or in how it is shown, is the spec that was submitted before and has its score: a lucky
// seed cannot be looked for by variations that mean nothing.
//
//   const v1::TrainingSpec canonical = CanonicalSpec(resolved, assignment_spec);
//   const std::string digest = SpecDigest(canonical);     // server/wire/convert.h; of MessageBytes
//
// - Numbers with a fraction (double and float, initial weights too) have 4 significant decimal
//   digits, and 0 has no sign. What would round beyond the largest double stays.
// - threads, max_runtime, max_memory_bytes, step_event_interval, layer_records and metrics are the
//   assignment's: they decide resources and what is shown, not what is learned.
// - seed is left out: the server chooses seeds.
// - feature_columns, exclude_columns, label_columns and metrics are sorted, feature_options by
// their
//   column: their order says nothing, but it would decide which weight each column starts with.
//
// Idempotent: the canonical form of a canonical spec is that spec, to the byte.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_CANONICAL_SPEC_H_
#define TRAINYARD_SERVER_GRADING_CANONICAL_SPEC_H_

#include "trainyard/v1/spec.pb.h"

namespace trainyard {

// The decimal digits that are kept.
inline constexpr int kCanonicalDigits = 4;

// The double nearest to the decimal number of kCanonicalDigits significant digits that is nearest
// to `value`; `value` where that is not finite. Never -0.
double CanonicalNumber(double value);

v1::TrainingSpec CanonicalSpec(const v1::TrainingSpec& resolved,
                               const v1::TrainingSpec& assignment);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_CANONICAL_SPEC_H_

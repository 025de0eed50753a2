// The text of `trainyard train --feature`: what is done to one column, in the words of the flags
// that say it of all columns.
//
//   age:scaling=robust,impute=median,missing-indicator
//   grade:encoding=ordinal,categories=low|medium|high,unseen=refuse
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_FEATURE_FLAG_H_
#define TRAINYARD_CLIENT_FEATURE_FLAG_H_

#include <string>

#include "absl/strings/string_view.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {

// Lays `text` over what `spec` says of the column, in feature_options. Returns what is wrong; empty
// when all is well.
//
// The column's name ends at the first colon that one of the words stands behind, so it may have
// colons itself; categories may have neither commas nor bars (a spec file takes any).
std::string ApplyFeatureText(absl::string_view text, v1::TrainingSpec* spec);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_FEATURE_FLAG_H_

// FindTargetLeaks compares each feature with the target on training rows. A feature that tells the
// target is often not known before it: a copy, a code of it, a date that is filled in afterwards.
//
// A numeric feature leaks when its correlation with a numeric target, or with 0 and 1 for two
// classes, is beyond ±0.999. A feature of at most limits::kLeakValuesMax different values (text or
// numbers, missing cells being one of them) leaks when answering for each value with its most
// frequent class is right in 99.5 % of the rows and wrong at most a tenth as often as answering
// always with the most frequent class; of a number, when the means of the values leave less than
// 0.2 % of its variance. Values with fewer than five rows answer as the whole does, so that a
// feature of many values is not taken for one that knows. So does a feature that is missing exactly
// where the target is something else. Nothing is said of fewer than 20 training rows, nor when
// fewer than ten of them differ from the most frequent class.
//
// Thread-safety: pure.
#ifndef TRAINYARD_CORE_DATA_TARGET_LEAKS_H_
#define TRAINYARD_CORE_DATA_TARGET_LEAKS_H_

#include <string>
#include <vector>

#include "core/data/data_warnings.h"

namespace trainyard {

// One message per feature (of labels: per feature and label), in table order; at most
// limits::kDataWarningsMax + 1.
std::vector<std::string> FindTargetLeaks(const DataToDiagnose& data);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_TARGET_LEAKS_H_

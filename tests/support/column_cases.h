// Models on raw columns of every kind, with rows that have missing, unseen and refused cells: for
// tests/e2e/onnx and for tests of core/model.
#ifndef TRAINYARD_TESTS_SUPPORT_COLUMN_CASES_H_
#define TRAINYARD_TESTS_SUPPORT_COLUMN_CASES_H_

#include <string>
#include <vector>

#include "core/model/bundle.h"

namespace trainyard {

struct ModelCase {
  std::string name;  // begins with the task's word
  Bundle bundle;
  std::vector<std::vector<std::string>> cells = {};  // [rows][columns], as a file has them, trimmed
  bool hashed = false;                               // has no ONNX file
};

std::vector<ModelCase> ColumnCases();

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_COLUMN_CASES_H_

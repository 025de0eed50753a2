// The first part of an exported ONNX graph: from raw columns to the network's features, as
// Preprocessor::Apply makes them.
//
// One input `features` float [N, columns] where every column is a number that must not be missing;
// else one input [N, 1] per column, see export.h. A value that the server refuses makes a feature
// of its column NaN, as in Apply.
//
// Thread-safety: pure functions. REQUIRES (all): CheckBundle(bundle) is OK.
#ifndef TRAINYARD_CORE_MODEL_ONNX_FEATURES_H_
#define TRAINYARD_CORE_MODEL_ONNX_FEATURES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/model/bundle.h"
#include "core/model/onnx_graph.h"

namespace trainyard {

// INVALID_ARGUMENT/INVALID_REQUEST: every column whose transform ONNX cannot express.
absl::Status CheckOnnxFeatures(const Bundle& bundle);

// Whether the inputs are columns, and not one matrix.
bool HasOnnxColumns(const Bundle& bundle);
// Whether the graph needs the operators of kOnnxMlDomain.
bool NeedsOnnxMl(const Bundle& bundle);

// The inputs' names, in the order of the columns. A column is named as it is, or, where that is the
// name of an output or empty, with "input." before it, again until it is unique.
std::vector<std::string> OnnxInputNames(const Bundle& bundle);
// What names of the graph's inside begin with, which no input's does.
std::string OnnxPrefix(const Bundle& bundle);

// Adds inputs and nodes; returns the name of the features, float [N, feature_count].
// REQUIRES: CheckOnnxFeatures(bundle) is OK; the graph has OnnxPrefix.
std::string AddOnnxFeatures(const Bundle& bundle, OnnxGraph* graph);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_ONNX_FEATURES_H_

// Weights to start training from, out of an NPZ file of the user. core/model/npz_weights.h says
// what its arrays may be called.
//
//   TY_RETURN_IF_ERROR(ReadInitialWeights("weights.npz", &spec));
//
// Thread-safety: pure function. Errors: usage errors (exit_code.h) that name the file: it cannot be
// read, is no NPZ file, an array is no layer's, or the spec becomes too large to be sent.
#ifndef TRAINYARD_CLIENT_INITIAL_WEIGHTS_H_
#define TRAINYARD_CLIENT_INITIAL_WEIGHTS_H_

#include <string>

#include "absl/status/status.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {

// Replaces spec->initial_weights, which has the form of the contract.
absl::Status ReadInitialWeights(const std::string& path, v1::TrainingSpec* spec);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_INITIAL_WEIGHTS_H_

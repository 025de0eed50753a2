// The model calls that stream files: predicting a table, exporting and importing a model.
//
// Thread-safety: one call at a time per Remote and Screen.
#ifndef TRAINYARD_CLIENT_MODEL_FILES_H_
#define TRAINYARD_CLIENT_MODEL_FILES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/remote.h"
#include "client/screen.h"
#include "trainyard/v1/dataset.pb.h"
#include "trainyard/v1/model.pb.h"

namespace trainyard {

struct PredictFile {
  v1::Model model;           // name and feature_columns
  std::string table_path;    // CSV to read, plain or compressed
  v1::CsvOptions csv;        // how
  std::string target_path;   // CSV to write; empty: `screen`'s stdout
  int32_t hidden_layer = 0;  // 1 for the first: its outputs instead of predictions
};

// Rows predicted. Columns that the model does not use are told as a note. The file is sent while
// answers come, and neither is held in memory. On an error the target file is not there; stdout has
// the rows before it.
absl::StatusOr<int64_t> PredictTable(Remote& remote, Screen& screen, const PredictFile& job);

struct ExportedFile {
  int64_t size_bytes = 0;
  // ONNX: how far the file is from the server's own predictions, and on how many rows.
  std::optional<double> largest_difference;
  int64_t rows_compared = 0;
};

// The target is complete or not there.
absl::StatusOr<ExportedFile> ExportModel(Remote& remote, const v1::ExportModelRequest& request,
                                         const std::string& target_path);

// Sends a file in native format.
absl::StatusOr<v1::Model> ImportModel(Remote& remote, const std::string& path,
                                      const v1::ImportModelRequest::Options& options);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_MODEL_FILES_H_

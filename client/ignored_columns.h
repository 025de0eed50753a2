// Which columns of a CSV file a model has no use for, so that a person is told: a file is predicted
// as they have it, and a misspelt option or a forgotten column should not go by in silence.
//
//   for (const std::string& name : IgnoredColumns(*file, csv, model)) …
//
// Thread-safety: pure function. The file is read as the server reads it (core/data), and left
// rewound.
#ifndef TRAINYARD_CLIENT_IGNORED_COLUMNS_H_
#define TRAINYARD_CLIENT_IGNORED_COLUMNS_H_

#include <string>
#include <vector>

#include "core/data/byte_source.h"
#include "trainyard/v1/dataset.pb.h"
#include "trainyard/v1/model.pb.h"

namespace trainyard {

// Names in the order of the file; none when it has no header. Nothing is an error here: what is
// wrong with the file is the server's to say.
std::vector<std::string> IgnoredColumns(ByteSource& file, const v1::CsvOptions& csv,
                                        const v1::Model& model);

// "ignored 2 columns that the model does not use: id, diagnosis"; empty for none.
std::string IgnoredColumnsNote(const std::vector<std::string>& names);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_IGNORED_COLUMNS_H_

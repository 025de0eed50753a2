// ReadSvmlight reads the sparse text format of SVMlight and libsvm, one row a line:
//
//   label [qid:group] index:value index:value … # comment
//
//   TY_RETURN_IF_ERROR(ReadSvmlight(source, sink));
//
// Columns: `target`; `qid` when any line has one; `f1`, `f2`, … up to the largest index of the
// file, or from `f0` on when an index is 0. What is not written is 0 (of qid: missing). `nan` is a
// missing cell. Lines of blanks or a comment alone are skipped. Two passes over the source.
//
// Thread-safety: none; one call per source. Memory: the longest line, and a block of rows.
#ifndef TRAINYARD_CORE_DATA_SVMLIGHT_READER_H_
#define TRAINYARD_CORE_DATA_SVMLIGHT_READER_H_

#include "absl/status/status.h"
#include "core/data/byte_source.h"
#include "core/data/row_sink.h"

namespace trainyard {

// Errors, all with an ErrorInfo: INVALID_ARGUMENT/DATASET_REJECTED with the first bad line
// (1-based) and its byte (0-based): no number where one should be, several labels, indices that are
// not ascending; no rows or no features; RESOURCE_EXHAUSTED/TOO_LARGE beyond limits.h; and those of
// source and sink.
absl::Status ReadSvmlight(ByteSource& source, RowSink& sink);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_SVMLIGHT_READER_H_

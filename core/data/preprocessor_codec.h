// A Preprocessor in a file: what bundles and prepared data have of it.
//
//   preprocessor := column_count:u32 transform* missing_markers:strings
//   transform    := encoding:u8 offset:f64 scale:f64 fill:f64 flags:u8 buckets:u32 unseen:u8 categories:strings
//                   flags: 1 missing_indicator, 2 numeric_categories, 4 other_bucket
//   strings      := count:u32 string*        (coding.h)
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_PREPROCESSOR_CODEC_H_
#define TRAINYARD_CORE_DATA_PREPROCESSOR_CODEC_H_

#include "core/base/coding.h"
#include "core/data/preprocessor.h"

namespace trainyard {

void WritePreprocessor(const Preprocessor& preprocessor, ByteWriter* w);

// False when the bytes end early or say something impossible: unknown kinds, numbers that are not finite (a fill may be NaN), a category
// twice, what only another encoding has, "other" without its feature, no feature at all, counts over limits.h. Never allocates more than a small multiple of the bytes.
bool ReadPreprocessor(ByteReader* r, Preprocessor* preprocessor);

// What ReadPreprocessor guarantees, of a preprocessor made otherwise.
bool IsValidPreprocessor(const Preprocessor& preprocessor);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_PREPROCESSOR_CODEC_H_

#include "core/data/npy_reader.h"

#include "core/base/status_macros.h"
#include "core/data/npy_header.h"
#include "core/data/number_array.h"
#include "core/data/source_reader.h"

namespace trainyard {

absl::Status ReadNpy(ByteSource& source, RowSink& sink) {
  constexpr absl::string_view kSubject = "the NPY file";
  SourceReader reader(source);
  TY_RETURN_IF_ERROR(reader.SeekTo(0));
  TY_ASSIGN_OR_RETURN(const NpyHeader header, ReadNpyHeader(&reader, kSubject));
  ArrayLayout layout{.subject = std::string(kSubject),
                     .column_prefix = "c",
                     .single_name = "c0",
                     .in_force = header.Describe(),
                     .shape = header.shape,
                     .fortran_order = header.fortran_order};
  TY_ASSIGN_OR_RETURN(layout.type, ElementTypeOf(header, kSubject));
  TY_RETURN_IF_ERROR(CheckTableShape({&layout, 1}));
  return ReadArray(&reader, layout, sink);
}

}  // namespace trainyard

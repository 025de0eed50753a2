#include "core/data/idx_reader.h"

#include <optional>
#include <span>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/number_array.h"
#include "core/data/source_reader.h"

namespace trainyard {
namespace {

constexpr int kDimensionsMax = 4;
constexpr absl::string_view kSubject = "the IDX file";

absl::Status BadHeader(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrCat(kSubject, " ", what),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "upload the file as it was published, decompressed once or not at all",
                    .in_force = "format IDX, types 08 09 0B 0C 0D 0E, 1 to 4 dimensions"});
}

std::string HexText(char byte) {
  return absl::StrCat("0x", absl::Hex(static_cast<uint8_t>(byte), absl::kZeroPad2));
}

std::optional<ElementType> TypeOf(uint8_t code) {
  using Kind = ElementType::Kind;
  switch (code) {
    case 0x08:
      return ElementType{Kind::kUnsigned, 1, true};
    case 0x09:
      return ElementType{Kind::kSigned, 1, true};
    case 0x0B:
      return ElementType{Kind::kSigned, 2, true};
    case 0x0C:
      return ElementType{Kind::kSigned, 4, true};
    case 0x0D:
      return ElementType{Kind::kFloat, 4, true};
    case 0x0E:
      return ElementType{Kind::kFloat, 8, true};
    default:
      return std::nullopt;
  }
}

int64_t BigEndian32(std::span<const char, 4> bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

absl::StatusOr<ArrayLayout> ReadHeader(SourceReader* reader) {
  char magic[4] = {};
  TY_ASSIGN_OR_RETURN(const size_t magic_size, reader->Read(magic));
  if (magic_size < sizeof magic || magic[0] != 0 || magic[1] != 0)
    return BadHeader("does not begin with two zeros, a type and a number of dimensions");
  const std::optional<ElementType> type = TypeOf(static_cast<uint8_t>(magic[2]));
  if (!type.has_value()) {
    return BadHeader(
        absl::StrCat("has elements of type ", HexText(magic[2]), ", which there is not"));
  }
  const int dimensions = static_cast<uint8_t>(magic[3]);
  if (dimensions < 1 || dimensions > kDimensionsMax)
    return BadHeader(absl::StrCat("has ", dimensions, " dimensions; 1 to 4 are read"));
  ArrayLayout layout{.subject = std::string(kSubject),
                     .column_prefix = "c",
                     .single_name = "label",
                     .type = *type};
  for (int i = 0; i < dimensions; ++i) {
    char size[4];
    TY_ASSIGN_OR_RETURN(const size_t read, reader->Read(size));
    if (read < sizeof size) return BadHeader("is cut off within its dimensions");
    layout.shape.push_back(BigEndian32(size));
  }
  layout.in_force =
      absl::StrCat("IDX type ", HexText(magic[2]), ", dimensions ", ShapeText(layout.shape));
  return layout;
}

}  // namespace

absl::Status ReadIdx(ByteSource& source, RowSink& sink) {
  SourceReader reader(source);
  TY_RETURN_IF_ERROR(reader.SeekTo(0));
  TY_ASSIGN_OR_RETURN(const ArrayLayout layout, ReadHeader(&reader));
  TY_RETURN_IF_ERROR(CheckTableShape({&layout, 1}));
  return ReadArray(&reader, layout, sink);
}

}  // namespace trainyard

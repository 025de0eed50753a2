#include "core/data/npz_reader.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/npy_header.h"
#include "core/data/number_array.h"
#include "core/data/source_reader.h"
#include "core/data/zip_reader.h"

namespace trainyard {
namespace {

constexpr absl::string_view kSuffix = ".npy";
constexpr size_t kListedMax = 20;

struct StoredArray {
  std::string name;
  const ZipMember* member = nullptr;
  NpyHeader header;

  std::string subject() const { return absl::StrCat("array \"", name, "\""); }
};

// A member, open at its first byte.
class OpenArray {
 public:
  static absl::StatusOr<OpenArray> Open(ZipReader* zip, const StoredArray& array) {
    TY_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> bytes,
                        zip->Open(*array.member, array.subject()));
    OpenArray open(std::move(bytes));
    TY_RETURN_IF_ERROR(open.reader_.SeekTo(0));
    return open;
  }
  // The same, past its header.
  static absl::StatusOr<OpenArray> OpenData(ZipReader* zip, const StoredArray& array) {
    TY_ASSIGN_OR_RETURN(OpenArray open, Open(zip, array));
    TY_RETURN_IF_ERROR(ReadNpyHeader(open.reader(), array.subject()).status());
    return open;
  }
  SourceReader* reader() { return &reader_; }

 private:
  explicit OpenArray(std::unique_ptr<ByteSource> bytes)
      : bytes_(std::move(bytes)), reader_(*bytes_) {}

  std::unique_ptr<ByteSource> bytes_;
  SourceReader reader_;
};

absl::Status Rejected(absl::string_view message, absl::string_view hint) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = ErrorReason::kDatasetRejected, .hint = std::string(hint)});
}

absl::Status NoArrays(const std::vector<ZipMember>& members) {
  std::vector<std::string> names;
  for (const ZipMember& member : members) {
    if (names.size() < kListedMax) names.push_back(member.name);
  }
  const bool is_workbook = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return absl::StartsWith(name, "xl/");
  });
  return Rejected(absl::StrCat("the ZIP archive has no NumPy array (*.npy) in it, but ",
                               names.empty() ? "nothing" : absl::StrJoin(names, ", ")),
                  is_workbook ? "this is an Excel workbook: save the sheet as CSV in UTF-8"
                              : "unpack it and upload the table in it; gzip and zstd are fine");
}

// The headers of all arrays, in the order of their bytes.
absl::StatusOr<std::vector<StoredArray>> ListArrays(ZipReader* zip) {
  TY_RETURN_IF_ERROR(zip->ReadDirectory());
  std::vector<StoredArray> arrays;
  absl::flat_hash_set<absl::string_view> seen;
  for (const ZipMember& member : zip->members()) {
    absl::string_view name = member.name;
    if (!absl::ConsumeSuffix(&name, kSuffix)) continue;
    StoredArray array{.name = std::string(name), .member = &member};
    if (!seen.insert(name).second)
      return Rejected(absl::StrCat(array.subject(), " is there twice"), "save it once");
    TY_ASSIGN_OR_RETURN(OpenArray open, OpenArray::Open(zip, array));
    TY_ASSIGN_OR_RETURN(array.header, ReadNpyHeader(open.reader(), array.subject()));
    arrays.push_back(std::move(array));
  }
  if (arrays.empty()) return NoArrays(zip->members());
  return arrays;
}

// `X (100, 3) <f8, y (99,) <i8`.
std::string ListText(const std::vector<StoredArray>& arrays) {
  std::vector<std::string> texts;
  for (const StoredArray& array : arrays) {
    if (texts.size() == kListedMax) continue;
    texts.push_back(absl::StrCat(array.name, " ", ShapeText(array.header.shape), " ",
                                 array.header.descr.substr(0, kListedMax)));
  }
  std::string text = absl::StrJoin(texts, ", ");
  if (arrays.size() > kListedMax)
    absl::StrAppend(&text, " and ", arrays.size() - kListedMax, " more");
  return text;
}

absl::Status NotChosen(absl::string_view field, absl::string_view what,
                       const std::vector<StoredArray>& arrays) {
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrCat(field, ": ", what),
                   {.reason = ErrorReason::kInvalidRequest,
                    .hint = absl::StrCat("the arrays are ", ListText(arrays)),
                    .violations = {{std::string(field), std::string(what)}}});
}

absl::StatusOr<std::vector<StoredArray>> ChooseArrays(const std::vector<StoredArray>& arrays,
                                                      const NpzOptions& options) {
  if (options.arrays.empty()) return arrays;
  std::vector<StoredArray> chosen;
  absl::flat_hash_set<absl::string_view> seen;
  for (size_t i = 0; i < options.arrays.size(); ++i) {
    const std::string& name = options.arrays[i];
    const std::string field = absl::StrCat("npz_arrays[", i, "]");
    const auto found = std::find_if(arrays.begin(), arrays.end(),
                                    [&](const StoredArray& a) { return a.name == name; });
    if (found == arrays.end())
      return NotChosen(field, absl::StrCat("there is no array \"", name, "\""), arrays);
    if (!seen.insert(name).second)
      return NotChosen(field, absl::StrCat("\"", name, "\" is named twice"), arrays);
    chosen.push_back(*found);
  }
  return chosen;
}

absl::Status CheckSameRows(const std::vector<StoredArray>& arrays) {
  const auto rows = [](const StoredArray& array) {
    return array.header.shape.empty() ? -1 : array.header.shape[0];
  };
  const bool same = std::all_of(arrays.begin(), arrays.end(), [&](const StoredArray& array) {
    return rows(array) >= 0 && rows(array) == rows(arrays.front());
  });
  if (same) return absl::OkStatus();
  return Rejected(
      absl::StrCat("the arrays have different numbers of rows: ", ListText(arrays)),
      "choose arrays that belong together with npz_arrays, or save each part to a file of its own");
}

absl::Status CheckNames(const std::vector<ArrayLayout>& layouts) {
  absl::flat_hash_set<std::string> seen;
  for (const ArrayLayout& layout : layouts) {
    for (std::string& name : layout.ColumnNames()) {
      if (name.empty() || name.size() > static_cast<size_t>(limits::kColumnNameBytesMax)) {
        return Rejected(absl::StrCat(layout.subject, " makes a column name of ", name.size(),
                                     " bytes; 1 to ", limits::kColumnNameBytesMax, " are allowed"),
                        "save the array under another name");
      }
      const std::string shown = name;
      if (!seen.insert(std::move(name)).second) {
        return Rejected(
            absl::StrCat(layout.subject, " makes a column \"", shown, "\", which there is already"),
            "save the array under another name, or choose others with npz_arrays");
      }
    }
  }
  return absl::OkStatus();
}

// An array that holds no numbers may be left out.
absl::Status OrChoose(const absl::Status& status) {
  std::optional<ErrorInfo> info = GetErrorInfo(status);
  if (!info.has_value()) return status;
  absl::StrAppend(&info->hint, "; or leave it out: choose arrays with npz_arrays");
  return MakeError(status.code(), status.message(), *info);
}

absl::StatusOr<std::vector<ArrayLayout>> LayoutsOf(const std::vector<StoredArray>& arrays) {
  TY_RETURN_IF_ERROR(CheckSameRows(arrays));
  std::vector<ArrayLayout> layouts;
  for (const StoredArray& array : arrays) {
    ArrayLayout layout{.subject = array.subject(),
                       .column_prefix = array.name,
                       .single_name = array.name,
                       .in_force = array.header.Describe(),
                       .shape = array.header.shape,
                       .fortran_order = array.header.fortran_order};
    const absl::StatusOr<ElementType> type = ElementTypeOf(array.header, array.subject());
    if (!type.ok()) return OrChoose(type.status());
    layout.type = *type;
    layouts.push_back(std::move(layout));
  }
  TY_RETURN_IF_ERROR(CheckTableShape(layouts));
  TY_RETURN_IF_ERROR(CheckNames(layouts));
  return layouts;
}

// The index of the array to stream: the largest of those whose rows stand one after another. None:
// the number of arrays.
size_t ChooseStreamed(const std::vector<ArrayLayout>& layouts) {
  size_t streamed = layouts.size();
  for (size_t i = 0; i < layouts.size(); ++i) {
    if (!layouts[i].row_major()) continue;
    const bool larger =
        streamed == layouts.size() || layouts[i].size_bytes() > layouts[streamed].size_bytes();
    if (larger) streamed = i;
  }
  return streamed;
}

absl::Status CheckHeld(const std::vector<ArrayLayout>& layouts, size_t streamed) {
  int64_t bytes = 0;
  for (size_t i = 0; i < layouts.size(); ++i) bytes += i == streamed ? 0 : layouts[i].size_bytes();
  if (bytes <= limits::kHeldArrayBytesMax) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("one array is streamed; the others have ", bytes, " bytes, and at most ",
                   limits::kHeldArrayBytesMax, " are held beside it"),
      {.reason = ErrorReason::kTooLarge,
       .hint = "put the columns into one array in C order, numpy.column_stack([…]), or choose "
               "fewer arrays with npz_arrays"});
}

// All parts but the streamed one, read in the order of their bytes, so that the file is gone
// through once.
absl::StatusOr<std::vector<ArrayPart>> HoldParts(ZipReader* zip,
                                                 const std::vector<StoredArray>& arrays,
                                                 const std::vector<ArrayLayout>& layouts,
                                                 size_t streamed) {
  std::vector<ArrayPart> parts;
  std::vector<size_t> order;
  for (size_t i = 0; i < layouts.size(); ++i) {
    parts.push_back({.layout = layouts[i]});
    if (i != streamed) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return arrays[a].member->header_offset < arrays[b].member->header_offset;
  });
  for (const size_t i : order) {
    TY_ASSIGN_OR_RETURN(OpenArray open, OpenArray::OpenData(zip, arrays[i]));
    TY_ASSIGN_OR_RETURN(parts[i].held, HoldArray(open.reader(), layouts[i]));
  }
  return parts;
}

// Takes numbers one after another as float32.
class FloatSink : public RowSink {
 public:
  FloatSink(std::string subject, std::vector<float>* values)
      : subject_(std::move(subject)), values_(values) {}

  absl::Status Begin(const std::vector<std::string>&) override { return absl::OkStatus(); }
  absl::Status AddRows(std::span<const double> numbers) override {
    for (const double number : numbers) {
      const auto value = static_cast<float>(number);
      if (!std::isfinite(value)) {
        return Rejected(absl::StrCat(subject_, ", number ", values_->size(),
                                     " (from 0, in the order of the file): ", number,
                                     " is no finite 32-bit float"),
                        "save finite weights");
      }
      values_->push_back(value);
    }
    return absl::OkStatus();
  }

 private:
  const std::string subject_;
  std::vector<float>* const values_;
};

std::vector<float> InCOrder(const std::vector<float>& values, std::span<const int64_t> shape) {
  std::vector<float> ordered;
  ordered.reserve(values.size());
  for (const int64_t place : FortranPlaces(shape)) ordered.push_back(values[place]);
  return ordered;
}

// Reads an array as one column, whatever its shape: no order of rows to keep, and no limit on
// columns.
absl::StatusOr<NpzArray> ReadFloats(ZipReader* zip, const StoredArray& stored, int64_t count) {
  NpzArray array{.name = stored.name, .shape = stored.header.shape};
  ArrayLayout layout{.subject = stored.subject(),
                     .single_name = stored.name,
                     .in_force = stored.header.Describe(),
                     .shape = {count}};
  TY_ASSIGN_OR_RETURN(layout.type, ElementTypeOf(stored.header, layout.subject));
  TY_ASSIGN_OR_RETURN(OpenArray open, OpenArray::OpenData(zip, stored));
  FloatSink sink(layout.subject, &array.values);
  const ArrayPart part{.layout = layout};
  TY_RETURN_IF_ERROR(ReadArrayRows(open.reader(), {&part, 1}, sink));
  if (stored.header.fortran_order && array.shape.size() > 1)
    array.values = InCOrder(array.values, array.shape);
  return array;
}

}  // namespace

absl::Status ReadNpz(ByteSource& source, const NpzOptions& options, RowSink& sink) {
  ZipReader zip(source);
  TY_ASSIGN_OR_RETURN(const std::vector<StoredArray> all, ListArrays(&zip));
  TY_ASSIGN_OR_RETURN(const std::vector<StoredArray> arrays, ChooseArrays(all, options));
  TY_ASSIGN_OR_RETURN(const std::vector<ArrayLayout> layouts, LayoutsOf(arrays));
  const size_t streamed = ChooseStreamed(layouts);
  TY_RETURN_IF_ERROR(CheckHeld(layouts, streamed));
  TY_ASSIGN_OR_RETURN(const std::vector<ArrayPart> parts,
                      HoldParts(&zip, arrays, layouts, streamed));
  if (streamed == layouts.size()) return ReadArrayRows(nullptr, parts, sink);
  TY_ASSIGN_OR_RETURN(OpenArray open, OpenArray::OpenData(&zip, arrays[streamed]));
  return ReadArrayRows(open.reader(), parts, sink);
}

absl::StatusOr<std::vector<NpzArray>> ReadNpzArrays(absl::string_view bytes) {
  ViewSource source(bytes);
  ZipReader zip(source);
  TY_ASSIGN_OR_RETURN(const std::vector<StoredArray> stored, ListArrays(&zip));
  std::vector<NpzArray> arrays;
  int64_t total = 0;
  for (const StoredArray& array : stored) {
    const std::optional<int64_t> count = ElementCount(array.header.shape);
    if (!count.has_value() || *count > limits::kParametersMax - total) {
      return MakeError(
          absl::StatusCode::kResourceExhausted,
          absl::StrCat("the arrays have more than ", limits::kParametersMax, " numbers together"),
          {.reason = ErrorReason::kTooLarge, .hint = "save weights only"});
    }
    total += *count;
    TY_ASSIGN_OR_RETURN(NpzArray floats, ReadFloats(&zip, array, *count));
    arrays.push_back(std::move(floats));
  }
  return arrays;
}

}  // namespace trainyard

#include "core/data/npy_header.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/coding.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/utf8.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";
// A structured dtype of many fields may take that much; it is then refused by name.
constexpr uint32_t kTextBytesMax = 1 << 20;
constexpr size_t kDimensionsMax = 32;  // numpy's own
constexpr size_t kShownBytesMax = 60;

absl::Status BadHeader(absl::string_view subject, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrCat(subject, ": ", what),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "save the array with numpy.save or numpy.savez",
                    .in_force = "format NPY, versions 1 to 3"});
}

// The Python literal, strictly: what numpy writes, with spaces wherever Python allows them.
class LiteralParser {
 public:
  explicit LiteralParser(absl::string_view text) : rest_(text) {}

  // False: not such a literal.
  bool Parse(NpyHeader* header) {
    if (!Take('{')) return false;
    while (!Take('}')) {
      std::string key;
      if (!String(&key) || !Take(':') || !Value(key, header)) return false;
      if (Take(',')) continue;
      if (!Take('}')) return false;
      break;
    }
    SkipSpace();
    return rest_.empty() && has_descr_ && has_order_ && has_shape_;
  }

 private:
  bool Value(absl::string_view key, NpyHeader* header) {
    if (key == "descr") return Once(&has_descr_) && Descr(&header->descr);
    if (key == "fortran_order") return Once(&has_order_) && Boolean(&header->fortran_order);
    return key == "shape" && Once(&has_shape_) && Shape(&header->shape);
  }

  static bool Once(bool* seen) {
    const bool first = !*seen;
    *seen = true;
    return first;
  }

  void SkipSpace() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n'))
      rest_.remove_prefix(1);
  }

  bool Take(char wanted) {
    SkipSpace();
    if (rest_.empty() || rest_[0] != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool String(std::string* text) {
    SkipSpace();
    const char quote = rest_.empty() ? '\0' : rest_[0];
    if (quote != '\'' && quote != '"') return false;
    const size_t end = rest_.find(quote, 1);
    if (end == absl::string_view::npos) return false;
    *text = std::string(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return !absl::StrContains(*text, '\\');
  }

  // A string; or the list of a structured dtype, whose text it then is.
  bool Descr(std::string* text) {
    if (String(text)) return true;
    SkipSpace();
    const absl::string_view begin = rest_;
    if (rest_.empty() || (rest_[0] != '[' && rest_[0] != '(')) return false;
    int depth = 0;
    do {
      if (!SkipToken(&depth)) return false;
    } while (depth > 0);
    *text = std::string(begin.substr(0, begin.size() - rest_.size()));
    return true;
  }

  // One character of a list, or a whole string in it.
  bool SkipToken(int* depth) {
    if (rest_.empty()) return false;
    const char c = rest_[0];
    std::string ignored;
    if (c == '\'' || c == '"') return String(&ignored);
    if (c == '[' || c == '(') ++*depth;
    if (c == ']' || c == ')') --*depth;
    rest_.remove_prefix(1);
    return true;
  }

  bool Boolean(bool* value) {
    SkipSpace();
    *value = absl::ConsumePrefix(&rest_, "True");
    return *value || absl::ConsumePrefix(&rest_, "False");
  }

  bool Shape(std::vector<int64_t>* shape) {
    if (!Take('(')) return false;
    while (!Take(')')) {
      int64_t size = 0;
      if (!Integer(&size) || shape->size() == kDimensionsMax) return false;
      shape->push_back(size);
      if (Take(',')) continue;
      // `(3)` is no tuple.
      return shape->size() > 1 && Take(')');
    }
    return true;
  }

  bool Integer(int64_t* value) {
    SkipSpace();
    const size_t size = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (!absl::SimpleAtoi(rest_.substr(0, size), value)) return false;
    rest_.remove_prefix(size);
    absl::ConsumePrefix(&rest_, "L");  // as Python 2 wrote them
    return true;
  }

  absl::string_view rest_;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

// Magic, version and the size of the text.
absl::StatusOr<uint32_t> ReadPreamble(SourceReader* reader, absl::string_view subject) {
  char bytes[12] = {};
  constexpr size_t kVersionEnd = 8;
  TY_ASSIGN_OR_RETURN(const size_t size, reader->Read(std::span(bytes).first(kVersionEnd)));
  if (!absl::StartsWith(absl::string_view(bytes, size), kMagic))
    return BadHeader(subject, "does not begin as a NumPy array does (\"\\x93NUMPY\")");
  if (size < kVersionEnd) return BadHeader(subject, "is cut off within its header");
  const int major = static_cast<uint8_t>(bytes[6]);
  const int minor = static_cast<uint8_t>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0)
    return BadHeader(subject, absl::StrCat("has version ", major, ".", minor));
  const size_t length_bytes = major == 1 ? 2 : 4;
  const std::span<char> length = std::span(bytes).subspan(kVersionEnd, length_bytes);
  TY_ASSIGN_OR_RETURN(const size_t length_size, reader->Read(length));
  if (length_size < length_bytes) return BadHeader(subject, "is cut off within its header");
  uint32_t text_bytes = 0;
  std::memcpy(&text_bytes, length.data(), length_bytes);
  if (text_bytes > kTextBytesMax)
    return BadHeader(subject, absl::StrCat("has a header of ", text_bytes, " bytes"));
  return text_bytes;
}

// The start of text that is to be shown in one line.
std::string Shown(absl::string_view text) {
  if (!IsUtf8(text)) return "(not UTF-8)";
  std::string shown(Utf8Prefix(text, kShownBytesMax));
  std::replace_if(shown.begin(), shown.end(), absl::ascii_iscntrl, ' ');
  return shown;
}

constexpr absl::string_view kAsNumbers = "save numbers: x.astype(np.float64)";

// What to do about a dtype that is not one of numbers. `kind` is its letter.
absl::string_view RemedyOf(char kind) {
  switch (kind) {
    case '[':
    case '(':
      return "save its fields as arrays of their own: np.savez(f, **{n: x[n] for n in "
             "x.dtype.names}); or write a CSV file with pandas";
    case 'O':
      return "objects are Python's own. If all are numbers, save x.astype(np.float64); with text "
             "among them, write a CSV file with pandas.DataFrame(x).to_csv(…, index=False)";
    case 'U':
    case 'S':
    case 'a':
      return "text belongs into a CSV file: pandas.DataFrame(x).to_csv(…, index=False); labels "
             "may be numbers: np.unique(x, return_inverse=True)[1]";
    case 'c':
      return "save real and imaginary parts as columns: np.column_stack([x.real, x.imag])";
    case 'M':
    case 'm':
      return "save times as numbers, such as seconds: x.astype(\"datetime64[s]\").astype(np.int64)";
    default:
      return kAsNumbers;
  }
}

bool IsNumberType(char kind, int size) {
  switch (kind) {
    case 'b':
      return size == 1;
    case 'i':
    case 'u':
      return size == 1 || size == 2 || size == 4 || size == 8;
    case 'f':
      return size == 2 || size == 4 || size == 8;
    default:
      return false;
  }
}

ElementType::Kind KindOf(char kind) {
  if (kind == 'b') return ElementType::Kind::kBool;
  if (kind == 'i') return ElementType::Kind::kSigned;
  if (kind == 'u') return ElementType::Kind::kUnsigned;
  return ElementType::Kind::kFloat;
}

}  // namespace

std::string NpyHeader::Describe() const {
  return absl::StrCat("dtype ", Shown(descr), ", ", fortran_order ? "Fortran" : "C",
                      " order, shape ", ShapeText(shape));
}

absl::StatusOr<NpyHeader> ReadNpyHeader(SourceReader* reader, absl::string_view subject) {
  TY_ASSIGN_OR_RETURN(const uint32_t text_bytes, ReadPreamble(reader, subject));
  std::string text(text_bytes, '\0');
  TY_ASSIGN_OR_RETURN(const size_t size, reader->Read(std::span(text)));
  if (size < text.size()) return BadHeader(subject, "is cut off within its header");
  NpyHeader header;
  if (!LiteralParser(text).Parse(&header)) {
    return BadHeader(subject, absl::StrCat("cannot read the header \"",
                                           Shown(absl::StripAsciiWhitespace(text)), "\""));
  }
  return header;
}

absl::StatusOr<ElementType> ElementTypeOf(const NpyHeader& header, absl::string_view subject) {
  absl::string_view text = header.descr;
  const bool has_order =
      !text.empty() && absl::string_view("<>|=").find(text[0]) != absl::string_view::npos;
  const bool big_endian = has_order && text[0] == '>';
  if (has_order) text.remove_prefix(1);
  const char kind = text.empty() ? '\0' : text[0];
  int size = 0;
  const bool has_size = !text.empty() && absl::SimpleAtoi(text.substr(1), &size);
  if (!has_size || !IsNumberType(kind, size)) {
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        absl::StrCat(subject, " has the dtype ", Shown(header.descr),
                     ", which holds no numbers that a column can have"),
        {.reason = ErrorReason::kDatasetRejected,
         .hint = std::string(RemedyOf(kind)),
         .in_force = "dtypes f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1, of either byte order"});
  }
  return ElementType{KindOf(kind), size, big_endian};
}

}  // namespace trainyard

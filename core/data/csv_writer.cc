#include "core/data/csv_writer.h"

namespace trainyard {

void AppendCsvField(absl::string_view field, char delimiter, std::string* out) {
  const bool plain = field.find_first_of("\"\r\n") == absl::string_view::npos &&
                     field.find(delimiter) == absl::string_view::npos;
  if (plain) {
    out->append(field.data(), field.size());
    return;
  }
  out->push_back('"');
  for (const char c : field) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

}  // namespace trainyard

// Any bytes: the reader never crashes, and the first byte's choice of chunking changes nothing.
// Ingest takes or refuses them, and what it takes encodes and decodes to the same bytes.
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/check.h"
#include "core/data/csv_reader.h"
#include "core/data/ingest.h"
#include "core/data/table_codec.h"

namespace trainyard {
namespace {

struct Reading {
  std::vector<std::vector<std::string>> records;
  std::string error;
  bool operator==(const Reading&) const = default;
};

Reading ReadInChunks(absl::string_view bytes, size_t chunk_size) {
  CsvReader reader({});
  Reading reading;
  CsvRecord record;
  bool ended = false;
  while (!ended) {
    const absl::string_view chunk = bytes.substr(0, chunk_size);
    bytes.remove_prefix(chunk.size());
    ended = chunk.empty();
    if (ended) reader.FinishInput();
    reader.Append(chunk);
    absl::StatusOr<bool> more = reader.Next(&record);
    for (; more.ok() && *more; more = reader.Next(&record)) {
      reading.records.emplace_back(record.fields.begin(), record.fields.end());
    }
    if (more.ok()) continue;
    reading.error = std::string(more.status().message());
    return reading;
  }
  return reading;
}

void CheckIngest(absl::string_view bytes) {
  StringSource source{std::string(bytes)};
  const absl::StatusOr<IngestResult> result = IngestTable(source, {.csv = {.bad_rows_max = 3}});
  if (!result.ok()) {
    TY_CHECK(GetErrorInfo(result.status()).has_value());
    return;
  }
  TY_CHECK(result->table.rows > 0);
  const std::string encoded = EncodeTable(result->table);
  const absl::StatusOr<Table> decoded = DecodeTable(encoded);
  TY_CHECK(decoded.ok());
  TY_CHECK(EncodeTable(*decoded) == encoded);
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const trainyard::Reading whole = trainyard::ReadInChunks(bytes, size);
  TY_CHECK(whole == trainyard::ReadInChunks(bytes, 1 + data[0] % 32));
  trainyard::CheckIngest(bytes);
  return 0;
}

#include "core/data/csv_reader.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/limits.h"
#include "core/base/rng.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What a reader made of an input: records as text, and how it ended.
struct Reading {
  std::vector<std::vector<std::string>> records;
  std::vector<std::pair<int64_t, int64_t>> places;  // line, byte
  absl::Status status;
  bool operator==(const Reading&) const = default;
};

void Drain(CsvReader* reader, Reading* reading) {
  CsvRecord record;
  while (reading->status.ok()) {
    const absl::StatusOr<bool> more = reader->Next(&record);
    reading->status = more.status();
    if (!more.ok() || !*more) return;
    reading->records.emplace_back(record.fields.begin(), record.fields.end());
    reading->places.emplace_back(record.line, record.byte_offset);
  }
}

// Reads `bytes` in chunks that end at `cuts` (ascending).
Reading ReadInChunks(const std::string& bytes, const std::vector<size_t>& cuts,
                     char delimiter = ',') {
  CsvReader reader({.delimiter = delimiter});
  Reading reading;
  size_t begin = 0;
  for (const size_t cut : cuts) {
    reader.Append(absl::string_view(bytes).substr(begin, cut - begin));
    begin = cut;
    Drain(&reader, &reading);
  }
  reader.Append(absl::string_view(bytes).substr(begin));
  Drain(&reader, &reading);
  reader.FinishInput();
  Drain(&reader, &reading);
  return reading;
}

Reading ReadWhole(const std::string& bytes) { return ReadInChunks(bytes, {}); }

TEST(CsvReaderTest, RecordsOfRfc4180) {
  struct Case {
    const char* name;
    std::string bytes;
    std::vector<std::vector<std::string>> records;
  };
  const Case cases[] = {
      {"plain", "a,b\n1,2\n", {{"a", "b"}, {"1", "2"}}},
      {"no last line break", "a,b\n1,2", {{"a", "b"}, {"1", "2"}}},
      {"CRLF", "a,b\r\n1,2\r\n", {{"a", "b"}, {"1", "2"}}},
      {"CRLF after a quote", "\"a\",\"b\"\r\n", {{"a", "b"}}},
      {"empty fields", ",\n,,\n", {{"", ""}, {"", "", ""}}},
      {"delimiter at the end of the file", "a,", {{"a", ""}}},
      {"empty lines between", "a\n\n\r\nb\n\n", {{"a"}, {"b"}}},
      {"a quoted empty field is a record", "\"\"\n", {{""}}},
      {"quoted delimiter", "\"a,b\",c\n", {{"a,b", "c"}}},
      {"quoted line break", "\"a\nb\",c\n", {{"a\nb", "c"}}},
      {"doubled quotes", "\"a\"\"b\"\"\",\"\"\"\"\n", {{"a\"b\"", "\""}}},
      {"a quote inside an unquoted field", "5\" pipe,b\n", {{"5\" pipe", "b"}}},
      {"a space before a quote", "a, \"b\"\n", {{"a", "b"}}},
      {"byte order mark",
       "\xEF\xBB\xBF"
       "a,b\n",
       {{"a", "b"}}},
      {"a lone carriage return is text", "a\rb,c\n", {{"a\rb", "c"}}},
      {"nothing", "", {}},
      {"only a byte order mark", "\xEF\xBB\xBF", {}},
      {"the start of a byte order mark", "\xEF\xBB", {{"\xEF\xBB"}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Reading reading = ReadWhole(c.bytes);
    EXPECT_THAT(reading.status, IsOk());
    EXPECT_EQ(reading.records, c.records);
  }
}

TEST(CsvReaderTest, PlacesCountLinesInQuotes) {
  const Reading reading = ReadWhole("a,b\n\"x\ny\",1\n\nlast,2\n");
  EXPECT_THAT(reading.places, ElementsAre(std::pair(1, 0), std::pair(2, 4), std::pair(5, 13)));
}

TEST(CsvReaderTest, ErrorsNameLineAndByte) {
  struct Case {
    const char* name;
    std::string bytes;
    const char* message;
  };
  const Case cases[] = {
      {"NUL", std::string("a,b\n1,\0\n", 8), "line 2 (byte 6): NUL byte"},
      {"NUL in quotes", std::string("a\n\"\n\0\"", 6), "line 3 (byte 4): NUL byte"},
      {"open quote", "a\nb,\"c\nd\n", "line 2 (byte 4): quote left open"},
      {"text after a quote", "a\n\"b\"c\n", "line 2 (byte 5): text after a closing quote"},
      {"CR after a quote that ends no line", "\"b\"\rc\n", "text after a closing quote"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Reading reading = ReadWhole(c.bytes);
    EXPECT_THAT(reading.status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
    EXPECT_THAT(reading.status, HasReason(ErrorReason::kDatasetRejected));
    EXPECT_FALSE(GetErrorInfo(reading.status)->hint.empty());
  }
}

TEST(CsvReaderTest, LimitsAreErrors) {
  const std::string long_field(limits::kFieldBytesMax + 1, 'x');
  const std::string many_fields(limits::kDatasetColumnsMax, ',');
  std::string long_record;
  for (int i = 0; i < 40; ++i) long_record += std::string(limits::kFieldBytesMax / 2, 'y') + ",";
  for (const std::string& bytes : {long_field, "\"" + long_field, many_fields, long_record}) {
    const Reading reading = ReadWhole("a,b\n" + bytes + "\n");
    EXPECT_THAT(reading.status,
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("line 2 (byte 4)")));
    EXPECT_THAT(reading.status, HasReason(ErrorReason::kTooLarge));
    EXPECT_EQ(reading.records.size(), 1u);
  }
}

TEST(CsvReaderTest, WhatIsJustWithinTheLimitsIsRead) {
  const std::string longest(limits::kFieldBytesMax, 'x');
  const std::string fields(limits::kDatasetColumnsMax - 1, ',');
  const Reading reading = ReadWhole(longest + ",\"" + longest + "\"\n" + fields + "\n");
  ASSERT_THAT(reading.status, IsOk());
  EXPECT_EQ(reading.records[0][0], longest);
  EXPECT_EQ(reading.records[0][1], longest);
  EXPECT_EQ(reading.records[1].size(), static_cast<size_t>(limits::kDatasetColumnsMax));
}

// Bytes that often mean something, in any order.
std::string RandomCsv(Rng* rng) {
  const absl::string_view alphabet("ab\"\"\",,;\n\n\r x", 13);
  std::string bytes;
  const uint64_t size = rng->Below(60);
  for (uint64_t i = 0; i < size; ++i) bytes.push_back(alphabet[rng->Below(alphabet.size())]);
  if (rng->Below(20) == 0) bytes.push_back('\0');
  if (rng->Below(10) == 0) bytes.insert(0, "\xEF\xBB\xBF");
  return bytes;
}

TEST(CsvReaderTest, AnyChunkingGivesTheSameRecordsAndErrors) {
  Rng rng(20260101, RngStream::kAnalysis);
  for (int round = 0; round < 3000; ++round) {
    const std::string bytes = RandomCsv(&rng);
    const Reading whole = ReadWhole(bytes);
    std::vector<size_t> every_byte;
    std::vector<size_t> some;
    for (size_t i = 0; i < bytes.size(); ++i) {
      every_byte.push_back(i);
      if (rng.Below(4) == 0) some.push_back(i);
    }
    ASSERT_EQ(whole, ReadInChunks(bytes, every_byte)) << testing::PrintToString(bytes);
    ASSERT_EQ(whole, ReadInChunks(bytes, some)) << testing::PrintToString(bytes);
  }
}

// Over windows of the index and chunks that end anywhere in them, against a split by hand.
TEST(CsvReaderTest, ManyPlainRecordsInAnyChunks) {
  Rng rng(9, RngStream::kAnalysis);
  std::string bytes;
  std::vector<std::vector<std::string>> expected;
  for (int row = 0; row < 3000; ++row) {
    std::vector<std::string> fields(1 + rng.Below(30));
    for (std::string& field : fields) field = std::string(1 + rng.Below(12), 'x');
    bytes += absl::StrCat(absl::StrJoin(fields, ","), "\n");
    expected.push_back(std::move(fields));
  }
  for (const uint64_t chunk : {1u, 63u, 64u, 100u, 4095u, 4096u, 10'000u}) {
    std::vector<size_t> cuts;
    for (size_t cut = rng.Below(chunk + 1); cut < bytes.size(); cut += chunk) cuts.push_back(cut);
    const Reading reading = ReadInChunks(bytes, cuts);
    EXPECT_THAT(reading.status, IsOk());
    EXPECT_TRUE(reading.records == expected) << chunk;
  }
}

// Like Drain, with PeekPlain first wherever it can be asked. Bytes of places are left out.
void DrainPlain(CsvReader* reader, size_t field_count, Rng* rng, Reading* reading) {
  CsvRecord record;
  while (reading->status.ok()) {
    const CsvPlainRecords plain = reader->PeekPlain(field_count, 1 + rng->Below(40));
    const size_t taken = rng->Below(plain.count + 1);
    for (size_t i = 0; i < taken; ++i) {
      std::vector<std::string>& fields = reading->records.emplace_back();
      for (size_t j = 0; j < field_count; ++j)
        fields.emplace_back(plain.fields[i * field_count + j]);
      if (!fields.back().empty() && fields.back().back() == '\r') fields.back().pop_back();
      reading->places.emplace_back(plain.line + static_cast<int64_t>(i), 0);
    }
    reader->TakePlain(field_count, taken);
    const absl::StatusOr<bool> more = reader->Next(&record);
    reading->status = more.status();
    if (!more.ok() || !*more) return;
    reading->records.emplace_back(record.fields.begin(), record.fields.end());
    reading->places.emplace_back(record.line, 0);
  }
}

// Reads `bytes` both ways, the plain one in chunks of random sizes up to chunk_max.
void ExpectPlainIsTheSame(const std::string& bytes, const CsvOptions& options, size_t field_count,
                          uint64_t chunk_max, Rng* rng) {
  CsvReader reader(options);
  Reading expected;
  reader.Append(bytes);
  reader.FinishInput();
  Drain(&reader, &expected);
  for (auto& [line, byte] : expected.places) byte = 0;
  CsvReader plain_reader(options);
  Reading reading;
  absl::string_view rest = bytes;
  while (!rest.empty()) {
    const absl::string_view chunk = rest.substr(0, 1 + rng->Below(chunk_max));
    plain_reader.Append(chunk);
    rest.remove_prefix(chunk.size());
    DrainPlain(&plain_reader, field_count, rng, &reading);
  }
  plain_reader.FinishInput();
  DrainPlain(&plain_reader, field_count, rng, &reading);
  ASSERT_TRUE(reading == expected) << testing::PrintToString(bytes.substr(0, 300));
}

TEST(CsvReaderTest, PlainRecordsAreThoseThatNextGives) {
  Rng rng(26, RngStream::kAnalysis);
  for (int round = 0; round < 3000; ++round) {
    const std::string start = round % 2 == 0 ? "" : "some,bytes,to,read,back\n";
    const CsvOptions options{.comment = round % 3 == 0 ? ';' : CsvOptions::kNoComment};
    ExpectPlainIsTheSame(start + RandomCsv(&rng), options, 2 + rng.Below(2), 1 + rng.Below(80),
                         &rng);
  }
}

TEST(CsvReaderTest, ManyPlainRecordsAreThoseThatNextGives) {
  Rng rng(27, RngStream::kAnalysis);
  std::string bytes;
  for (int row = 0; row < 6000; ++row) {
    std::vector<std::string> fields(rng.Below(50) == 0 ? rng.Below(9) : 7);
    for (std::string& field : fields) field = std::string(rng.Below(12), 'x');
    if (rng.Below(900) == 0) bytes += "\"";
    bytes += absl::StrCat(absl::StrJoin(fields, ","), rng.Below(50) == 0 ? "\r\n" : "\n");
  }
  const CsvOptions quotes_are_text{.quote = CsvOptions::Quote::kNone};
  for (const uint64_t chunk_max : {100u, 5000u, 40'000u, 200'000u}) {
    ExpectPlainIsTheSame(bytes, quotes_are_text, 7, chunk_max, &rng);
    ExpectPlainIsTheSame(bytes, {}, 7, chunk_max, &rng);
  }
}

TEST(CsvReaderTest, WhatIsWrittenQuotedIsReadBack) {
  Rng rng(7, RngStream::kAnalysis);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> fields;
    std::string bytes;
    for (uint64_t i = 0; i <= rng.Below(5); ++i) {
      const std::string random = RandomCsv(&rng);
      const std::string field = random.substr(0, random.find('\0'));
      bytes += fields.empty() ? "\"" : ",\"";
      for (const char c : field) bytes += c == '"' ? "\"\"" : std::string(1, c);
      bytes += '"';
      fields.push_back(field);
    }
    EXPECT_THAT(ReadWhole(bytes + "\r\n").records, ElementsAre(fields));
  }
}

TEST(CsvReaderTest, OptionsOutOfRangeAreAllNamed) {
  const absl::Status status = CheckCsvOptions({.delimiter = 'x', .bad_rows_max = -1});
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  const auto violations = GetErrorInfo(status)->violations;
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[0].field, "csv.delimiter");
  EXPECT_EQ(violations[1].field, "csv.bad_rows_max");
  EXPECT_THAT(CheckCsvOptions({.delimiter = '\t'}), IsOk());
}

}  // namespace
}  // namespace trainyard

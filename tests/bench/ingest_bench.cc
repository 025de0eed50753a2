// ingest_bench FILE [REPEATS]: reads a CSV file from memory into a table, as Finalize does, and
// prints one JSON line with the medians of the repeats: wall time, time of the processor, and the
// time of the processor for reading the same bytes once without doing anything with them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "core/data/ingest.h"

namespace {

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string ReadFile(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::string bytes(file ? static_cast<size_t>(file.tellg()) : 0, '\0');
  file.seekg(0);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// The sum of all whole words of `bytes`: a loop that only memory bounds.
uint64_t SumWords(const std::string& bytes) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + sizeof sums <= bytes.size(); i += sizeof sums) {
    uint64_t words[8];
    std::memcpy(words, bytes.data() + i, sizeof words);
    for (int j = 0; j < 8; ++j) sums[j] += words[j];
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: ingest_bench FILE [REPEATS]\n";
    return 2;
  }
  const std::string bytes = ReadFile(argv[1]);
  trainyard::ViewSource source(bytes);
  const int repeats = argc > 2 ? std::max(1, std::atoi(argv[2])) : 5;

  std::vector<double> wall, cpu, read;
  int64_t rows = 0;
  uint64_t sum = 0;
  for (int i = 0; i < repeats; ++i) {
    const double read_start = CpuSeconds();
    sum += SumWords(bytes);
    const double cpu_start = CpuSeconds();
    const double wall_start = WallSeconds();
    const auto result = trainyard::IngestTable(source, {});
    wall.push_back(WallSeconds() - wall_start);
    cpu.push_back(CpuSeconds() - cpu_start);
    read.push_back(cpu_start - read_start);
    if (!result.ok()) {
      std::cerr << argv[1] << ": " << result.status() << "\n";
      return 1;
    }
    rows = result->table.rows;
  }
  std::printf(
      "{\"file\":\"%s\",\"bytes\":%zu,\"rows\":%lld,\"seconds\":%.4f,\"mb_per_s\":%.1f,"
      "\"cpu_seconds\":%.4f,\"read_cpu_seconds\":%.4f,\"word_sum\":%llu}\n",
      argv[1], bytes.size(), static_cast<long long>(rows), Median(wall),
      static_cast<double>(bytes.size()) / 1e6 / Median(wall), Median(cpu), Median(read),
      static_cast<unsigned long long>(sum));
  return 0;
}

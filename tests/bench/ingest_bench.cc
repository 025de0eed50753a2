// ingest_bench FILE [REPEATS]: reads a CSV file from memory into a table, as Finalize does, and
// prints one JSON line with the median of the repeats.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "core/data/ingest.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: ingest_bench FILE [REPEATS]\n";
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  const std::string bytes = content.str();
  trainyard::StringSource source(bytes);
  const int repeats = argc > 2 ? std::max(1, std::atoi(argv[2])) : 5;

  std::vector<double> seconds;
  int64_t rows = 0;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto result = trainyard::IngestTable(source, {});
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    if (!result.ok()) {
      std::cerr << argv[1] << ": " << result.status() << "\n";
      return 1;
    }
    rows = result->table.rows;
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  std::printf("{\"file\":\"%s\",\"bytes\":%zu,\"rows\":%lld,\"seconds\":%.4f,\"mb_per_s\":%.1f}\n",
              argv[1], bytes.size(), static_cast<long long>(rows), median,
              static_cast<double>(bytes.size()) / 1e6 / median);
  return 0;
}

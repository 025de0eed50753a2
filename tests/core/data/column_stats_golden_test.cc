// Statistics of columns of many kinds against numpy: tests/golden/make_column_stats.py.
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/data/column_stats.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

// Numbers in [0, 1): the golden file's.
class Draws {
 public:
  double Next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state_ >> 11) / 0x1p53;
  }

 private:
  uint64_t state_ = 12345;
};

double Bell(double u) { return (u - 0.5) / (1.0001 - std::fabs(2 * u - 1)); }

using NumberOf = std::function<double(double u, int64_t i)>;

std::map<std::string, NumberOf> Kinds() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {
      {"uniform", [](double u, int64_t) { return u; }},
      {"cents", [](double u, int64_t) { return std::floor(u * 10000) / 100; }},
      {"byte", [](double u, int64_t) { return std::floor(u * 256); }},
      {"far_integers", [](double u, int64_t) { return 1e15 + std::floor(u * 1000); }},
      {"large_integers", [](double u, int64_t) { return std::floor(u * 1e9); }},
      {"huge_integers", [](double u, int64_t) { return std::floor(u * 1000) * 1e18; }},
      {"mostly_zero", [](double u, int64_t i) { return i % 16 != 0 ? 0.0 : Bell(u); }},
      {"half_missing", [nan](double u, int64_t i) { return i % 2 != 0 ? nan : Bell(u); }},
      {"shifted", [](double u, int64_t) { return 1e9 + 1 + u; }},
      {"bell", [](double u, int64_t) { return Bell(u); }},
      {"magnitudes",
       [](double u, int64_t i) {
         return std::ldexp(u - 0.5, static_cast<int>((i * 37) % 601 - 300));
       }},
      {"huge", [](double u, int64_t) { return (u - 0.5) * 1.7e308; }},
      {"tiny", [](double u, int64_t) { return u * 1e-300; }},
      {"squares_overflow", [](double u, int64_t) { return 1e154 * (1 + std::floor(u * 8)); }},
      {"equal", [](double, int64_t) { return 0.1; }},
      {"two", [](double u, int64_t) { return u < 0.25 ? 1.0 : 0.0; }},
      {"counter", [](double, int64_t i) { return static_cast<double>(i + 1); }},
      {"signed_zero", [](double u, int64_t) { return u < 0.5 ? -0.0 : 0.0; }},
      {"clusters", [](double u, int64_t i) { return static_cast<double>(i % 3) * 1e6 + u * 1e-3; }},
  };
}

Column ColumnOf(const NumberOf& number_of, int64_t rows) {
  Draws draws;
  std::vector<double> numbers;
  for (int64_t i = 0; i < rows; ++i) numbers.push_back(number_of(draws.Next(), i));
  Column column;
  column.numbers = std::move(numbers);
  return column;
}

// One line of the file after kind and rows.
struct Golden {
  int64_t missing = 0, distinct = 0;
  int integers = 0;
  double min = 0, max = 0, mean = 0, deviation = 0;
  std::vector<double> quantiles;
};

Golden ReadGolden(std::istream& in) {
  Golden golden;
  in >> golden.missing >> golden.distinct >> golden.integers;
  std::string number;
  for (double* field : {&golden.min, &golden.max, &golden.mean, &golden.deviation}) {
    in >> number;
    *field = std::stod(number);
  }
  while (in >> number) golden.quantiles.push_back(std::stod(number));
  return golden;
}

// std::stod refuses what is subnormal; the golden file has none but 0.
void ExpectStats(const ColumnStats& stats, const Golden& golden) {
  EXPECT_EQ(stats.missing_count, golden.missing);
  EXPECT_EQ(stats.distinct_count, golden.distinct);
  EXPECT_EQ(stats.integers, golden.integers == 1);
  EXPECT_EQ(stats.min, golden.min);
  EXPECT_EQ(stats.max, golden.max);
  EXPECT_NEAR(stats.mean, golden.mean, 1e-15 * std::fabs(golden.mean) + 1e-19 * golden.deviation);
  EXPECT_NEAR(stats.standard_deviation, golden.deviation, 2e-15 * golden.deviation);
  EXPECT_THAT(stats.quantiles, testing::ElementsAreArray(golden.quantiles));
}

TEST(ColumnStatsGoldenTest, StatisticsAreNumpys) {
  const std::map<std::string, NumberOf> kinds = Kinds();
  std::ifstream file(absl::StrCat(TY_SOURCE_DIR, "/tests/golden/column_stats.txt"));
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in(line);
    std::string kind;
    int64_t rows = 0;
    in >> kind >> rows;
    SCOPED_TRACE(absl::StrCat(kind, " of ", rows, " rows"));
    ExpectStats(ComputeStats(ColumnOf(kinds.at(kind), rows)), ReadGolden(in));
    ++cases;
  }
  EXPECT_EQ(cases, 7 * 19);
}

}  // namespace
}  // namespace trainyard

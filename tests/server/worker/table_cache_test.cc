#include "server/worker/table_cache.h"

#include "gtest/gtest.h"

namespace trainyard {
namespace {

std::shared_ptr<const Table> TableOf(int64_t bytes) {
  auto table = std::make_shared<Table>();
  table->columns.emplace_back();
  table->columns[0].numbers = std::vector<double>(static_cast<size_t>(bytes) / sizeof(double));
  return table;
}

TEST(TableCacheTest, TheLeastRecentlyUsedGoesFirst) {
  TableCache cache(300);
  cache.Insert("a", TableOf(80));
  cache.Insert("b", TableOf(80));
  cache.Insert("c", TableOf(80));
  EXPECT_NE(cache.Find("a"), nullptr);
  cache.Insert("d", TableOf(160));
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_EQ(cache.Find("c"), nullptr);
  EXPECT_NE(cache.Find("a"), nullptr);
  EXPECT_NE(cache.Find("d"), nullptr);
  EXPECT_EQ(cache.size_bytes(), 240);
}

TEST(TableCacheTest, ATableLargerThanTheCacheIsNotKept) {
  TableCache cache(100);
  cache.Insert("a", TableOf(80));
  cache.Insert("b", TableOf(160));
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_NE(cache.Find("a"), nullptr);
}

TEST(TableCacheTest, ATableInUseOutlivesItsPlace) {
  TableCache cache(100);
  cache.Insert("a", TableOf(80));
  const std::shared_ptr<const Table> held = cache.Find("a");
  cache.Shrink(0);
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.size_bytes(), 0);
  EXPECT_EQ(held->columns[0].numbers.size(), 10u);
}

}  // namespace
}  // namespace trainyard

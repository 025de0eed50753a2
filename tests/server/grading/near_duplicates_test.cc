#include "server/grading/near_duplicates.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;

TEST(NearDuplicatesTest, RowsOfAnotherOrderAndOtherCategoriesAreFound) {
  const Table sealed = TableOf("city,size,label\nOslo,1,a\nLima,2.5,b\nRome,,a\n,7,b\n");
  const Table uploaded =
      TableOf("extra,size,city\n1,2.5,Lima\n2,2.5,Lima\n3,2.5,Oslo\n4,,Rome\n5,7,\n6,1,Bonn\n");
  ASSERT_OK_AND_ASSIGN(const CommonRows common, FindCommonRows(uploaded, sealed, {"city", "size"}));
  EXPECT_EQ(common.uploaded_rows, 4);  // Lima twice, Rome, and the one without a city
  EXPECT_EQ(common.sealed_rows, 3);
  EXPECT_THAT(common.columns, ElementsAre("city", "size"));
}

TEST(NearDuplicatesTest, OnlySharedFeaturesAreCompared) {
  const Table sealed = TableOf("a,b,y\n1,2,0\n3,4,1\n");
  const Table uploaded = TableOf("a,c,y\n1,9,1\n2,9,0\n");
  ASSERT_OK_AND_ASSIGN(const CommonRows common, FindCommonRows(uploaded, sealed, {"a", "b"}));
  EXPECT_EQ(common.uploaded_rows, 1);
  EXPECT_THAT(common.columns, ElementsAre("a"));
  EXPECT_THAT(FindCommonRows(uploaded, sealed, {"b", "c"}).status(),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST(NearDuplicatesTest, ANumberIsTheTextItPrintsAs) {
  const Table sealed = TableOf("code\n10\n20\n0.5\n");
  const Table uploaded = TableOf("code\n10\nx\n0.5\n");
  ASSERT_OK_AND_ASSIGN(const CommonRows common, FindCommonRows(uploaded, sealed, {"code"}));
  EXPECT_EQ(common.uploaded_rows, 2);
  ASSERT_OK_AND_ASSIGN(const CommonRows back, FindCommonRows(sealed, uploaded, {"code"}));
  EXPECT_EQ(back.sealed_rows, 2);
}

// Small whole numbers, of which many rows are equal, against sets of strings.
TEST(NearDuplicatesTest, CountsAreThoseOfSetsOfRows) {
  Rng rng(8, RngStream::kAnalysis);
  const auto draw = [&](int rows) {
    std::vector<std::string> lines;
    for (int i = 0; i < rows; ++i) {
      lines.push_back(absl::StrCat(rng.Below(12), ",", rng.Below(12), ",", rng.Below(12)));
    }
    return lines;
  };
  const auto table = [](const std::vector<std::string>& lines) {
    std::string csv = "a,b,c\n";
    for (const std::string& line : lines) absl::StrAppend(&csv, line, "\n");
    return TableOf(csv);
  };
  const std::vector<std::string> uploaded = draw(2000);
  const std::vector<std::string> sealed = draw(1000);
  const std::set<std::string> known(sealed.begin(), sealed.end());
  std::set<std::string> met;
  int64_t rows = 0;
  for (const std::string& line : uploaded) {
    if (!known.contains(line)) continue;
    ++rows;
    met.insert(line);
  }
  ASSERT_OK_AND_ASSIGN(const CommonRows common,
                       FindCommonRows(table(uploaded), table(sealed), {"a", "b", "c"}));
  EXPECT_GT(rows, 100);
  EXPECT_EQ(common.uploaded_rows, rows);
  EXPECT_EQ(common.sealed_rows, static_cast<int64_t>(met.size()));
}

}  // namespace
}  // namespace trainyard

#include "core/base/spill_file.h"

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(SpillFileTest, WhatIsAppendedIsReadFromAnywhere) {
  const std::string path = absl::StrCat(testing::TempDir(), "/spill");
  ASSERT_OK_AND_ASSIGN(SpillFile spill, SpillFile::Create(path));
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_THAT(spill.Append("abc"), IsOk());
  ASSERT_THAT(spill.Append("defg"), IsOk());
  EXPECT_EQ(spill.size_bytes(), 7);
  std::string back(4, '\0');
  ASSERT_THAT(spill.Read(2, back), IsOk());
  EXPECT_EQ(back, "cdef");
  EXPECT_THAT(spill.Read(5, back), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("ends at 7")));
}

TEST(SpillFileTest, WhatIsMappedOutlivesTheFile) {
  std::shared_ptr<const MappedFile> mapped;
  {
    ASSERT_OK_AND_ASSIGN(SpillFile spill,
                         SpillFile::Create(absl::StrCat(testing::TempDir(), "/spill")));
    ASSERT_THAT(spill.Append("abc"), IsOk());
    ASSERT_OK_AND_ASSIGN(mapped, spill.Map());
  }
  EXPECT_EQ(mapped->bytes(), "abc");
}

TEST(SpillFileTest, AFullDiskIsSaid) {
  ASSERT_OK_AND_ASSIGN(SpillFile spill, SpillFile::Create("/dev/full"));
  const absl::Status status = spill.Append("abc");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("/dev/full")));
  EXPECT_THAT(status, HasReason(ErrorReason::kStorageFull));
  EXPECT_TRUE(std::filesystem::exists("/dev/full"));
}

TEST(SpillFileTest, ADirectoryThatIsNotThere) {
  EXPECT_THAT(SpillFile::Create("/nowhere/spill").status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/spill")));
}

}  // namespace
}  // namespace trainyard

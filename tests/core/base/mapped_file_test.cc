#include "core/base/mapped_file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

std::string FileOf(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(MappedFileTest, HasTheFilesBytesEvenWhenItsNameIsGone) {
  const std::string path = FileOf("mapped", "abc");
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(path));
  std::filesystem::remove(path);
  EXPECT_EQ(file->bytes(), "abc");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->bytes().data()) % 4096, 0u);
}

int64_t ResidentFileBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t total = 0, resident = 0, shared = 0;
  statm >> total >> resident >> shared;
  return shared * sysconf(_SC_PAGESIZE);
}

TEST(MappedFileTest, WhatIsForgottenIsNoMemoryOfThisProcessAndComesBack) {
  const std::string bytes(size_t{32} << 20, 'x');
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(FileOf("forgotten", bytes)));
  EXPECT_TRUE(file->bytes() == bytes);
  const int64_t before = ResidentFileBytes();
  file->Forget(file->bytes().substr(100, 31 << 20));
  EXPECT_LT(ResidentFileBytes(), before - (int64_t{30} << 20));
  EXPECT_TRUE(file->bytes() == bytes);
  MappedFile::Of("abc")->Forget("");
}

TEST(MappedFileTest, AnEmptyFileHasNoBytes) {
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(FileOf("empty", "")));
  EXPECT_EQ(file->bytes(), "");
}

TEST(MappedFileTest, StandsForBytesThatAreNoFile) {
  EXPECT_EQ(MappedFile::Of("abc")->bytes(), "abc");
}

TEST(MappedFileTest, WhatCannotBeMapped) {
  EXPECT_THAT(MappedFile::Open("/nowhere/file").status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("\"/nowhere/file\"")));
  EXPECT_THAT(MappedFile::Open(testing::TempDir()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no ordinary file")));
}

}  // namespace
}  // namespace trainyard

#include "core/base/file_system.h"

#include <array>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mem_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What every FileSystem does, so that the one of the tests is as good as the real one.
class FileSystemTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      files_ = std::make_unique<MemFileSystem>();
    } else {
      files_ = std::make_unique<PosixFileSystem>();
    }
    ASSERT_THAT(files_->CreateDirectory(root_), IsOk());
  }
  std::string Path(const std::string& name) const { return root_ + "/" + name; }
  void Write(const std::string& name, absl::string_view bytes) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<WritableFile> file, files_->Create(Path(name)));
    ASSERT_THAT(file->Append(bytes), IsOk());
    ASSERT_THAT(file->Sync(), IsOk());
  }
  std::string Contents(const std::string& name) {
    absl::StatusOr<std::unique_ptr<ReadableFile>> file = files_->OpenRead(Path(name));
    if (!file.ok()) return file.status().ToString();
    std::string bytes;
    std::array<char, 3> buffer;
    while (size_t got = *(*file)->Read(buffer)) bytes.append(buffer.data(), got);
    return bytes;
  }

  TempDir dir_;
  const std::string root_ = dir_.path() + "/a/b";
  std::unique_ptr<FileSystem> files_;
};

INSTANTIATE_TEST_SUITE_P(PosixAndMemory, FileSystemTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Memory" : "Posix"; });

TEST_P(FileSystemTest, WhatIsWrittenIsRead) {
  Write("f", "0123456789");
  EXPECT_EQ(Contents("f"), "0123456789");
  EXPECT_EQ(*files_->Size(Path("f")), 10);
  Write("f", "x");
  EXPECT_EQ(Contents("f"), "x");
}

TEST_P(FileSystemTest, AppendGoesOnAtTheEnd) {
  for (const char* part : {"ab", "cd"}) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<WritableFile> file, files_->OpenAppend(Path("f")));
    ASSERT_THAT(file->Append(part), IsOk());
  }
  EXPECT_EQ(Contents("f"), "abcd");
}

TEST_P(FileSystemTest, RewindReadsAgain) {
  Write("f", "abc");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ReadableFile> file, files_->OpenRead(Path("f")));
  std::array<char, 8> buffer;
  EXPECT_EQ(*file->Read(buffer), 3u);
  EXPECT_EQ(*file->Read(buffer), 0u);
  ASSERT_THAT(file->Rewind(), IsOk());
  EXPECT_EQ(*file->Read(buffer), 3u);
}

TEST_P(FileSystemTest, TruncateCuts) {
  Write("f", "abcdef");
  ASSERT_THAT(files_->Truncate(Path("f"), 2), IsOk());
  EXPECT_EQ(Contents("f"), "ab");
}

TEST_P(FileSystemTest, RenameReplaces) {
  Write("from", "new");
  Write("to", "old");
  ASSERT_THAT(files_->Rename(Path("from"), Path("to")), IsOk());
  EXPECT_EQ(Contents("to"), "new");
  EXPECT_THAT(*files_->List(root_), ElementsAre("to"));
}

TEST_P(FileSystemTest, ALinkIsASecondName) {
  Write("a", "bytes");
  EXPECT_EQ(*files_->LinkCount(Path("a")), 1);
  ASSERT_THAT(files_->Link(Path("a"), Path("b")), IsOk());
  EXPECT_EQ(*files_->LinkCount(Path("a")), 2);
  EXPECT_TRUE(absl::IsAlreadyExists(files_->Link(Path("a"), Path("b"))));
  // Renaming one name to the other leaves both, as POSIX says.
  ASSERT_THAT(files_->Rename(Path("a"), Path("b")), IsOk());
  EXPECT_THAT(*files_->List(root_), ElementsAre("a", "b"));
  ASSERT_THAT(files_->Remove(Path("a")), IsOk());
  EXPECT_EQ(Contents("b"), "bytes");
  EXPECT_EQ(*files_->LinkCount(Path("b")), 1);
}

TEST_P(FileSystemTest, ListShowsFilesAndDirectories) {
  Write("z", "");
  ASSERT_THAT(files_->CreateDirectory(Path("d/e")), IsOk());
  EXPECT_THAT(*files_->List(root_), ElementsAre("d", "z"));
  EXPECT_THAT(files_->CreateDirectory(Path("d")), IsOk());
  EXPECT_THAT(files_->SyncDirectory(root_), IsOk());
}

TEST_P(FileSystemTest, WhatIsNotThereIsNotFound) {
  const std::string none = Path("none");
  EXPECT_TRUE(absl::IsNotFound(files_->OpenRead(none).status()));
  EXPECT_TRUE(absl::IsNotFound(files_->Size(none).status()));
  EXPECT_TRUE(absl::IsNotFound(files_->LinkCount(none).status()));
  EXPECT_TRUE(absl::IsNotFound(files_->Truncate(none, 0)));
  EXPECT_TRUE(absl::IsNotFound(files_->SyncFile(none)));
  EXPECT_TRUE(absl::IsNotFound(files_->Rename(none, Path("to"))));
  EXPECT_TRUE(absl::IsNotFound(files_->Link(none, Path("to"))));
  EXPECT_TRUE(absl::IsNotFound(files_->Remove(none)));
  EXPECT_TRUE(absl::IsNotFound(files_->Create(Path("none/f")).status()));
  EXPECT_THAT(files_->Size(none).status().message(), HasSubstr(none));
}

TEST_P(FileSystemTest, FreeBytesAreCounted) { EXPECT_GT(*files_->FreeBytes(root_), 0); }

TEST(PosixFileSystemTest, AFileInTheWayOfADirectoryIsNamed) {
  TempDir dir;
  PosixFileSystem files;
  const std::string path = dir.path() + "/f";
  ASSERT_THAT(files.Create(path), IsOk());
  EXPECT_THAT(files.CreateDirectory(path),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("Not a directory")));
  EXPECT_THAT(files.CreateDirectory(path + "/g"), HasReason(ErrorReason::kInternal));
}

// /dev/full answers every write with ENOSPC.
TEST(PosixFileSystemTest, AFullDiskIsStorageFull) {
  PosixFileSystem files;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<WritableFile> file, files.OpenAppend("/dev/full"));
  const absl::Status status = file->Append("x");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("/dev/full")));
  EXPECT_THAT(status, HasReason(ErrorReason::kStorageFull));
}

}  // namespace
}  // namespace trainyard

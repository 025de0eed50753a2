#include "server/storage/blob_store.h"

#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "tests/support/mem_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kNoLimit = int64_t{1} << 40;

class BlobStoreTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() { ASSERT_OK_AND_ASSIGN(store_, BlobStore::Open("/blobs", files_)); }
  void WriteFile(const std::string& path, absl::string_view bytes) {
    ASSERT_THAT(files_->CreateDirectory("/uploads"), IsOk());
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<WritableFile> file, files_->Create(path));
    ASSERT_THAT(file->Append(bytes), IsOk());
  }
  // Files that are neither blobs nor uploads.
  std::vector<std::string> TempFiles() const {
    std::vector<std::string> found;
    for (const std::string& path : files_->Paths()) {
      if (absl::StartsWith(path, "/blobs/tmp/")) found.push_back(path);
    }
    return found;
  }

  std::shared_ptr<MemFileSystem> files_ = std::make_shared<MemFileSystem>();
  std::unique_ptr<BlobStore> store_;
};

TEST_F(BlobStoreTest, PutGivesTheDigestAndGetTheBytes) {
  for (const std::string& bytes : {std::string(), std::string("abc"), std::string(3 << 20, 'x')}) {
    ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put(bytes));
    EXPECT_EQ(digest, Sha256Digest(bytes));
    EXPECT_EQ(*store_->Get(digest, kNoLimit), bytes);
  }
}

TEST_F(BlobStoreTest, TheFileIsNamedByItsDigest) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put("abc"));
  EXPECT_EQ(*store_->Path(digest),
            "/blobs/ba/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THAT(files_->Paths(), ElementsAre(*store_->Path(digest)));
}

TEST_F(BlobStoreTest, TheSameBytesAreStoredOnce) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put("abc"));
  EXPECT_EQ(*store_->Put("abc"), digest);
  EXPECT_EQ(files_->Paths().size(), 1u);
}

TEST_F(BlobStoreTest, AWriterThatIsDroppedLeavesNothing) {
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<BlobWriter> writer, store_->NewBlob());
    ASSERT_THAT(writer->Append("abc"), IsOk());
    EXPECT_EQ(TempFiles().size(), 1u);
  }
  EXPECT_THAT(files_->Paths(), IsEmpty());
}

TEST_F(BlobStoreTest, AdoptKeepsTheFileAndSharesItsBytes) {
  WriteFile("/uploads/x", "abc");
  const std::string digest = Sha256Digest("abc");
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(store_->Adopt("/uploads/x", digest), IsOk());
    EXPECT_THAT(files_->Paths(), ElementsAre(*store_->Path(digest), "/uploads/x"));
  }
  ASSERT_THAT(files_->Remove("/uploads/x"), IsOk());
  EXPECT_EQ(*store_->Get(digest, kNoLimit), "abc");
}

TEST_F(BlobStoreTest, ADamagedBlobIsDataLoss) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put("abc"));
  for (size_t byte = 0; byte < 3; ++byte) {
    files_->FlipByte(*store_->Path(digest), byte);
    EXPECT_THAT(store_->Get(digest, kNoLimit),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(digest)));
    files_->FlipByte(*store_->Path(digest), byte);
  }
  ASSERT_THAT(files_->Truncate(*store_->Path(digest), 2), IsOk());
  EXPECT_THAT(store_->Get(digest, kNoLimit), HasReason(ErrorReason::kDataLoss));
}

TEST_F(BlobStoreTest, GetBeyondTheLimitIsRefused) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put("abc"));
  EXPECT_THAT(store_->Get(digest, 3), IsOk());
  EXPECT_THAT(store_->Get(digest, 2), HasReason(ErrorReason::kTooLarge));
}

TEST_F(BlobStoreTest, WhatIsNotThereIsNotFound) {
  const std::string digest = Sha256Digest("none");
  EXPECT_THAT(store_->Get(digest, kNoLimit),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(digest)));
  EXPECT_TRUE(absl::IsNotFound(store_->Path(digest).status()));
  EXPECT_THAT(store_->Remove(digest), IsOk());
}

TEST_F(BlobStoreTest, WhatIsNoDigestIsRefused) {
  for (const char* digest : {"", "abc", "sha256:../../etc/passwd"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store_->Path(digest).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(store_->Remove(digest)));
    EXPECT_TRUE(absl::IsInvalidArgument(store_->Adopt("/uploads/x", digest)));
  }
}

TEST_F(BlobStoreTest, SweepRemovesWhatNobodyRefersTo) {
  ASSERT_OK_AND_ASSIGN(const std::string kept, store_->Put("kept"));
  ASSERT_THAT(store_->Put("lost"), IsOk());
  ASSERT_THAT(store_->Put("gone"), IsOk());
  EXPECT_EQ(*store_->Sweep([&](const std::string& digest) { return digest == kept; }), 2);
  EXPECT_THAT(files_->Paths(), ElementsAre(*store_->Path(kept)));
}

TEST_F(BlobStoreTest, RetainedBlobsAreNotRemovedUntilTheLastRelease) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put("wanted"));
  store_->Retain(digest);
  store_->Retain(digest);
  store_->Release(digest);
  ASSERT_THAT(store_->Remove(digest), IsOk());
  EXPECT_THAT(store_->Path(digest), IsOk());
  store_->Release(digest);
  ASSERT_THAT(store_->Remove(digest), IsOk());
  EXPECT_THAT(store_->Path(digest), HasReason(ErrorReason::kNotFound));
}

TEST_F(BlobStoreTest, OpenRemovesWhatACrashLeft) {
  WriteFile("/blobs/tmp/half", "abc");
  Open();
  EXPECT_THAT(files_->Paths(), IsEmpty());
}

TEST_F(BlobStoreTest, AcknowledgedSurvivesAPowerCut) {
  ASSERT_OK_AND_ASSIGN(const std::string put, store_->Put("put"));
  WriteFile("/uploads/x", "adopted");
  const std::string adopted = Sha256Digest("adopted");
  ASSERT_THAT(store_->Adopt("/uploads/x", adopted), IsOk());
  files_->PowerCut();
  Open();
  EXPECT_EQ(*store_->Get(put, kNoLimit), "put");
  EXPECT_EQ(*store_->Get(adopted, kNoLimit), "adopted");
}

TEST_F(BlobStoreTest, ThreadsMayPutTheSameBytes) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) EXPECT_THAT(store_->Put(absl::StrCat(i)), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(files_->Paths().size(), 20u);
}

// One fault at every operation in turn, passing and lasting: the result is true, and a restart is
// clean.
class BlobStoreFaultTest : public BlobStoreTest, public testing::WithParamInterface<int64_t> {
 protected:
  // Runs `write`, which makes "abc" a blob, until a run meets no fault.
  template <typename Write>
  void FailEachOperation(Write write) {
    const std::string digest = Sha256Digest("abc");
    for (int64_t nth = 1;; ++nth) {
      SCOPED_TRACE(nth);
      files_ = std::make_shared<MemFileSystem>();
      Open();
      WriteFile("/uploads/x", "abc");
      files_->FailFrom(nth, GetParam());
      const absl::Status status = write();
      const bool failed = files_->Failed();
      files_->FailNothing();
      EXPECT_TRUE(failed || status.ok()) << status;
      files_->PowerCut();
      Open();
      EXPECT_THAT(TempFiles(), IsEmpty());
      const absl::StatusOr<std::string> found = store_->Get(digest, kNoLimit);
      if (status.ok()) {
        EXPECT_THAT(found, IsOk());
      } else {
        EXPECT_TRUE(found.ok() || absl::IsNotFound(found.status())) << found.status();
      }
      ASSERT_THAT(store_->Put("abc"), IsOk());
      if (!failed) {
        EXPECT_GT(nth, 3);  // the loop has really failed something
        return;
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(OnceAndForEver, BlobStoreFaultTest,
                         testing::Values(int64_t{1}, MemFileSystem::kForEver));

TEST_P(BlobStoreFaultTest, Put) {
  FailEachOperation([&] { return store_->Put("abc").status(); });
}

TEST_P(BlobStoreFaultTest, Adopt) {
  FailEachOperation([&] { return store_->Adopt("/uploads/x", Sha256Digest("abc")); });
}

TEST(BlobStoreDiskTest, TheRealFileSystem) {
  TempDir dir;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<BlobStore> store,
                       BlobStore::Open(dir.path() + "/blobs"));
  ASSERT_OK_AND_ASSIGN(const std::string digest, store->Put("abc"));
  ASSERT_THAT(store->Adopt(*store->Path(digest), digest), IsOk());
  EXPECT_EQ(*store->Get(digest, kNoLimit), "abc");
  EXPECT_EQ(*store->Sweep([](const std::string&) { return false; }), 1);
  EXPECT_TRUE(absl::IsNotFound(store->Path(digest).status()));
}

}  // namespace
}  // namespace trainyard

#include "server/auth/access.h"

#include "absl/strings/str_cat.h"
#include "server/storage/database.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

const Principal kAnn{.owner = "ann", .role = v1::USER_ROLE_STUDENT};
const Principal kAdmin{.owner = "root", .role = v1::USER_ROLE_ADMIN};

class FakeGrants final : public ReadGrants {
 public:
  bool MayRead(const Principal& principal, absl::string_view name) override {
    return principal.owner == "ann" && name == "datasets/shared";
  }
};

class AccessTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(":memory:"));
    for (const char* owner : {"ann", "bob"}) Insert(owner, owner);
    Insert("shared", "bob");
  }

  // One of each kind.
  void Insert(const std::string& id, const std::string& owner) {
    const absl::Status written = database_->Write([&](Connection& c) -> absl::Status {
      const absl::Status statuses[] = {
          c.Run("INSERT INTO datasets (id, owner, state, committed_size_bytes, "
                "declared_size_bytes, record) VALUES (?, ?, 1, 0, 0, x'')",
                id, owner),
          c.Run("INSERT INTO jobs (id, owner, dataset, state, infra_failures, last_sequence, "
                "record) VALUES (?, ?, '', 1, 0, 0, x'')",
                id, owner),
          c.Run("INSERT INTO models (id, owner, job, digest, record) VALUES (?, ?, '', '', x'')",
                id, owner)};
      for (const absl::Status& status : statuses) {
        if (!status.ok()) return status;
      }
      return absl::OkStatus();
    });
    ASSERT_THAT(written, IsOk());
  }

  std::unique_ptr<Database> database_;
  FakeGrants grants_;
};

TEST_F(AccessTest, OwnersMayStrangersMayNot) {
  const Access access(database_.get());
  for (const char* collection : {"datasets", "trainingJobs", "models"}) {
    SCOPED_TRACE(collection);
    const std::string own = absl::StrCat(collection, "/ann");
    const std::string other = absl::StrCat(collection, "/bob");
    EXPECT_THAT(access.CheckRead(kAnn, own), IsOk());
    EXPECT_THAT(access.CheckWrite(kAnn, own), IsOk());
    EXPECT_THAT(access.CheckRead(kAnn, other), HasReason(ErrorReason::kPermission));
    EXPECT_THAT(access.CheckWrite(kAnn, other), HasReason(ErrorReason::kPermission));
    EXPECT_THAT(access.CheckRead(kAdmin, other), IsOk());
    EXPECT_THAT(access.CheckWrite(kAdmin, other), IsOk());
  }
}

TEST_F(AccessTest, AStrangersAndANonExistingNameGiveTheSameAnswer) {
  const Access access(database_.get());
  for (const char* collection : {"datasets", "trainingJobs", "models"}) {
    const absl::Status strangers = access.CheckRead(kAnn, absl::StrCat(collection, "/bob"));
    const absl::Status nobodys = access.CheckRead(kAnn, absl::StrCat(collection, "/bod"));
    EXPECT_EQ(strangers.code(), nobodys.code());
    const auto without_name = [](const absl::Status& status) {
      return std::string(status.message()).substr(status.message().rfind('"'));
    };
    EXPECT_EQ(without_name(strangers), without_name(nobodys));
    EXPECT_EQ(GetErrorInfo(strangers), GetErrorInfo(nobodys));
  }
}

TEST_F(AccessTest, WhatIsNoNameIsRefusedToo) {
  const Access access(database_.get());
  for (const char* name :
       {"", "datasets", "datasets/", "elsewhere/ann", "datasets/ann/x", "datasets/ANN", "ann"}) {
    EXPECT_THAT(access.CheckRead(kAnn, name), HasReason(ErrorReason::kPermission)) << name;
  }
  EXPECT_THAT(access.CheckReadIfNamed(kAnn, ""), IsOk());
  EXPECT_THAT(access.CheckReadIfNamed(kAnn, "datasets/bob"), HasReason(ErrorReason::kPermission));
}

TEST_F(AccessTest, GrantsAddReadingAndNothingElse) {
  const Access access(database_.get(), &grants_);
  EXPECT_THAT(access.CheckRead(kAnn, "datasets/shared"), IsOk());
  EXPECT_THAT(access.CheckWrite(kAnn, "datasets/shared"), HasReason(ErrorReason::kPermission));
  EXPECT_THAT(access.CheckRead(kAnn, "models/shared"), HasReason(ErrorReason::kPermission));
}

TEST_F(AccessTest, ListsShowWhatIsOnesOwn) {
  const Access access(database_.get());
  ASSERT_OK_AND_ASSIGN(const std::string anns, access.ListOwner(kAnn, ""));
  EXPECT_EQ(anns, "ann");
  ASSERT_OK_AND_ASSIGN(const std::string asked, access.ListOwner(kAnn, "ann"));
  EXPECT_EQ(asked, "ann");
  EXPECT_THAT(access.ListOwner(kAnn, "bob"), HasReason(ErrorReason::kPermission));
  ASSERT_OK_AND_ASSIGN(const std::string all, access.ListOwner(kAdmin, ""));
  EXPECT_EQ(all, "");
  ASSERT_OK_AND_ASSIGN(const std::string bobs, access.ListOwner(kAdmin, "bob"));
  EXPECT_EQ(bobs, "bob");
}

}  // namespace
}  // namespace trainyard

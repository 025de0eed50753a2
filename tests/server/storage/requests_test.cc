#include "server/storage/requests.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::HasSubstr;

class RequestsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(db_, Database::Open(":memory:"));
    ASSERT_THAT(db_->Write([](Connection& c) {
      return InsertRequest(c, "ann", "id-1", "Create", "digest", "datasets/x");
    }),
                IsOk());
  }
  absl::StatusOr<std::optional<std::string>> Find(absl::string_view owner, absl::string_view id,
                                                  absl::string_view method,
                                                  absl::string_view digest) {
    absl::StatusOr<std::optional<std::string>> found = std::nullopt;
    EXPECT_THAT(db_->Read([&](Connection& c) {
      found = FindRequest(c, owner, id, method, digest);
      return absl::OkStatus();
    }),
                IsOk());
    return found;
  }
  std::unique_ptr<Database> db_;
};

TEST_F(RequestsTest, TheSameRequestIsFound) {
  EXPECT_EQ(*Find("ann", "id-1", "Create", "digest"), "datasets/x");
}

TEST_F(RequestsTest, AnotherIdOrOwnerIsNew) {
  EXPECT_EQ(*Find("ann", "id-2", "Create", "digest"), std::nullopt);
  EXPECT_EQ(*Find("bob", "id-1", "Create", "digest"), std::nullopt);
}

TEST_F(RequestsTest, AnotherBodyOrMethodIsRefused) {
  for (const auto& found :
       {Find("ann", "id-1", "Create", "other"), Find("ann", "id-1", "Submit", "digest")}) {
    EXPECT_THAT(found, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("id-1")));
    EXPECT_THAT(found, HasReason(ErrorReason::kRequestIdReused));
  }
}

TEST_F(RequestsTest, NoIdIsNeverFoundNorStored) {
  ASSERT_THAT(db_->Write([](Connection& c) {
    return InsertRequest(c, "ann", "", "Create", "digest", "datasets/y");
  }),
              IsOk());
  EXPECT_EQ(*Find("ann", "", "Create", "digest"), std::nullopt);
}

TEST_F(RequestsTest, ADeletedResourceIsForgotten) {
  ASSERT_THAT(db_->Write([](Connection& c) { return DeleteRequests(c, "datasets/x"); }), IsOk());
  EXPECT_EQ(*Find("ann", "id-1", "Create", "other"), std::nullopt);
}

}  // namespace
}  // namespace trainyard

#include "server/grading/submission_store.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/database.h"
#include "server/wire/timestamp.h"
#include "tests/server/grading/course_events.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const AssignmentName kAssignment = {"dl", "hw1"};

class SubmissionStoreTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(database_, Database::Open(":memory:")); }

  template <typename Body>
  void Write(Body body) {
    EXPECT_THAT(
        database_->Write([&](Connection& connection) -> absl::Status { return body(connection); }),
        IsOk());
  }
  template <typename Body>
  auto Read(Body body) {
    std::invoke_result_t<Body, Connection&> result = absl::UnknownError("not read");
    EXPECT_THAT(database_->Read([&](Connection& connection) {
      result = body(connection);
      return absl::OkStatus();
    }),
                IsOk());
    return result;
  }
  StoredSubmission Insert(const std::string& id, const std::string& student,
                          v1::SubmissionState state,
                          v1::SubmissionCause cause = v1::SUBMISSION_CAUSE_SUBMIT,
                          const std::string& key = "key", const AssignmentName& at = kAssignment) {
    StoredSubmission stored{.cache_key = key};
    stored.record.set_name(SubmissionName{at, id}.ToString());
    stored.record.set_student(student);
    stored.record.set_state(state);
    stored.record.set_cause(cause);
    stored.sealed.add_seeds(7);
    Write([&](Connection& connection) { return InsertSubmission(connection, &stored); });
    return stored;
  }
  static std::vector<std::string> IdsOf(const absl::StatusOr<std::vector<StoredSubmission>>& all) {
    EXPECT_THAT(all, IsOk());
    std::vector<std::string> ids;
    for (const StoredSubmission& stored : *all) {
      ids.push_back(ParseSubmissionName("name", stored.record.name())->submission);
    }
    return ids;
  }
  static absl::StatusOr<std::vector<StoredSubmission>> Visited(Connection& connection, bool again) {
    std::vector<StoredSubmission> all;
    TY_RETURN_IF_ERROR(
        VisitOfAssignment(connection, kAssignment, again,
                          [&](StoredSubmission stored) { all.push_back(std::move(stored)); }));
    return all;
  }
  absl::StatusOr<v1::ListSubmissionsResponse> List(const std::string& student, PageQuery page) {
    return Read([&](Connection& connection) {
      return ListSubmissions(connection, kAssignment, student, page);
    });
  }

  std::unique_ptr<Database> database_;
};

constexpr int64_t kFromNewest = int64_t{1} << 62;

TEST_F(SubmissionStoreTest, ComesBackAsItWasInsertedAndUpdated) {
  StoredSubmission stored = Insert("s1", "ann", v1::SUBMISSION_STATE_QUEUED);
  EXPECT_GT(stored.number, 0);
  stored.record.set_state(v1::SUBMISSION_STATE_DONE);
  stored.record.set_receipt("ty_1");
  stored.sealed.set_standard_error(0.5);
  stored.cache_key = "other";
  Write([&](Connection& connection) { return UpdateSubmission(connection, stored); });
  ASSERT_OK_AND_ASSIGN(const StoredSubmission found, Read([&](Connection& connection) {
                         return FindSubmission(connection, stored.record.name());
                       }));
  EXPECT_EQ(found.number, stored.number);
  EXPECT_EQ(found.cache_key, "other");
  EXPECT_EQ(found.record.SerializeAsString(), stored.record.SerializeAsString());
  EXPECT_EQ(found.sealed.SerializeAsString(), stored.sealed.SerializeAsString());
}

TEST_F(SubmissionStoreTest, IsFoundUnderItsWholeNameOnly) {
  Insert("s1", "ann", v1::SUBMISSION_STATE_QUEUED);
  for (const char* name :
       {"courses/dl/assignments/hw2/submissions/s1", "courses/x/assignments/hw1/submissions/s1",
        "courses/dl/assignments/hw1/submissions/s2"}) {
    EXPECT_THAT(Read([&](Connection& connection) { return FindSubmission(connection, name); }),
                HasReason(ErrorReason::kNotFound))
        << name;
  }
  EXPECT_THAT(Read([&](Connection& connection) { return FindSubmission(connection, "s1"); }),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(SubmissionStoreTest, UnfinishedOnesAreThoseOfTheThreeStates) {
  for (int state = v1::SUBMISSION_STATE_QUEUED; state <= v1::SUBMISSION_STATE_CANCELLED; ++state) {
    const auto as_state = static_cast<v1::SubmissionState>(state);
    Insert(absl::StrCat("s", state), "ann", as_state);
    EXPECT_EQ(IsTerminal(as_state), state > v1::SUBMISSION_STATE_EVALUATING);
  }
  Insert("again", "ann", v1::SUBMISSION_STATE_QUEUED, v1::SUBMISSION_CAUSE_REPLAY);
  EXPECT_THAT(
      IdsOf(Read([](Connection& connection) { return LoadUnfinishedSubmissions(connection); })),
      ElementsAre("s1", "s2", "s3", "again"));
}

TEST_F(SubmissionStoreTest, UnfinishedOnesOfServersAreVisitedUntilItIsEnough) {
  Insert("s1", "ann", v1::SUBMISSION_STATE_QUEUED);
  Insert("g1", "ann", v1::SUBMISSION_STATE_DONE, v1::SUBMISSION_CAUSE_REGRADE);
  Insert("g2", "ann", v1::SUBMISSION_STATE_RUNNING, v1::SUBMISSION_CAUSE_REGRADE);
  Insert("g3", "ann", v1::SUBMISSION_STATE_QUEUED, v1::SUBMISSION_CAUSE_REPLAY);
  Insert("x1", "ann", v1::SUBMISSION_STATE_QUEUED, v1::SUBMISSION_CAUSE_REGRADE, "key",
         {"dl", "hw2"});
  for (const size_t enough : {1, 2, 3}) {
    std::vector<std::string> names;
    const absl::Status visited = database_->Read([&](Connection& connection) {
      return VisitUnfinishedAgain(connection, kAssignment, [&](const v1::Submission& record) {
        names.push_back(record.name());
        return names.size() < enough;
      });
    });
    ASSERT_THAT(visited, IsOk());
    ASSERT_EQ(names.size(), std::min<size_t>(enough, 2));
    EXPECT_TRUE(absl::EndsWith(names[0], "/g2"));
    EXPECT_TRUE(absl::EndsWith(names.back(), enough == 1 ? "/g2" : "/g3"));
  }
}

TEST_F(SubmissionStoreTest, RegradesAndReplaysAreNotTheStudents) {
  Insert("s1", "ann", v1::SUBMISSION_STATE_DONE);
  Insert("r1", "ann", v1::SUBMISSION_STATE_DONE, v1::SUBMISSION_CAUSE_REPLAY);
  Insert("s2", "bob", v1::SUBMISSION_STATE_DONE);
  Insert("g1", "ann", v1::SUBMISSION_STATE_DONE, v1::SUBMISSION_CAUSE_REGRADE);
  Insert("x1", "ann", v1::SUBMISSION_STATE_DONE, v1::SUBMISSION_CAUSE_SUBMIT, "key", {"dl", "hw2"});
  const auto of_student = [](Connection& connection) {
    return LoadOfStudent(connection, kAssignment, "ann");
  };
  EXPECT_THAT(IdsOf(Read(of_student)), ElementsAre("s1"));
  const auto of_nobody = [](Connection& connection) {
    return LoadOfStudent(connection, kAssignment, "eve");
  };
  EXPECT_THAT(IdsOf(Read(of_nobody)), IsEmpty());
  const auto earlier = [](Connection& connection) {
    return LoadEarlier(connection, kAssignment, "ann");
  };
  ASSERT_THAT(*Read(earlier), SizeIs(1));
  EXPECT_EQ((*Read(earlier))[0].name, (*Read(of_student))[0].record.name());
  EXPECT_EQ((*Read(earlier))[0].cache_key, (*Read(of_student))[0].cache_key);
  EXPECT_EQ((*Read(earlier))[0].state, v1::SUBMISSION_STATE_DONE);
  EXPECT_EQ((*Read(earlier))[0].accepted_at,
            FromTimestamp((*Read(of_student))[0].record.accepted_at()));
  const auto all = [](Connection& connection) { return Visited(connection, false); };
  EXPECT_THAT(IdsOf(Read(all)), ElementsAre("s1", "s2"));
  const auto seen = [](Connection& connection) -> absl::StatusOr<std::vector<StoredSubmission>> {
    std::vector<StoredSubmission> records;
    TY_RETURN_IF_ERROR(VisitSubmitted(connection, kAssignment, [&](const v1::Submission& record) {
      records.push_back({.record = record});
    }));
    return records;
  };
  EXPECT_THAT(IdsOf(Read(seen)), ElementsAre("s1", "s2"));
  const auto again = [](Connection& connection) { return Visited(connection, true); };
  EXPECT_THAT(IdsOf(Read(again)), ElementsAre("r1", "g1"));
  EXPECT_EQ(List("", {.size = 10, .before_number = kFromNewest})->submissions_size(), 2);
  // They still say whose they are.
  ASSERT_OK_AND_ASSIGN(const auto replays, Read(again));
  EXPECT_EQ(replays[0].record.student(), "ann");
}

TEST_F(SubmissionStoreTest, AKeyIsAnsweredByTheOldestThatIsDone) {
  const auto scored = [](Connection& connection) { return FindScored(connection, "key"); };
  Insert("s1", "ann", v1::SUBMISSION_STATE_UNGRADABLE);
  Insert("s2", "ann", v1::SUBMISSION_STATE_EVALUATING);
  Insert("s3", "ann", v1::SUBMISSION_STATE_DONE, v1::SUBMISSION_CAUSE_SUBMIT, "other");
  Insert("s4", "ann", v1::SUBMISSION_STATE_CANCELLED);
  Insert("s5", "ann", v1::SUBMISSION_STATE_INFRA_ERROR);
  EXPECT_EQ(Read(scored)->has_value(), false);
  Insert("s6", "bob", v1::SUBMISSION_STATE_DONE);
  Insert("s7", "ann", v1::SUBMISSION_STATE_DONE);
  ASSERT_OK_AND_ASSIGN(const auto found, Read(scored));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->record.name(), "courses/dl/assignments/hw1/submissions/s6");
}

TEST_F(SubmissionStoreTest, PagesGoFromTheNewestAndMissNone) {
  for (int i = 1; i <= 5; ++i) Insert(absl::StrCat("a", i), "ann", v1::SUBMISSION_STATE_DONE);
  Insert("b1", "bob", v1::SUBMISSION_STATE_DONE);
  std::vector<std::string> names;
  PageQuery page{.size = 2, .before_number = kFromNewest};
  int pages = 0;
  for (std::string token = "start"; !token.empty(); ++pages) {
    ASSERT_OK_AND_ASSIGN(const v1::ListSubmissionsResponse response, List("ann", page));
    for (const v1::Submission& record : response.submissions())
      names.push_back(record.name().substr(39));
    token = response.next_page_token();
    if (!token.empty()) page = *ParsePage(2, token);
  }
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(names, ElementsAre("a5", "a4", "a3", "a2", "a1"));
  ASSERT_OK_AND_ASSIGN(const v1::ListSubmissionsResponse all,
                       List("", {.size = 6, .before_number = kFromNewest}));
  EXPECT_EQ(all.submissions_size(), 6);
  EXPECT_EQ(all.next_page_token(), "");
  EXPECT_EQ(all.submissions(0).student(), "bob");
}

TEST_F(SubmissionStoreTest, ALadderIsOfOneStudentAndVersionAndIsReplaced) {
  const StoredLadder first{.best_loss = 0.1 + 0.2, .row_losses = {0.0F, 1.0F, 1e-30F, -0.0F}};
  const auto write = [&](int version, const char* student, const StoredLadder& ladder) {
    Write([&](Connection& connection) {
      return WriteLadder(connection, kAssignment, version, student, ladder);
    });
  };
  const auto find = [&](int version, const char* student) {
    return *Read([&](Connection& connection) {
      return FindLadder(connection, kAssignment, version, student);
    });
  };
  write(1, "ann", first);
  ASSERT_TRUE(find(1, "ann").has_value());
  EXPECT_EQ(find(1, "ann")->best_loss, first.best_loss);
  EXPECT_EQ(find(1, "ann")->row_losses, first.row_losses);
  EXPECT_EQ(find(2, "ann").has_value(), false);
  EXPECT_EQ(find(1, "bob").has_value(), false);
  write(1, "ann", {.best_loss = 0.1, .row_losses = {2.0F}});
  EXPECT_EQ(find(1, "ann")->best_loss, 0.1);
  EXPECT_THAT(find(1, "ann")->row_losses, ElementsAre(2.0F));
}

TEST_F(SubmissionStoreTest, SecretsAreBytes) {
  const auto find = [](Connection& connection) { return FindSecret(connection, "hook"); };
  EXPECT_EQ(*Read(find), std::nullopt);
  const std::string bytes("\0\xFFsecret", 8);
  Write([&](Connection& connection) { return WriteSecret(connection, "hook", bytes); });
  EXPECT_EQ(*Read(find), bytes);
  Write([&](Connection& connection) { return WriteSecret(connection, "hook", "new"); });
  EXPECT_EQ(*Read(find), "new");
}

TEST_F(SubmissionStoreTest, AnAssignmentsDatasetsAreNotedOnce) {
  Write([](Connection& connection) {
    return connection.Run(
        "INSERT INTO datasets (id, owner, state, committed_size_bytes, declared_size_bytes, "
        "record) "
        "VALUES ('d', 'teacher', 2, 0, 0, x'')");
  });
  for (int i = 0; i < 2; ++i) {
    Write([](Connection& connection) {
      return InsertAssignmentDataset(connection, kAssignment, 1, "datasets/d");
    });
  }
  EXPECT_EQ(*Read([](Connection& connection) -> absl::StatusOr<int64_t> {
    auto row =
        connection.Prepare("SELECT count(*) FROM assignment_datasets WHERE dataset = 'datasets/d'");
    EXPECT_THAT(row->Step(), IsOk());
    return row->Int(0);
  }),
            1);
}

TEST_F(SubmissionStoreTest, ADamagedRecordIsDataLoss) {
  const StoredSubmission stored = Insert("s1", "ann", v1::SUBMISSION_STATE_DONE);
  for (const char* column : {"record", "sealed"}) {
    Write([&](Connection& connection) {
      return connection.Run(absl::StrCat("UPDATE submissions SET ", column, " = x'ff'"));
    });
    EXPECT_THAT(Read([&](Connection& connection) {
                  return FindSubmission(connection, stored.record.name());
                }),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("submissions")));
    Write([&](Connection& connection) { return UpdateSubmission(connection, stored); });
  }
}

}  // namespace
}  // namespace trainyard

#include "server/submissions/receipts.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "server/wire/canonical_json.h"
#include "server/wire/receipt.h"
#include "tests/server/grading/course_events.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Values that stand nowhere else.
constexpr double kSealedValue = 0.7319, kPublicValue = 0.6247;

class ReceiptsTest : public testing::Test {
 protected:
  ReceiptsTest() : key_(SigningKey::Generate()) {
    std::vector<v1::CourseEvent> events = EveryKindOfEvent();
    events[1].mutable_policy_set()->set_digest(Sha256Digest("policy"));
    events[4].mutable_assignment_published()->set_training_table_digest(
        Sha256Digest("training table"));
    events[4].mutable_assignment_published()->set_sealed_table_digest(Sha256Digest("sealed table"));
    for (auto& commitment :
         *events[4].mutable_assignment_published()->mutable_assignment()->mutable_commitments()) {
      commitment.set_commitment(Sha256Hex(commitment.role()));
    }
    events.resize(5);
    state_ = StateOf(events);
    v1::Submission& record = submission_.record;
    record = FromText<v1::Submission>(R"(
        name: "courses/dl/assignments/hw1/submissions/s1" student: "ann" state: SUBMISSION_STATE_DONE
        accepted_at { seconds: 1800000100 nanos: 5000 } finish_time { seconds: 1800000200 }
        canonical_spec { target_column: "y" epochs: 3 } assignment_version: 2
        work { parameters: 10 train_flops: 5000000000 epochs: 3 } public_score: 0.61 cause: SUBMISSION_CAUSE_SUBMIT)");
    record.set_spec_digest(Sha256Digest("spec"));
    submission_.sealed = FromText<v1::SealedRecord>(R"(
        runs { seed: 4242424242 } runs { seed: 4343434343 }
        result { points: 83 max_points: 97 score: 0.73 metric: SCORE_METRIC_ACCURACY sealed: true
                 criteria { name: "accuracy at least 0.7" points: 83 max_points: 97 } }
        engine_class: "0.1.0+x|2.6.3|avx512|1" cpu_family: "a CPU" standard_error: 0.01 leak_millibits: 7500)");
    for (auto& run : *submission_.sealed.mutable_runs()) {
      run.set_result_digest(Sha256Digest(absl::StrCat("bundle ", run.seed())));
      run.set_public_value(kPublicValue);
      run.set_sealed_value(kSealedValue);
    }
  }
  Receipt Verified(const std::string& document) {
    const auto receipt = VerifyReceipt(document, key_.public_key());
    EXPECT_THAT(receipt, IsOk());
    return receipt.ok() ? *receipt : Receipt();
  }

  SigningKey key_;
  CourseState state_;
  StoredSubmission submission_;
};

TEST_F(ReceiptsTest, BothCopiesVerifyAndSayWhatHappened) {
  ASSERT_THAT(SignReceipts(state_, "", key_, false, &submission_), IsOk());
  const Receipt staff = Verified(submission_.sealed.staff_receipt());
  EXPECT_EQ(staff.copy, ReceiptCopy::kStaff);
  EXPECT_EQ(staff.fields.id, submission_.record.receipt());
  EXPECT_EQ(staff.fields.submission, submission_.record.name());
  EXPECT_EQ(staff.fields.course, "courses/dl");
  EXPECT_EQ(staff.fields.assignment, "courses/dl/assignments/hw1");
  EXPECT_EQ(staff.fields.assignment_version, 2);
  EXPECT_EQ(staff.fields.policy_version, 1);
  EXPECT_EQ(staff.fields.policy_digest, Sha256Digest("policy"));
  EXPECT_EQ(staff.fields.student, "ann");
  EXPECT_EQ(staff.fields.accepted_at, absl::FromUnixSeconds(1'800'000'100) + absl::Microseconds(5));
  EXPECT_EQ(staff.fields.graded_at, absl::FromUnixSeconds(1'800'000'200));
  EXPECT_THAT(CanonicalJson(staff.fields.spec), HasSubstr("\"target_column\":\"y\""));
  EXPECT_EQ(staff.fields.engine.build, "0.1.0+x");
  EXPECT_EQ(staff.fields.engine.threads, 1);
  EXPECT_EQ(staff.fields.work.train_flops, 5'000'000'000);
  ASSERT_EQ(staff.fields.runs.size(), 2u);
  EXPECT_EQ(staff.fields.runs[1].seed, 4343434343u);
  EXPECT_EQ(staff.fields.runs[1].sealed_value, kSealedValue);
  ASSERT_EQ(staff.fields.data.size(), 2u);
  EXPECT_EQ(staff.fields.data[1].table_digest, Sha256Digest("sealed table"));
  ASSERT_TRUE(staff.fields.result.has_value());
  EXPECT_EQ(staff.fields.result->points, 83);
  EXPECT_EQ(staff.fields.result->metric, "ACCURACY");
  const Receipt student = Verified(submission_.sealed.student_receipt());
  EXPECT_EQ(student.copy, ReceiptCopy::kStudent);
  EXPECT_EQ(student.fields.id, staff.fields.id);
  EXPECT_EQ(student.fields.public_score, 0.61);
}

TEST_F(ReceiptsTest, AWithheldCopyHasNothingOfTheResult) {
  ASSERT_THAT(SignReceipts(state_, "", key_, false, &submission_), IsOk());
  const std::string& copy = submission_.sealed.student_receipt();
  const Receipt student = Verified(copy);
  EXPECT_FALSE(student.fields.result.has_value());
  EXPECT_FALSE(student.fields.released);
  EXPECT_FALSE(student.fields.runs[0].sealed_value.has_value());
  EXPECT_FALSE(student.fields.runs[0].public_value.has_value());
  for (const char* secret : {"0.7319", "0.6247", "0.73", "83", "97", "at least", "table_digest"}) {
    std::string text = copy;
    // Digests, signature and key are random hex.
    for (const std::string& hex :
         {student.fields.spec_digest, student.fields.policy_digest, student.key_id}) {
      text = absl::StrReplaceAll(text, {{hex, ""}});
    }
    text = text.substr(0, text.find("\"signature\""));
    for (const auto& run : student.fields.runs)
      text = absl::StrReplaceAll(text, {{run.result_digest, ""}});
    for (const auto& data : student.fields.data)
      text = absl::StrReplaceAll(text, {{data.commitment, ""}});
    text = absl::StrReplaceAll(text, {{student.fields.id, ""}});
    EXPECT_THAT(text, Not(HasSubstr(secret)));
  }
  // The same values are in the staff's.
  EXPECT_THAT(submission_.sealed.staff_receipt(), HasSubstr("0.7319"));
  // Another result has the same copy but for id, staff digest and times: nothing depends on it.
  StoredSubmission other = submission_;
  other.sealed.mutable_result()->set_points(0);
  other.sealed.mutable_result()->mutable_criteria(0)->set_points(0);
  for (auto& run : *other.sealed.mutable_runs()) run.set_sealed_value(0.1);
  ASSERT_THAT(SignReceipts(state_, "", key_, false, &other), IsOk());
  Receipt of_other = Verified(other.sealed.student_receipt());
  EXPECT_NE(of_other.fields.id, student.fields.id);
  of_other.fields.id = student.fields.id;
  EXPECT_EQ(of_other.fields, student.fields);
}

TEST_F(ReceiptsTest, AReleasedCopyHasTheResultAndNoExactValues) {
  ASSERT_THAT(SignReceipts(state_, "", key_, false, &submission_), IsOk());
  const std::string staff = submission_.sealed.staff_receipt();
  ASSERT_THAT(SignReleased(key_, &submission_), IsOk());
  const Receipt released = Verified(submission_.sealed.released_receipt());
  EXPECT_EQ(released.copy, ReceiptCopy::kStudent);
  EXPECT_TRUE(released.fields.released);
  ASSERT_TRUE(released.fields.result.has_value());
  EXPECT_EQ(released.fields.result->points, 83);
  EXPECT_EQ(released.fields.result->criteria.size(), 1u);
  EXPECT_FALSE(released.fields.runs[0].sealed_value.has_value());
  EXPECT_THAT(submission_.sealed.released_receipt(), Not(HasSubstr("0.7319")));
  EXPECT_THAT(submission_.sealed.released_receipt(), Not(HasSubstr("0.6247")));
  // The chain is of what staff have, which does not change.
  EXPECT_EQ(submission_.sealed.staff_receipt(), staff);
}

TEST_F(ReceiptsTest, WhatIsReleasedAtOnceIsWhatIsReleasedLater) {
  ASSERT_THAT(SignReceipts(state_, "", key_, true, &submission_), IsOk());
  const std::string at_once = submission_.sealed.released_receipt();
  EXPECT_TRUE(Verified(at_once).fields.released);
  ASSERT_THAT(SignReleased(key_, &submission_), IsOk());
  EXPECT_EQ(submission_.sealed.released_receipt(), at_once);
}

TEST_F(ReceiptsTest, AllCopiesSayWhichRepositoryItWas) {
  *submission_.record.mutable_source() = FromText<v1::SubmissionSource>(
      R"(repository_id: "42" commit: "c0ffee" run_id: "9" verified: true)");
  ASSERT_THAT(SignReceipts(state_, "", key_, false, &submission_), IsOk());
  ASSERT_THAT(SignReleased(key_, &submission_), IsOk());
  const ReceiptSource source = {"42", "c0ffee", "9", true};
  const v1::SealedRecord& sealed = submission_.sealed;
  for (const std::string& document :
       {sealed.staff_receipt(), sealed.student_receipt(), sealed.released_receipt()}) {
    EXPECT_EQ(Verified(document).fields.source, source);
  }
}

TEST_F(ReceiptsTest, WithoutASourceThereIsNoneInTheReceipt) {
  submission_.record.mutable_source();  // as it is stored when nobody said anything
  ASSERT_THAT(SignReceipts(state_, "", key_, false, &submission_), IsOk());
  EXPECT_EQ(Verified(submission_.sealed.staff_receipt()).fields.source, std::nullopt);
}

TEST_F(ReceiptsTest, ReceiptsOfACourseAreAChain) {
  std::string previous;
  std::set<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    StoredSubmission submission = submission_;
    ASSERT_THAT(SignReceipts(state_, previous, key_, false, &submission), IsOk());
    const Receipt staff = Verified(submission.sealed.staff_receipt());
    EXPECT_EQ(staff.fields.previous, previous);
    EXPECT_EQ(Verified(submission.sealed.student_receipt()).fields.previous, previous);
    previous = submission.sealed.receipt_digest();
    EXPECT_EQ(previous, Sha256Digest(submission.sealed.staff_receipt()));
    ids.insert(submission.record.receipt());
  }
  EXPECT_EQ(ids.size(), 3u);
}

TEST_F(ReceiptsTest, AnotherKeyOrAnAlteredDigitDoesNotVerify) {
  ASSERT_THAT(SignReceipts(state_, "", key_, false, &submission_), IsOk());
  EXPECT_FALSE(
      VerifyReceipt(submission_.sealed.staff_receipt(), SigningKey::Generate().public_key()).ok());
  std::string altered = submission_.sealed.staff_receipt();
  const size_t points = altered.find("\"points\":83");
  ASSERT_NE(points, std::string::npos);
  altered[points + 9] = '9';
  EXPECT_THAT(VerifyReceipt(altered, key_.public_key()).status(),
              HasReason(ErrorReason::kDigestMismatch));
}

TEST_F(ReceiptsTest, WithoutItsAssignmentOrPolicyItIsAnErrorOfOurs) {
  submission_.record.set_assignment_version(9);
  EXPECT_THAT(SignReceipts(state_, "", key_, false, &submission_),
              HasReason(ErrorReason::kInternal));
  submission_.record.set_assignment_version(2);
  state_.policies.clear();
  EXPECT_THAT(SignReceipts(state_, "", key_, false, &submission_),
              HasReason(ErrorReason::kInternal));
}

TEST(CpuFamilyTest, IsSomethingForPeople) { EXPECT_FALSE(CpuFamily().empty()); }

}  // namespace
}  // namespace trainyard

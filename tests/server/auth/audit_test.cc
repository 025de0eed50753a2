#include "server/auth/audit.h"

#include <openssl/evp.h>

#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/storage/database.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/grades.pb.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {
namespace {

v1::AuditEntry Entry(const std::string& resource) {
  v1::AuditEntry entry;
  entry.mutable_time()->set_seconds(1'700'000'000);
  entry.set_principal("ann");
  entry.set_method("/trainyard.v1.JobService/CreateTrainingJob");
  entry.set_resource(resource);
  entry.set_code("OK");
  return entry;
}

// The digest by the contract's words alone: fields in order of their numbers, as protobuf's wire
// format writes them.
std::string DigestByHand(const v1::AuditEntry& entry) {
  std::string bytes;
  const auto text = [&bytes](int field, const std::string& value) {
    if (value.empty()) return;
    bytes += static_cast<char>(field << 3 | 2);
    bytes += static_cast<char>(value.size());  // all are shorter than 128
    bytes += value;
  };
  bytes += static_cast<char>(1 << 3);
  bytes += static_cast<char>(entry.sequence());
  bytes += std::string("\x12\x06\x08\x80\xe2\xcf\xaa\x06", 8);  // time {seconds: 1700000000}
  text(3, entry.principal());
  text(4, entry.token_id());
  text(5, entry.method());
  text(6, entry.resource());
  text(7, entry.request_digest());
  text(8, entry.code());
  text(9, entry.previous_digest());
  std::string hash(32, '\0');
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(hash.data()), nullptr,
             EVP_sha256(), nullptr);
  return "sha256:" + absl::BytesToHexString(hash);
}

class AuditTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen(int64_t entries_max = Audit::kEntriesMaxDefault) {
    audit_.reset();
    database_.reset();
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(directory_.path() + "/t.db"));
    ASSERT_OK_AND_ASSIGN(audit_, Audit::Open(database_.get(), entries_max));
  }

  std::vector<v1::AuditEntry> All() {
    std::vector<v1::AuditEntry> entries;
    v1::ListAuditEntriesRequest request;
    do {
      const auto page = audit_->List(request);
      EXPECT_THAT(page, IsOk());
      if (!page.ok()) break;
      entries.insert(entries.end(), page->entries().begin(), page->entries().end());
      request.set_start_sequence(page->next_sequence());
    } while (request.start_sequence() != 0);
    return entries;
  }

  TempDir directory_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Audit> audit_;
};

TEST_F(AuditTest, EntriesAreAChainThatCanBeComputedWithoutOurCode) {
  for (int i = 0; i < 100; ++i) audit_->Append(Entry(absl::StrCat("trainingJobs/", i)));
  const std::vector<v1::AuditEntry> entries = All();
  ASSERT_EQ(entries.size(), 100u);
  std::string previous;
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].sequence(), static_cast<int64_t>(i) + 1);
    EXPECT_EQ(entries[i].resource(), absl::StrCat("trainingJobs/", i));
    EXPECT_EQ(entries[i].previous_digest(), previous);
    EXPECT_EQ(entries[i].digest(), DigestByHand(entries[i]));
    EXPECT_EQ(entries[i].digest(), AuditDigest(entries[i]));
    previous = entries[i].digest();
  }
}

TEST_F(AuditTest, TheChainGoesOnAfterAReopen) {
  audit_->Append(Entry("a"));
  Reopen();
  audit_->Append(Entry("b"));
  const std::vector<v1::AuditEntry> entries = All();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].previous_digest(), entries[0].digest());
}

TEST_F(AuditTest, ManyThreadsMakeOneChain) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 250; ++i) audit_->Append(Entry(absl::StrCat(t, "/", i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<v1::AuditEntry> entries = All();
  ASSERT_EQ(entries.size(), 1'000u);
  for (size_t i = 1; i < entries.size(); ++i) {
    ASSERT_EQ(entries[i].previous_digest(), entries[i - 1].digest()) << i;
  }
}

TEST_F(AuditTest, TheOldestAreDroppedInBlocksAndTheRestIsStillAChain) {
  Reopen(/*entries_max=*/2'000);
  for (int i = 0; i < 3'500; ++i) {
    audit_->Append(Entry(absl::StrCat(i)));
    // One write at a time, as calls come: a block is dropped by the write that fills it.
    if (i % 100 == 0) {
      ASSERT_THAT(audit_->List({}), IsOk());
    }
  }
  const std::vector<v1::AuditEntry> entries = All();
  EXPECT_GE(entries.size(), 2'000u);
  EXPECT_LT(entries.size(), 2'000u + 2 * Audit::kDropBlock);
  EXPECT_EQ(entries.back().sequence(), 3'500);
  EXPECT_GT(entries.front().sequence(), 1);
  EXPECT_NE(entries.front().previous_digest(), "");
  for (size_t i = 1; i < entries.size(); ++i) {
    ASSERT_EQ(entries[i].previous_digest(), entries[i - 1].digest()) << i;
  }
}

TEST_F(AuditTest, PagesAndTheirFaults) {
  for (int i = 0; i < 25; ++i) audit_->Append(Entry(absl::StrCat(i)));
  v1::ListAuditEntriesRequest request;
  request.set_page_size(10);
  request.set_start_sequence(11);
  ASSERT_OK_AND_ASSIGN(const auto page, audit_->List(request));
  ASSERT_EQ(page.entries_size(), 10);
  EXPECT_EQ(page.entries(0).sequence(), 11);
  EXPECT_EQ(page.next_sequence(), 21);
  request.set_start_sequence(26);
  ASSERT_OK_AND_ASSIGN(const auto end, audit_->List(request));
  EXPECT_EQ(end.entries_size(), 0);
  EXPECT_EQ(end.next_sequence(), 0);
  request.set_start_sequence(-1);
  request.set_page_size(-1);
  EXPECT_THAT(ViolatedFields(audit_->List(request).status()),
              testing::ElementsAre("start_sequence", "page_size"));
}

TEST(AuditResourceTest, IsTheNameOfWhatACallIsAbout) {
  v1::CancelTrainingJobRequest cancel;
  cancel.set_name("trainingJobs/a");
  EXPECT_EQ(ResourceOf(cancel), "trainingJobs/a");
  v1::CreateUserResponse created;
  created.mutable_user()->set_name("users/ann");
  EXPECT_EQ(ResourceOf(created), "users/ann");
  v1::CreateTokenRequest token;
  token.set_user("users/ann");
  EXPECT_EQ(ResourceOf(token), "users/ann");
  EXPECT_EQ(ResourceOf(v1::WhoAmIRequest()), "");
}

TEST(AuditResourceTest, OfACallAboutGradesItIsTheCourseOrWhatIsInIt) {
  v1::CreateAdjustmentRequest adjust;
  adjust.set_course("courses/dl");
  adjust.mutable_adjustment()->set_assignment("hw-mlp");
  EXPECT_EQ(ResourceOf(adjust), "courses/dl");
  // Its answer names no course: what the request is about stays.
  EXPECT_EQ(ResourceOf(adjust.adjustment()), "");
  v1::RecordMarksRequest marks;
  marks.set_course("courses/dl");
  marks.add_exams()->set_exam("final");
  EXPECT_EQ(ResourceOf(marks), "courses/dl");
  v1::Delivery delivery;
  delivery.set_id("d1");
  delivery.set_course("courses/dl");
  EXPECT_EQ(ResourceOf(delivery), "courses/dl");
  v1::UpdateRosterRequest roster;
  roster.set_course("courses/dl");
  EXPECT_EQ(ResourceOf(roster), "courses/dl");
  v1::CreateRegradeRequest regrade;
  regrade.set_assignment("courses/dl/assignments/hw-mlp");
  EXPECT_EQ(ResourceOf(regrade), "courses/dl/assignments/hw-mlp");
  v1::PublishAssignmentRequest publish;
  publish.mutable_assignment()->set_name("courses/dl/assignments/hw-mlp");
  EXPECT_EQ(ResourceOf(publish), "courses/dl/assignments/hw-mlp");
}

}  // namespace
}  // namespace trainyard

#include "server/services/submission_admission.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "core/data/resolve_features.h"
#include "core/tensor/engine_info.h"
#include "core/train/train_config.h"
#include "server/base/ids.h"
#include "server/base/version.h"
#include "server/grading/assignment_rules.h"
#include "server/grading/canonical_spec.h"
#include "server/grading/server_secrets.h"
#include "server/grading/spec_space.h"
#include "server/grading/work_budget.h"
#include "server/services/job_spec.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

// What repeats bit for bit.
constexpr int kGradedThreads = 1;

// What the server decides, whatever the assignment says.
v1::TrainingSpec ServerSpec(v1::TrainingSpec spec) {
  spec.clear_seed();
  spec.clear_seed_count();
  spec.set_threads(kGradedThreads);
  return spec;
}

// Of the resolved spec on its data; nothing but violations when there are any.
absl::StatusOr<Work> CountWork(const v1::TrainingSpec& resolved, const v1::Dataset& dataset) {
  Violations ignored;  // it was resolved without
  const TrainConfig config = TrainConfigFromProto(resolved, &ignored);
  const Schema schema = SchemaFromProto(dataset);
  return WorkOf(resolved, {.features = FeatureCountMax(config.data, schema),
                           .outputs = OutputCountOf(config, schema),
                           .train_rows = TrainRowCount(config, schema)});
}

std::vector<SpecRule> RulesOf(const v1::Assignment& assignment) {
  std::vector<SpecRule> rules;
  for (const v1::SpecRule& rule : assignment.spec_rules()) {
    SpecRule added{.path = rule.path(), .values = {rule.values().begin(), rule.values().end()}};
    if (rule.has_min()) added.min = rule.min();
    if (rule.has_max()) added.max = rule.max();
    rules.push_back(std::move(added));
  }
  return rules;
}

}  // namespace

absl::StatusOr<GradedSpec> SubmissionAdmission::Grade(const v1::Assignment& assignment,
                                                      const v1::TrainingSpec& spec,
                                                      Violations* violations) const {
  const size_t before = violations->size();
  TY_ASSIGN_OR_RETURN(const SpecSpace space,
                      SpecSpace::Create(RulesOf(assignment), "assignment.spec_rules"));
  space.CheckSubmitted(spec, violations);
  // What is merged is only looked at when all of it may be set.
  if (violations->size() > before) return GradedSpec{};
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(assignment.training_dataset()));
  const v1::TrainingSpec base = ServerSpec(assignment.base_spec());
  TY_ASSIGN_OR_RETURN(const JobSpec merged, ResolveJobSpec(MergeSpec(base, spec), dataset, limits_,
                                                           nullptr, violations));
  if (violations->size() > before) return GradedSpec{};
  TY_ASSIGN_OR_RETURN(JobSpec job,
                      ResolveJobSpec(CanonicalSpec(merged.resolved, base), dataset, limits_,
                                     nullptr, violations));
  if (violations->size() > before) return GradedSpec{};
  GradedSpec graded{.canonical = CanonicalSpec(job.resolved, base)};
  space.CheckResolved(graded.canonical, violations);
  graded.digest = SpecDigest(graded.canonical);
  TY_ASSIGN_OR_RETURN(const Work work, CountWork(graded.canonical, dataset));
  CheckWork(work, LimitsOf(assignment.budget()), "spec", violations);
  v1::TrainingJob estimated;
  *estimated.mutable_estimate() = job.estimate;
  *estimated.mutable_resolved_spec() = job.resolved;
  CheckEstimate(estimated, limits_, violations);
  graded.work.set_parameters(work.parameters);
  graded.work.set_train_flops(work.train_flops);
  graded.work.set_epochs(static_cast<int32_t>(work.epochs));
  return graded;
}

absl::StatusOr<v1::TrainingSpec> SubmissionAdmission::ResolveBase(const v1::Assignment& assignment,
                                                                  Violations* violations) const {
  const absl::StatusOr<SpecSpace> space =
      SpecSpace::Create(RulesOf(assignment), "assignment.spec_rules");
  if (!space.ok()) {
    const ErrorInfo info = GetErrorInfo(space.status()).value_or(ErrorInfo{});
    violations->insert(violations->end(), info.violations.begin(), info.violations.end());
  }
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(assignment.training_dataset()));
  TY_RETURN_IF_ERROR(CheckReady(dataset));
  const size_t own = violations->size();
  TY_ASSIGN_OR_RETURN(JobSpec job, ResolveJobSpec(ServerSpec(assignment.base_spec()), dataset,
                                                  limits_, nullptr, violations));
  for (size_t i = own; i < violations->size(); ++i) {
    FieldViolation& violation = (*violations)[i];
    violation.field = absl::StrCat("assignment.base_", violation.field);
  }
  const auto refuse = [&](bool given, absl::string_view field) {
    if (!given) return;
    violations->push_back({absl::StrCat("assignment.base_spec.", field),
                           "is not for assignments; leave it out"});
  };
  const v1::TrainingSpec& base = assignment.base_spec();
  refuse(!base.test_dataset().empty(), "test_dataset");
  refuse(!base.initial_model().empty(), "initial_model");
  refuse(base.split().has_fold_count(), "split.fold_count");
  return std::move(job.resolved);
}

std::vector<uint64_t> SubmissionAdmission::Seeds(const v1::Assignment& assignment) const {
  return SeedsOf(secret_, assignment.name(), assignment.seed_count());
}

std::string SubmissionAdmission::CacheKey(const v1::PublishedAssignment& published,
                                          const std::string& spec_digest) const {
  const v1::Assignment& assignment = published.assignment();
  const EngineInfo engine = GetEngineInfo();
  return Sha256Digest(absl::StrJoin(
      {assignment.name(), absl::StrCat(assignment.version()), published.training_table_digest(),
       published.public_table_digest(), published.sealed_table_digest(), spec_digest,
       absl::StrJoin(Seeds(assignment), ","), BuildString(), engine.onednn_version, engine.isa,
       absl::StrCat(kGradedThreads)},
      "\n"));
}

StoredSubmission SubmissionAdmission::NewSubmission(const v1::PublishedAssignment& published,
                                                    const GradedSpec& graded,
                                                    const std::string& student) const {
  StoredSubmission stored;
  stored.cache_key = CacheKey(published, graded.digest);
  v1::Submission& record = stored.record;
  record.set_student(student);
  *record.mutable_canonical_spec() = graded.canonical;
  record.set_spec_digest(graded.digest);
  record.set_assignment_version(published.assignment().version());
  *record.mutable_work() = graded.work;
  for (const uint64_t seed : Seeds(published.assignment())) stored.sealed.add_seeds(seed);
  return stored;
}

}  // namespace trainyard

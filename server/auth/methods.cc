#include "server/auth/methods.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

struct Method {
  absl::string_view name;
  MethodKind kind;
};

using enum MethodKind;

constexpr Method kMethods[] = {
    {"/trainyard.v1.AdminService/GetServerInfo", kRead},
    {"/trainyard.v1.AnalysisService/CreateAnalysis", kWrite},
    {"/trainyard.v1.AnalysisService/GetAnalysisResult", kRead},
    {"/trainyard.v1.AuthService/CreateToken", kTokenWrite},
    {"/trainyard.v1.AuthService/CreateUser", kAdminWrite},
    {"/trainyard.v1.AuthService/ExchangeIdentityToken", kPublic},
    {"/trainyard.v1.AuthService/GetUser", kRead},
    {"/trainyard.v1.AuthService/ListAuditEntries", kAdminRead},
    {"/trainyard.v1.AuthService/ListTokens", kRead},
    {"/trainyard.v1.AuthService/ListUsers", kAdminRead},
    {"/trainyard.v1.AuthService/RevokeToken", kTokenWrite},
    {"/trainyard.v1.AuthService/UpdateUser", kAdminWrite},
    {"/trainyard.v1.AuthService/WhoAmI", kRead},
    {"/trainyard.v1.CourseService/CreateCourse", kWrite},
    {"/trainyard.v1.CourseService/GetAssignment", kRead},
    {"/trainyard.v1.CourseService/GetCourse", kRead},
    {"/trainyard.v1.CourseService/GetPolicy", kRead},
    {"/trainyard.v1.CourseService/GetRoster", kRead},
    {"/trainyard.v1.CourseService/ListAssignments", kRead},
    {"/trainyard.v1.CourseService/ListCourses", kRead},
    {"/trainyard.v1.CourseService/PublishAssignment", kWrite},
    {"/trainyard.v1.CourseService/RevealCommitments", kWrite},
    {"/trainyard.v1.CourseService/SetPolicy", kWrite},
    {"/trainyard.v1.CourseService/UpdateRoster", kWrite},
    {"/trainyard.v1.DatasetService/CreateDataset", kWrite},
    {"/trainyard.v1.DatasetService/DeleteDataset", kWrite},
    {"/trainyard.v1.DatasetService/DownloadRejectReport", kRead},
    {"/trainyard.v1.DatasetService/FinalizeDataset", kWrite},
    {"/trainyard.v1.DatasetService/GetDataset", kRead},
    {"/trainyard.v1.DatasetService/GetUploadStatus", kRead},
    {"/trainyard.v1.DatasetService/ListDatasets", kRead},
    {"/trainyard.v1.DatasetService/PreviewDataset", kRead},
    {"/trainyard.v1.DatasetService/SealDataset", kWrite},
    {"/trainyard.v1.DatasetService/WriteDataset", kWrite},
    {"/trainyard.v1.GradeService/CreateAdjustment", kWrite},
    {"/trainyard.v1.GradeService/DiffSnapshot", kRead},
    {"/trainyard.v1.GradeService/ExportGradebook", kRead},
    {"/trainyard.v1.GradeService/GetGradebook", kRead},
    {"/trainyard.v1.GradeService/GetToolKey", kRead},
    {"/trainyard.v1.GradeService/ListAdjustments", kRead},
    {"/trainyard.v1.GradeService/ListCourseEvents", kRead},
    {"/trainyard.v1.GradeService/ListDeliveries", kRead},
    {"/trainyard.v1.GradeService/ListSnapshots", kRead},
    {"/trainyard.v1.GradeService/PublishSnapshot", kWrite},
    {"/trainyard.v1.GradeService/RecordMarks", kWrite},
    {"/trainyard.v1.GradeService/RetryDelivery", kWrite},
    {"/trainyard.v1.GradeService/RevokeAdjustment", kWrite},
    {"/trainyard.v1.GradeService/ConfirmAdjustment", kWrite},
    {"/trainyard.v1.GradeService/SetDeliveryTarget", kWrite},
    {"/trainyard.v1.JobService/CancelTrainingJob", kWrite},
    {"/trainyard.v1.JobService/CreateTrainingJob", kWrite},
    {"/trainyard.v1.JobService/DeleteTrainingJob", kWrite},
    {"/trainyard.v1.JobService/GetTrainingJob", kRead},
    {"/trainyard.v1.JobService/ListJobEvents", kRead},
    {"/trainyard.v1.JobService/ListTrainingJobs", kRead},
    {"/trainyard.v1.JobService/PauseTrainingJob", kWrite},
    {"/trainyard.v1.JobService/ResumeTrainingJob", kWrite},
    {"/trainyard.v1.JobService/SetTrainingJobPriority", kWrite},
    {"/trainyard.v1.JobService/WaitTrainingJob", kRead},
    {"/trainyard.v1.JobService/WatchTrainingJob", kRead},
    {"/trainyard.v1.ModelService/DeleteModel", kWrite},
    {"/trainyard.v1.ModelService/EvaluateModel", kRead},
    {"/trainyard.v1.ModelService/ExportModel", kRead},
    {"/trainyard.v1.ModelService/GetModel", kRead},
    {"/trainyard.v1.ModelService/ImportModel", kWrite},
    {"/trainyard.v1.ModelService/ListModels", kRead},
    {"/trainyard.v1.ModelService/Predict", kRead},
    {"/trainyard.v1.ModelService/PredictTable", kRead},
    {"/trainyard.v1.SubmissionService/ApplyRegrade", kWrite},
    {"/trainyard.v1.SubmissionService/CancelSubmission", kWrite},
    {"/trainyard.v1.SubmissionService/CreateRegrade", kWrite},
    {"/trainyard.v1.SubmissionService/CreateSubmission", kWrite},
    {"/trainyard.v1.SubmissionService/GetIntegrityReport", kRead},
    {"/trainyard.v1.SubmissionService/GetLeaderboard", kRead},
    {"/trainyard.v1.SubmissionService/GetReceipt", kRead},
    {"/trainyard.v1.SubmissionService/GetRegrade", kRead},
    {"/trainyard.v1.SubmissionService/GetSigningKey", kRead},
    {"/trainyard.v1.SubmissionService/GetStanding", kRead},
    {"/trainyard.v1.SubmissionService/GetSubmission", kRead},
    {"/trainyard.v1.SubmissionService/ListSubmissions", kRead},
    {"/trainyard.v1.SubmissionService/NominateSubmission", kWrite},
    {"/trainyard.v1.SubmissionService/WaitSubmission", kRead},
};

const absl::flat_hash_map<absl::string_view, MethodKind>& Methods() {
  static const auto* methods = [] {
    auto* const map = new absl::flat_hash_map<absl::string_view, MethodKind>();
    for (const Method& method : kMethods) map->emplace(method.name, method.kind);
    return map;
  }();
  return *methods;
}

std::string RoleText(const Principal& principal) {
  return absl::StrCat("role ", v1::UserRole_Name(principal.role).substr(sizeof("USER_ROLE")),
                      principal.read_only ? ", read_only" : "",
                      principal.course.empty() ? "" : ", scoped to ", principal.course);
}

absl::Status Refuse(absl::string_view what, absl::string_view hint, const Principal& principal) {
  return MakeError(absl::StatusCode::kPermissionDenied, what,
                   {.reason = ErrorReason::kPermission,
                    .hint = std::string(hint),
                    .in_force = RoleText(principal)});
}

}  // namespace

std::optional<MethodKind> FindMethod(absl::string_view method) {
  const auto found = Methods().find(method);
  if (found == Methods().end()) return std::nullopt;
  return found->second;
}

MethodKind MethodKindOf(absl::string_view method) {
  return FindMethod(method).value_or(MethodKind::kWrite);
}

bool IsWrite(MethodKind kind) {
  return kind != MethodKind::kRead && kind != MethodKind::kAdminRead;
}

absl::Status CheckMethod(MethodKind kind, const Principal& principal) {
  const bool for_admins = kind == MethodKind::kAdminRead || kind == MethodKind::kAdminWrite;
  const bool whole_user = kind == MethodKind::kTokenWrite || kind == MethodKind::kAdminWrite;
  if (for_admins && !principal.admin()) {
    return Refuse("only an ADMIN may do this", "ask an administrator of this server", principal);
  }
  if (principal.read_only && IsWrite(kind)) {
    return Refuse("the token is read-only, and this call changes something",
                  "use a token that was made without read_only", principal);
  }
  if (whole_user && !principal.course.empty()) {
    return Refuse("a token that is scoped to a course cannot manage users or tokens",
                  "use a token that was made without course", principal);
  }
  if (kind == MethodKind::kWrite && principal.role == v1::USER_ROLE_VIEWER) {
    return Refuse("a VIEWER only reads, and this call changes something",
                  "ask an administrator for the role STUDENT", principal);
  }
  return absl::OkStatus();
}

}  // namespace trainyard

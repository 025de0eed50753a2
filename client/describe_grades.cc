#include "client/describe_grades.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/describe.h"
#include "client/describe_course.h"
#include "client/proto_text.h"
#include "client/render.h"
#include "client/resource_names.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;

std::string BasisLine(const v1::Gradebook& gradebook) {
  return absl::StrCat("events up to ", gradebook.as_of_sequence(), ", policy version ",
                      gradebook.policy_version(), ", ", Printable(gradebook.digest()), "\n");
}

std::string LateText(const v1::HomeworkGrade& grade) {
  if (grade.exempt()) return "exempt";
  if (grade.late_units() == 0) return "";
  return absl::StrCat(grade.late_units(), " late, -", grade.penalty_percent(), "%");
}

std::string HomeworkTable(const v1::GradeRow& row) {
  TextTable table({{"  HOMEWORK"},
                   {"POINTS", Align::kRight},
                   {"LATE"},
                   {"COUNTS", Align::kRight},
                   {"SUBMISSION"}});
  for (const v1::HomeworkGrade& grade : row.homeworks()) {
    table.AddRow({absl::StrCat("  ", grade.assignment()), absl::StrCat(grade.points()),
                  LateText(grade), HundredthsText(grade.centipoints()),
                  ShortName(grade.submission())});
  }
  return table.Render();
}

std::string RowText(const v1::GradeRow& row) {
  const std::string name =
      row.full_name().empty() ? "" : absl::StrCat(" (", Printable(row.full_name()), ")");
  std::string text = absl::StrCat(Printable(row.student()), name, "  ",
                                  HundredthsText(row.final_hundredths()), "\n", HomeworkTable(row));
  for (const std::string& line : row.explanation()) {
    absl::StrAppend(&text, "  ", Printable(line), "\n");
  }
  for (const std::string& flag : row.flags()) {
    absl::StrAppend(&text, "  note: ", Printable(flag), "\n");
  }
  return text;
}

std::string ValueText(const v1::Adjustment& adjustment) {
  switch (adjustment.kind()) {
    case v1::Adjustment::ADD:
    case v1::Adjustment::SET:
      return absl::StrCat(adjustment.points(), " points");
    case v1::Adjustment::LATE_DAYS:
      return absl::StrCat(adjustment.late_units(), " late");
    case v1::Adjustment::EXTEND:
      return DurationText(ToDuration(adjustment.extension()));
    case v1::Adjustment::FINAL:
      return HundredthsText(adjustment.final_hundredths());
    default:
      return "";
  }
}

std::string KindWord(const v1::Adjustment& adjustment) {
  return EnumWord(*v1::Adjustment::Kind_descriptor(), adjustment.kind());
}

std::string TargetKind(v1::DeliveryTarget::Kind kind) {
  return EnumWord(*v1::DeliveryTarget::Kind_descriptor(), kind);
}

std::string DeliveryState(const v1::Delivery& delivery) {
  return EnumWord(*v1::Delivery::State_descriptor(), delivery.state());
}

}  // namespace

std::string DescribeGradebook(const v1::Gradebook& gradebook) {
  TextTable table({{"STUDENT"},
                   {"NAME"},
                   {"POINTS", Align::kRight},
                   {"OF", Align::kRight},
                   {"HOMEWORK", Align::kRight},
                   {"EXAMS", Align::kRight},
                   {"FINAL", Align::kRight},
                   {"SO FAR", Align::kRight},
                   {"NOTES"}});
  for (const v1::GradeRow& row : gradebook.rows()) {
    table.AddRow({row.student(), row.full_name(), HundredthsText(row.total_centipoints()),
                  absl::StrCat(row.denominator_points()),
                  HundredthsText(row.homework_rounded_hundredths()),
                  HundredthsText(row.exam_hundredths()), HundredthsText(row.final_hundredths()),
                  HundredthsText(row.so_far_hundredths()), absl::StrJoin(row.flags(), "; ")});
  }
  return absl::StrCat(table.Render(), BasisLine(gradebook), WarningLines(gradebook.warnings()));
}

std::string DescribeExplanation(const v1::Gradebook& gradebook) {
  std::string text;
  for (const v1::GradeRow& row : gradebook.rows()) absl::StrAppend(&text, RowText(row), "\n");
  return absl::StrCat(text, BasisLine(gradebook), WarningLines(gradebook.warnings()));
}

std::string DescribeSnapshot(const v1::Snapshot& snapshot) {
  return absl::StrCat(
      Printable(snapshot.name()), "\n",
      KeyValueLines({{"published", TimeText(ToTime(snapshot.create_time()))},
                     {"by", snapshot.author()},
                     {"events up to", absl::StrCat(snapshot.as_of_sequence())},
                     {"policy", absl::StrCat("version ", snapshot.policy_version())},
                     {"digest", snapshot.digest()}}));
}

std::string DescribeSnapshots(const v1::ListSnapshotsResponse& list) {
  TextTable table({{"SNAPSHOT"},
                   {"PUBLISHED"},
                   {"BY"},
                   {"EVENTS UP TO", Align::kRight},
                   {"POLICY", Align::kRight},
                   {"DIGEST"}});
  for (const v1::Snapshot& snapshot : list.snapshots()) {
    table.AddRow({ShortName(snapshot.name()), TimeText(ToTime(snapshot.create_time())),
                  snapshot.author(), absl::StrCat(snapshot.as_of_sequence()),
                  absl::StrCat(snapshot.policy_version()), snapshot.digest()});
  }
  return table.Render();
}

std::string DescribeSnapshotDiff(const v1::DiffSnapshotResponse& diff) {
  return absl::StrCat(DescribeSnapshot(diff.snapshot()),
                      "since then: ", diff.changes().empty() ? "" : "\n",
                      DescribeGradeChanges(diff.changes()),
                      diff.digest_matches()
                          ? "computed again, the snapshot has the digest it was published with\n"
                          : "warning: computed again, the snapshot has another digest than it was "
                            "published with\n");
}

std::string DescribeAdjustment(const v1::Adjustment& adjustment) {
  return absl::StrCat(
      "adjustment ", Printable(adjustment.id()), adjustment.revoked() ? "  REVOKED" : "", "\n",
      KeyValueLines(
          {{"student", adjustment.student()},
           {"assignment", adjustment.assignment()},
           {"kind", KindWord(adjustment)},
           {"value", ValueText(adjustment)},
           {"reason", adjustment.reason()},
           {"expires", adjustment.has_expires() ? TimeText(ToTime(adjustment.expires())) : ""},
           {"by", adjustment.author()},
           {"confirmed by", adjustment.confirmed_by()},
           {"created", TimeText(ToTime(adjustment.create_time()))}}));
}

std::string DescribeAdjustments(const v1::ListAdjustmentsResponse& list) {
  TextTable table(
      {{"ID"}, {"STUDENT"}, {"ASSIGNMENT"}, {"KIND"}, {"VALUE"}, {"REASON"}, {"BY"}, {"STATE"}});
  for (const v1::Adjustment& adjustment : list.adjustments()) {
    table.AddRow({adjustment.id(), adjustment.student(), adjustment.assignment(),
                  KindWord(adjustment), ValueText(adjustment), adjustment.reason(),
                  adjustment.author(), adjustment.revoked() ? "revoked" : ""});
  }
  return table.Render();
}

std::string DescribeDeliveryTarget(const v1::DeliveryTarget& target) {
  const std::string kind = TargetKind(target.kind());
  if (target.url().empty()) return absl::StrCat("no ", kind, " is sent any more\n");
  const std::map<std::string, std::string> items(target.line_items().begin(),
                                                 target.line_items().end());
  return absl::StrCat(kind, " goes to ", Printable(target.url()), "\n",
                      KeyValueLines({{"repository prefix", target.repository_prefix()},
                                     {"line items",
                                      absl::StrJoin(items, ", ", absl::PairFormatter("="))},
                                     {"above the maximum", target.above_max() ? "sent" : ""},
                                     {"token endpoint", target.token_url()},
                                     {"client", target.client_id()},
                                     {"token audience", target.token_audience()},
                                     {"secret", target.secret_set() ? "known" : "none"}}));
}

std::string DescribeDelivery(const v1::Delivery& delivery) {
  return absl::StrCat(
      "delivery ", Printable(delivery.id()), "  ", DeliveryState(delivery), "\n",
      KeyValueLines({{"submission", delivery.submission()},
                     {"kind", TargetKind(delivery.kind())},
                     {"url", delivery.url()},
                     {"attempts", absl::StrCat(delivery.attempts())},
                     {"last outcome", delivery.last_outcome()},
                     {"next attempt", delivery.has_next_attempt_time()
                                          ? TimeText(ToTime(delivery.next_attempt_time()))
                                          : ""}}));
}

std::string DescribeDeliveries(const v1::ListDeliveriesResponse& list) {
  TextTable table({{"ID"},
                   {"SUBMISSION"},
                   {"KIND"},
                   {"STATE"},
                   {"ATTEMPTS", Align::kRight},
                   {"LAST OUTCOME"},
                   {"URL"}});
  for (const v1::Delivery& delivery : list.deliveries()) {
    table.AddRow({delivery.id(), ShortName(delivery.submission()), TargetKind(delivery.kind()),
                  DeliveryState(delivery), absl::StrCat(delivery.attempts()),
                  delivery.last_outcome(), delivery.url()});
  }
  return table.Render();
}

}  // namespace trainyard

#include "server/grading/policy_time.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace trainyard {
namespace {

constexpr size_t kZoneNameBytesMax = 64;
constexpr int64_t kSecondsMax = int64_t{36'600} * 86'400;
// A leap year, so that "02-29" is a date while the year is not known.
constexpr absl::string_view kAnyYear = "2000-";

bool IsZoneCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '/' || c == '+' ||
         c == '-';
}

// "29 February" of a common year would become 1 March by normalization.
bool ExistsIn(absl::CivilSecond date, absl::civil_year_t year) {
  return absl::CivilDay(year, date.month(), date.day()).day() == date.day();
}

absl::CivilSecond InYear(absl::CivilSecond date, absl::civil_year_t year) {
  return absl::CivilSecond(year, date.month(), date.day(), date.hour(), date.minute(),
                           date.second());
}

// Digits where the form has '0', the form's character elsewhere: neither signs nor spaces nor a
// year of five digits, which absl's own parser would take.
bool HasForm(absl::string_view text, absl::string_view form) {
  return std::equal(text.begin(), text.end(), form.begin(), form.end(), [](char c, char f) {
    return f == '0' ? absl::ascii_isdigit(static_cast<unsigned char>(c)) : c == f;
  });
}

}  // namespace

std::optional<absl::TimeZone> LoadPolicyZone(absl::string_view name) {
  const bool named = !name.empty() && name.size() <= kZoneNameBytesMax && name.front() != '/' &&
                     name != "localtime" && std::all_of(name.begin(), name.end(), IsZoneCharacter);
  absl::TimeZone zone;
  if (!named || !absl::LoadTimeZone(name, &zone)) return std::nullopt;
  return zone;
}

absl::Time LaterInstant(absl::CivilSecond civil, const absl::TimeZone& zone) {
  const absl::TimeZone::TimeInfo info = zone.At(civil);
  return std::max(info.pre, info.post);
}

std::optional<PolicyDate> PolicyDate::Parse(absl::string_view text) {
  const bool has_year = HasForm(text.substr(0, 5), "0000-");
  const absl::string_view rest = has_year ? text.substr(5) : text;
  const bool has_seconds = HasForm(rest, "00-00 00:00:00");
  if (!has_seconds && !HasForm(rest, "00-00 00:00")) return std::nullopt;
  // Without seconds the whole minute is meant.
  const std::string full = absl::StrCat(has_year ? "" : kAnyYear, text, has_seconds ? "" : ":59");
  absl::CivilSecond date;
  // ParseCivilTime normalizes nothing: 02-30 and 24:00 are refused.
  if (!absl::ParseCivilTime(absl::StrCat(full.substr(0, 10), "T", full.substr(11)), &date)) {
    return std::nullopt;
  }
  return PolicyDate(date, has_year);
}

absl::CivilSecond PolicyDate::At(absl::CivilSecond start) const {
  if (has_year_) return date_;
  absl::civil_year_t year = start.year();
  while (!ExistsIn(date_, year) || InYear(date_, year) < start) ++year;
  return InYear(date_, year);
}

std::optional<int64_t> WholeSeconds(const google::protobuf::Duration& duration) {
  if (duration.nanos() != 0) return std::nullopt;
  if (duration.seconds() > kSecondsMax || duration.seconds() < -kSecondsMax) return std::nullopt;
  return duration.seconds();
}

}  // namespace trainyard

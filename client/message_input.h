// Messages of the contract out of what the user gives: files, and flags that name fields.
//
// Thread-safety: pure functions, but for the files.
// Errors: usage errors (exit_code.h) with every fault; those of a file begin with its path.
#ifndef TRAINYARD_CLIENT_MESSAGE_INPUT_H_
#define TRAINYARD_CLIENT_MESSAGE_INPUT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/field_flags.h"
#include "google/protobuf/message.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/grades.pb.h"

namespace trainyard {

// Of files of secrets: a key and what editors put around it.
inline constexpr int64_t kSecretBytesMax = 16'384;  // an identity token's

// Lays `flags` over `message`.
absl::Status ApplyFlags(const FieldFlags& flags, google::protobuf::Message* message);

// A YAML file of the fields of `message`.
absl::Status ReadYamlFile(const std::string& path, google::protobuf::Message* message);

// A roster: CSV with a line per member and the columns `user`, `role` and those of Enrolment that
// there are, or (.yaml, .yml) YAML of v1::Roster.
absl::StatusOr<v1::Roster> ReadRosterFile(const std::string& path);

// Marks: CSV with the column `exam` (of v1::ExamMark; `points` with up to two decimals may stand
// for `hundredths`) or `quiz` (of v1::QuizResult), or YAML of v1::MarksRecorded.
absl::StatusOr<v1::MarksRecorded> ReadMarksFile(const std::string& path);

// Marks to be removed: the same file, e.g. the one that was recorded by mistake. Of its rows only
// student and exam, or student and quiz, are asked for; of what else they say nothing is taken.
absl::StatusOr<v1::MarksRecorded> ReadRemovedMarksFile(const std::string& path);

// The same of a file's text.
absl::StatusOr<v1::Roster> ParseRosterCsv(absl::string_view text);
absl::StatusOr<v1::MarksRecorded> ParseMarksCsv(absl::string_view text);

// The first line of a file, which must be its only one: secrets are not given on the command line,
// which everybody on the machine can read. "-" is standard input.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_MESSAGE_INPUT_H_

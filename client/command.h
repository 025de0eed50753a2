// What all commands share: a command is parsed into its options, then run with a Session.
//
// Thread-safety: none; one command per process.
#ifndef TRAINYARD_CLIENT_COMMAND_H_
#define TRAINYARD_CLIENT_COMMAND_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/exit_code.h"
#include "client/remote.h"
#include "client/screen.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

struct Session {
  Remote& remote;
  Screen& screen;
};

using ExitOr = absl::StatusOr<ExitCode>;
using Command = std::function<ExitOr(Session&)>;

// Adds `name` to `group`; parsing it puts `run` with `*options` into `*chosen`.
template <typename Options>
CLI::App* AddCommand(CLI::App* group, const char* name, const char* help,
                     std::shared_ptr<Options> options, ExitOr (*run)(Session&, const Options&),
                     Command* chosen) {
  CLI::App* command = group->add_subcommand(name, help);
  command->callback([options, run, chosen] {
    *chosen = [options, run](Session& session) { return run(session, *options); };
  });
  return command;
}

// What was decided for the user, a line each. `notes` are texts in any container.
template <typename Notes>
void ShowNotes(Session& session, const Notes& notes) {
  for (const std::string& note : notes) session.screen.Note(absl::StrCat("note: ", note));
}

// A group of commands, of which one must be given.
CLI::App* AddGroup(CLI::App* app, const char* name, const char* help);

// For commands whose only argument is a resource.
struct NameOptions {
  std::string name;
};
// For lists. Pages are fetched until there are `limit` entries.
struct ListOptions {
  int32_t limit = 50;
  std::string filter;
};
void AddLimit(CLI::App* command, ListOptions* options);
// Who goes first, as a word: interactive, normal or batch. An option, or an argument by its `name`.
CLI::Option* AddPriority(CLI::App* command, const char* name, v1::JobPriority* priority);

inline constexpr char kJobCollection[] = "trainingJobs";

// `datasets/abc` for `abc` as well as for `datasets/abc`.
std::string FullName(absl::string_view collection, absl::string_view name);

// Fetches pages of a list until it has `limit` entries or there are no more. `entries` names the
// repeated field.
template <typename Stub, typename Request, typename Response, typename Entry>
absl::StatusOr<Response> ListAll(
    Remote& remote, Stub& stub,
    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request,
    google::protobuf::RepeatedPtrField<Entry>* (Response::*entries)(), int32_t limit) {
  constexpr int32_t kPageSizeMax = 1000;
  Response all;
  while (true) {
    request.set_page_size(std::min(limit - (all.*entries)()->size(), kPageSizeMax));
    absl::StatusOr<Response> page = remote.Call(stub, method, request);
    if (!page.ok()) return page.status();
    (all.*entries)()->MergeFrom(*((*page).*entries)());
    all.set_next_page_token(page->next_page_token());
    const bool done = page->next_page_token().empty() || (all.*entries)()->size() >= limit;
    if (done) return all;
    request.set_page_token(page->next_page_token());
  }
}

void AddDatasetCommands(CLI::App* app, Command* chosen);
void AddTrainCommand(CLI::App* app, Command* chosen);
void AddJobCommands(CLI::App* app, Command* chosen);
// Those of the group `job` that write a job's history, and that draw it.
void AddExportCommands(CLI::App* group, Command* chosen);
void AddCurveCommands(CLI::App* group, Command* chosen);
void AddModelCommands(CLI::App* app, Command* chosen);
void AddAnalyzeCommands(CLI::App* app, Command* chosen);
void AddServerCommands(CLI::App* app, Command* chosen);
void AddUserCommands(CLI::App* app, Command* chosen);
void AddCourseCommands(CLI::App* app, Command* chosen);
void AddAssignmentCommands(CLI::App* app, Command* chosen);
// The commands submit and grade.
void AddGradeCommands(CLI::App* app, Command* chosen);
void AddSubmissionCommands(CLI::App* app, Command* chosen);
void AddRegradeCommands(CLI::App* app, Command* chosen);
void AddGradebookCommands(CLI::App* app, Command* chosen);
void AddAdjustmentCommands(CLI::App* app, Command* chosen);
void AddDeliveryCommands(CLI::App* app, Command* chosen);
void AddTopCommand(CLI::App* app, Command* chosen);
void AddVerifyCommand(CLI::App* app, Command* chosen);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_COMMAND_H_

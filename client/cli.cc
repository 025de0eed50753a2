#include "client/cli.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "CLI/CLI.hpp"
#include "client/command.h"
#include "client/proto_text.h"
#include "client/unknown_words.h"

namespace trainyard {
namespace {

constexpr char kServerDefault[] = "127.0.0.1:7070";

struct GlobalOptions {
  RemoteOptions remote{.server = kServerDefault};
  CredentialFlags credentials;
  std::string format = "text";
  bool no_color = false;
};

void SetTimeout(const std::string& text, RemoteOptions* remote) {
  remote->timeout = ParseSpan(text);
  if (!remote->timeout.has_value() || *remote->timeout <= absl::ZeroDuration()) {
    throw CLI::ValidationError("--timeout",
                               "expected a duration such as 5s or 2m, found \"" + text + "\"");
  }
}

absl::string_view EnvironmentToken() {
  const char* const token = std::getenv("TRAINYARD_TOKEN");
  return token == nullptr ? "" : token;
}

// -o FILE is what other programs have.
std::string CheckFormat(const std::string& text) {
  if (text == "text" || text == "json") return "";
  return "expected text or json, found \"" + text + "\"; a file is named with -f";
}

void AddCredentialOptions(CLI::App* app, CredentialFlags* flags) {
  app->add_option("--token", flags->token,
                  "Token; --token-file or the variable TRAINYARD_TOKEN hide it from others on this "
                  "machine")
      ->type_name("TOKEN");
  app->add_option("--token-file", flags->token_file, "File with the token")->type_name("FILE");
  app->add_flag("--tls", flags->tls, "Encrypt; the server's certificate is checked");
  app->add_option("--tls-ca", flags->ca_file,
                  "PEM file: authority of the server's certificate (default: the system's)")
      ->type_name("FILE");
  app->add_option("--tls-cert", flags->certificate_file,
                  "PEM file: your certificate, for servers that ask for one")
      ->type_name("FILE");
  app->add_option("--tls-key", flags->key_file, "PEM file: its private key")->type_name("FILE");
  app->add_flag("--insecure", flags->insecure, "Send the token as plain text to another machine");
}

void AddGlobalOptions(CLI::App* app, GlobalOptions* options) {
  app->add_option("--server", options->remote.server, "host:port of the server")
      ->envname("TRAINYARD_SERVER")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app->add_option("-o,--output", options->format,
                  "text, or json: the messages of the contract; errors as {\"error\": ...}")
      ->check(CheckFormat)
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  app->add_flag("--no-color", options->no_color, "No colours on a terminal")->envname("NO_COLOR");
  app->add_option_function<std::string>(
         "--timeout", [options](const std::string& text) { SetTimeout(text, &options->remote); },
         "Of one call, e.g. 5s (default 30s, and none for uploads, watches and other long calls)")
      ->type_name("DURATION");
}

// Parses into `*options` and `*chosen`. The app lives only as long as this function; commands own
// their options. An exit code when there is nothing to run: help was asked for, or the usage is
// wrong.
std::optional<ExitCode> Parse(std::vector<std::string> arguments, const Streams& streams,
                              GlobalOptions* options, Command* chosen) {
  CLI::App app("Trains multilayer perceptrons on tables, on a Trainyard server.", "trainyard");
  app.fallthrough();  // global options may come after the command
  app.require_subcommand(1);
  AddGlobalOptions(&app, options);
  AddCredentialOptions(&app, &options->credentials);
  AddDatasetCommands(&app, chosen);
  AddTrainCommand(&app, chosen);
  AddJobCommands(&app, chosen);
  AddModelCommands(&app, chosen);
  AddAnalyzeCommands(&app, chosen);
  AddServerCommands(&app, chosen);
  AddUserCommands(&app, chosen);
  AddCourseCommands(&app, chosen);
  AddAssignmentCommands(&app, chosen);
  AddGradeCommands(&app, chosen);
  AddSubmissionCommands(&app, chosen);
  AddRegradeCommands(&app, chosen);
  AddGradebookCommands(&app, chosen);
  AddAdjustmentCommands(&app, chosen);
  AddDeliveryCommands(&app, chosen);
  AddTopCommand(&app, chosen);
  AddVerifyCommand(&app, chosen);
  app.footer(std::string(ExitCodeHelp()));           // after the commands, which would inherit it
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants a vector
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& e) {
    const bool is_help = e.get_exit_code() == 0;
    if (!is_help) streams.err << DescribeUnknownWords(app);
    app.exit(e, streams.out, streams.err);
    return is_help ? ExitCode::kOk : ExitCode::kUsage;
  }
  return std::nullopt;
}

}  // namespace

ExitCode RunCli(std::vector<std::string> arguments, const Streams& streams, Interrupt* interrupt,
                const RetryPolicy& retry) {
  GlobalOptions options;
  options.remote.retry = retry;
  Command command;
  const std::optional<ExitCode> parsed = Parse(std::move(arguments), streams, &options, &command);
  if (parsed.has_value()) return *parsed;
  Screen screen(streams, {.json = options.format == "json", .color = !options.no_color});
  const absl::StatusOr<Credentials> credentials =
      ReadCredentials(options.credentials, EnvironmentToken(), options.remote.server);
  if (!credentials.ok()) {
    screen.ShowError(credentials.status());
    return ExitCodeOf(credentials.status());
  }
  options.remote.credentials = *credentials;
  Remote remote(options.remote, interrupt);
  Session session{remote, screen};
  ExitOr result = command(session);
  if (interrupt->raised()) {
    screen.Note("interrupted");
    return ExitCode::kInterrupted;
  }
  if (result.ok()) {
    const absl::Status written = screen.Finish();
    if (!written.ok()) result = written;
  }
  if (result.ok()) return *result;
  screen.ShowError(result.status());
  return ExitCodeOf(result.status());
}

}  // namespace trainyard

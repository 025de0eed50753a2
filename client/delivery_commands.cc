#include "absl/strings/str_cat.h"
#include "client/call_and_show.h"
#include "client/describe_grades.h"
#include "client/exit_code.h"
#include "client/field_flags.h"
#include "client/message_input.h"
#include "client/render.h"
#include "client/resource_names.h"

namespace trainyard {
namespace {

using Stub = v1::GradeService::Stub;

constexpr FlagSpec kTargetFlags[] = {
    {"--kind", "kind", "KIND", "check_run or lti_score"},
    {"--url", "url", "URL", "Where it is sent to; without it nothing is sent any more"},
    {"--above-max", "above_max", "",
     "lti_score: send points above the maximum as they are (default: as the maximum)"},
    {"--token-url", "token_url", "URL",
     "lti_score: the platform's token endpoint; without it the secret is the bearer token"},
    {"--client-id", "client_id", "ID", "lti_score: what the platform calls this tool"},
    {"--token-audience", "token_audience", "TEXT",
     "lti_score: audience that the platform wants (default: the token endpoint)"},
    {"--prefix", "repository_prefix", "TEXT",
     "check_run: before the assignment's id in the repository's name, e.g. fintech-dl-hse-"}};

constexpr FlagSpec kListFlags[] = {
    {"--state", "state", "STATE", "Only waiting, delivered or given_up ones"}};

struct KeyOptions {
  bool pem = false;
};

struct DeliveryOptions {
  std::string course;
  std::string id;
  FieldFlags flags;
  std::string secret_path;
  std::vector<std::string> line_items;
  ListOptions list;
};

// ASSIGNMENT=URL; the address may have = itself.
absl::Status AddLineItems(const std::vector<std::string>& texts, v1::DeliveryTarget* target) {
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageError(absl::StrCat("--line-item ", Printable(text), " is no ASSIGNMENT=URL"),
                        {.hint = "e.g. hw-mlp=https://lms.example/line_items/7"});
    }
    (*target->mutable_line_items())[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return absl::OkStatus();
}

ExitOr RunSet(Session& session, const DeliveryOptions& options) {
  v1::SetDeliveryTargetRequest request;
  request.set_course(CourseName(options.course));
  TY_RETURN_IF_ERROR(ApplyFlags(options.flags, request.mutable_target()));
  TY_RETURN_IF_ERROR(AddLineItems(options.line_items, request.mutable_target()));
  if (!options.secret_path.empty()) {
    TY_ASSIGN_OR_RETURN(*request.mutable_secret(), ReadSecretFile(options.secret_path));
  }
  return CallAndShow(session, session.remote.grades(), &Stub::SetDeliveryTarget, request,
                     &DescribeDeliveryTarget);
}

ExitOr RunList(Session& session, const DeliveryOptions& options) {
  v1::ListDeliveriesRequest request;
  request.set_course(CourseName(options.course));
  TY_RETURN_IF_ERROR(ApplyFlags(options.flags, &request));
  TY_ASSIGN_OR_RETURN(
      const v1::ListDeliveriesResponse list,
      ListAll(session.remote, session.remote.grades(), &Stub::ListDeliveries, request,
              &v1::ListDeliveriesResponse::mutable_deliveries, options.list.limit));
  session.screen.Show(list, DescribeDeliveries(list));
  return ExitCode::kOk;
}

ExitOr RunRetry(Session& session, const DeliveryOptions& options) {
  v1::RetryDeliveryRequest request;
  request.set_course(CourseName(options.course));
  request.set_id(options.id);
  return CallAndShow(session, session.remote.grades(), &Stub::RetryDelivery, request,
                     &DescribeDelivery);
}

// As the platform's registration form takes it, alone on stdout.
ExitOr RunKey(Session& session, const KeyOptions& options) {
  TY_ASSIGN_OR_RETURN(
      const v1::ToolKey key,
      session.remote.Call(session.remote.grades(), &Stub::GetToolKey, v1::GetToolKeyRequest()));
  session.screen.Show(key, options.pem ? key.pem() : absl::StrCat(key.jwk(), "\n"));
  return ExitCode::kOk;
}

CLI::App* AddNamed(CLI::App* group, const char* name, const char* help,
                   const std::shared_ptr<DeliveryOptions>& options,
                   ExitOr (*run)(Session&, const DeliveryOptions&), Command* chosen) {
  CLI::App* const command = AddCommand(group, name, help, options, run, chosen);
  command->add_option("COURSE", options->course, "courses/ID or ID")->required();
  return command;
}

}  // namespace

void AddDeliveryCommands(CLI::App* app, Command* chosen) {
  CLI::App* const group = AddGroup(app, "delivery", "Points that are sent to other services");
  auto setter = std::make_shared<DeliveryOptions>();
  CLI::App* const set =
      AddNamed(group, "set", "Say where points are sent to", setter, &RunSet, chosen);
  AddFieldFlags(*set, "Target", kTargetFlags, *v1::DeliveryTarget::descriptor(), &setter->flags);
  set->get_option("--kind")->required();
  set->add_option("--line-item", setter->line_items,
                  "lti_score: an assignment's line item as the platform numbers it, in place of "
                  "--url; may be repeated")
      ->type_name("ASSIGNMENT=URL")
      ->allow_extra_args(false);
  set->add_option("--secret-file", setter->secret_path,
                  "File with the key of the signature, or the bearer token (default: as before)")
      ->type_name("FILE");
  auto list = std::make_shared<DeliveryOptions>();
  CLI::App* const lister =
      AddNamed(group, "list", "List what was sent or waits", list, &RunList, chosen);
  AddFieldFlags(*lister, "Which", kListFlags, *v1::ListDeliveriesRequest::descriptor(),
                &list->flags);
  AddLimit(lister, &list->list);
  auto key = std::make_shared<KeyOptions>();
  AddCommand(group, "key", "Print the public key by which this server proves itself to platforms",
             key, &RunKey, chosen)
      ->add_flag("--pem", key->pem, "As PEM (Moodle) rather than as a JSON Web Key (Canvas)");
  auto retry = std::make_shared<DeliveryOptions>();
  AddNamed(group, "retry", "Send one that was given up once more", retry, &RunRetry, chosen)
      ->add_option("ID", retry->id, "Id of the delivery")
      ->required();
}

}  // namespace trainyard

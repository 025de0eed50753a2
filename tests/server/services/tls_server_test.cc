// The transport: TLS, client certificates, and where a server without them may listen.
#include "server/add_admin.h"
#include "server/base/log.h"
#include "tests/support/certificates.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class TlsServerTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"server", "client"}) authority_.Issue(name);
    strangers_.Issue("stranger");
    TestServer::UseToken("");
  }

  void AddTls(ServerOptions* options, bool asks_clients) const {
    options->tls.certificate = authority_.Path("server.pem");
    options->tls.key = authority_.Path("server.key");
    if (asks_clients) options->tls.client_ca = authority_.certificate();
  }

  // A call through TLS that trusts `ca`, with the certificate `name` (empty: none).
  absl::Status Call(const std::string& address, const TestAuthority& ca, const std::string& name) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = FileText(ca.certificate());
    if (!name.empty()) options.pem_cert_chain = FileText(authority_.Path(name + ".pem"));
    if (!name.empty()) options.pem_private_key = FileText(authority_.Path(name + ".key"));
    return CallBy(address, grpc::SslCredentials(options));
  }

  static absl::Status CallBy(const std::string& address,
                             const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    const auto stub = v1::AuthService::NewStub(grpc::CreateChannel(address, credentials));
    return CallWith(*stub, &v1::AuthService::Stub::WhoAmI, {}).status();
  }

  static std::string AddressOf(TestServer& server) { return server.server().addresses().front(); }

  TempDir directory_;
  TestAuthority authority_{directory_.path(), "ca"};
  TestAuthority strangers_{directory_.path(), "other-ca"};
};

TEST_F(TlsServerTest, ClientsWhoTrustItsAuthorityAreServedAndOthersAreNot) {
  TestServer server({.adjust = [this](ServerOptions* o) { AddTls(o, /*asks_clients=*/false); }});
  const std::string address = AddressOf(server);
  EXPECT_THAT(Call(address, authority_, ""), IsOk());
  EXPECT_TRUE(absl::IsUnavailable(Call(address, strangers_, "")));
  EXPECT_TRUE(absl::IsUnavailable(CallBy(address, grpc::InsecureChannelCredentials())));
}

TEST_F(TlsServerTest, WithAClientAuthorityClientsMustShowACertificateOfIt) {
  TestServer server({.adjust = [this](ServerOptions* o) { AddTls(o, /*asks_clients=*/true); }});
  const std::string address = AddressOf(server);
  EXPECT_THAT(Call(address, authority_, "client"), IsOk());
  EXPECT_TRUE(absl::IsUnavailable(Call(address, authority_, "")));
  EXPECT_TRUE(absl::IsUnavailable(Call(address, authority_, "stranger")));
}

TEST_F(TlsServerTest, AFileThatDoesNotFitIsAnErrorAtStart) {
  ServerOptions options = ServerOptions::ForThisMachine();
  options.listen = {"127.0.0.1:0"};
  options.metrics_listen = "";
  options.workers = 0;
  options.data_dir = directory_.path() + "/data";
  AddTls(&options, false);
  options.tls.key = authority_.Path("client.key");
  EXPECT_THAT(Server::Create(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another certificate")));
}

TEST_F(TlsServerTest, AnOpenServerDoesNotListenForOtherMachines) {
  ServerOptions options = ServerOptions::ForThisMachine();
  options.listen = {"0.0.0.0:0"};
  options.metrics_listen = "";
  options.workers = 0;
  options.data_dir = directory_.path() + "/data";
  EXPECT_THAT(Server::Create(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--tls-cert")));
  AddTls(&options, false);
  EXPECT_THAT(Server::Create(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no user")));
  options.admin_id = "ann";
  ASSERT_THAT(AddAdmin(options), IsOk());
  EXPECT_THAT(Server::Create(options), IsOk());
}

TEST_F(TlsServerTest, InsecureIsTakenAtItsWordAndWarnedOf) {
  ServerOptions options = ServerOptions::ForThisMachine();
  options.listen = {"0.0.0.0:0"};
  options.insecure = true;
  options.metrics_listen = "";
  options.workers = 0;
  options.data_dir = directory_.path() + "/data";
  testing::internal::CaptureStderr();
  Log::SetLevel("warning");
  EXPECT_THAT(Server::Create(options), IsOk());
  Log::SetLevel("error");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("event=insecure"));
}

TEST_F(TlsServerTest, MetricsThatOtherMachinesReachAreWarnedOf) {
  ServerOptions options = ServerOptions::ForThisMachine();
  options.listen = {"127.0.0.1:0"};
  options.workers = 0;
  options.data_dir = directory_.path() + "/data";
  const auto log_of = [&](const std::string& metrics_listen, JobSeriesLevel level) {
    options.metrics_listen = metrics_listen;
    options.metrics_job_level = level;
    testing::internal::CaptureStderr();
    Log::SetLevel("warning");
    EXPECT_THAT(Server::Create(options), IsOk());
    Log::SetLevel("error");
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(log_of("0.0.0.0:0", JobSeriesLevel::kId),
              AllOf(HasSubstr("event=insecure"), HasSubstr("0.0.0.0:0"),
                    HasSubstr("everyone may read the metrics"), Not(HasSubstr("who trains what"))));
  EXPECT_THAT(log_of("0.0.0.0:0", JobSeriesLevel::kFull), HasSubstr("who trains what"));
  EXPECT_THAT(log_of("127.0.0.1:0", JobSeriesLevel::kFull), Not(HasSubstr("event=insecure")));
}

TEST_F(TlsServerTest, AUnixSocketIsServedWithoutTls) {
  const std::string address = "unix:" + directory_.path() + "/s";
  TestServer server({.adjust = [&](ServerOptions* o) {
    o->listen = {address};
    AddTls(o, false);
  }});
  EXPECT_EQ(AddressOf(server), address);
  EXPECT_THAT(CallBy(address, grpc::InsecureChannelCredentials()), IsOk());
}

}  // namespace
}  // namespace trainyard

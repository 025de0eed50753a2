// A command that is one call: the request goes, the answer is shown.
//
//   return CallAndShow(session, session.remote.courses(), &Stub::GetCourse, request,
//                      &DescribeCourse);
//
// Thread-safety: as Remote and Screen.
#ifndef TRAINYARD_CLIENT_CALL_AND_SHOW_H_
#define TRAINYARD_CLIENT_CALL_AND_SHOW_H_

#include "client/command.h"
#include "core/base/status_macros.h"

namespace trainyard {

// `text` makes text for people of the answer. Errors: the server's.
template <typename Stub, typename Request, typename Response, typename Text>
ExitOr CallAndShow(Session& session, Stub& stub,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Text text) {
  TY_ASSIGN_OR_RETURN(const Response response, session.remote.Call(stub, method, request));
  session.screen.Show(response, text(response));
  return ExitCode::kOk;
}

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_CALL_AND_SHOW_H_

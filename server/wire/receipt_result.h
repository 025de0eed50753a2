// What a submission came to, as the contract tells it and as its receipt signs it. Apart from
// receipt.h, which is without protobuf; server and client share both.
//
// Thread-safety: a pure function.
#ifndef TRAINYARD_SERVER_WIRE_RECEIPT_RESULT_H_
#define TRAINYARD_SERVER_WIRE_RECEIPT_RESULT_H_

#include "server/wire/receipt.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

ReceiptResult ReceiptResultOf(const v1::SubmissionResult& proto);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_RECEIPT_RESULT_H_

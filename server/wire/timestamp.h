// Times of the contract, to the nanosecond, as protobuf has them.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_TIMESTAMP_H_
#define TRAINYARD_SERVER_WIRE_TIMESTAMP_H_

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace trainyard {

google::protobuf::Timestamp ToTimestamp(absl::Time time);
absl::Time FromTimestamp(const google::protobuf::Timestamp& time);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_TIMESTAMP_H_

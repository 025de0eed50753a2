// Gradebooks, adjustments and deliveries as text for people; with -o json the messages themselves
// are printed instead (screen.h).
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_DESCRIBE_GRADES_H_
#define TRAINYARD_CLIENT_DESCRIBE_GRADES_H_

#include <string>

#include "trainyard/v1/grades.pb.h"

namespace trainyard {

// Several lines each, ending with a line end.
std::string DescribeGradebook(const v1::Gradebook& gradebook);
// Every row with its homeworks and how its grade came about.
std::string DescribeExplanation(const v1::Gradebook& gradebook);
std::string DescribeSnapshot(const v1::Snapshot& snapshot);
std::string DescribeSnapshots(const v1::ListSnapshotsResponse& list);
std::string DescribeSnapshotDiff(const v1::DiffSnapshotResponse& diff);
std::string DescribeAdjustment(const v1::Adjustment& adjustment);
std::string DescribeAdjustments(const v1::ListAdjustmentsResponse& list);
std::string DescribeDeliveryTarget(const v1::DeliveryTarget& target);
std::string DescribeDelivery(const v1::Delivery& delivery);
std::string DescribeDeliveries(const v1::ListDeliveriesResponse& list);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_DESCRIBE_GRADES_H_

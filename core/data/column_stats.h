// Exact statistics of a column's cells.
//
// Thread-safety: pure function.
#ifndef TRAINYARD_CORE_DATA_COLUMN_STATS_H_
#define TRAINYARD_CORE_DATA_COLUMN_STATS_H_

#include "core/data/table.h"

namespace trainyard {

// What `column.stats` has to be, from the column's type and cells. Mean and deviation take two
// passes in extended precision, so that neither cancellation nor overflow of a square shows.
ColumnStats ComputeStats(const Column& column);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_COLUMN_STATS_H_

#include "server/jobs/ticket_queue.h"

#include "core/base/check.h"

namespace trainyard {

TicketQueue::Sums& TicketQueue::Sums::operator+=(const Sums& other) {
  count += other.count;
  virtual_cost += other.virtual_cost;
  work += other.work;
  return *this;
}

TicketQueue::Sums& TicketQueue::Sums::operator-=(const Sums& other) {
  count -= other.count;
  virtual_cost -= other.virtual_cost;
  work -= other.work;
  return *this;
}

void TicketQueue::Insert(const Item& item) {
  TY_CHECK(item.virtual_cost >= 1);
  const bool inserted = items_.insert({item.ticket, item}).second;
  TY_CHECK(inserted);
  total_ += SumsOf(item);
}

void TicketQueue::Erase(int64_t ticket) {
  const auto item = items_.find(ticket);
  TY_CHECK(item != items_.end());
  total_ -= SumsOf(item->second);
  items_.erase(item);
}

template <typename Belongs>
TicketQueue::Sums TicketQueue::SumWhile(const Belongs& belongs) const {
  Sums before;
  auto node = items_.node_begin();
  const auto end = items_.node_end();
  while (node != end) {
    const auto left = node.get_l_child();
    const Sums start = left == end ? before : before + left.get_metadata();
    const Item& item = (*node)->second;
    const bool goes_on = belongs(item, start);
    if (goes_on) before = start + SumsOf(item);
    node = goes_on ? node.get_r_child() : left;
  }
  return before;
}

TicketQueue::Sums TicketQueue::Before(int64_t ticket) const {
  return SumWhile([ticket](const Item& item, const Sums&) { return item.ticket < ticket; });
}

TicketQueue::Sums TicketQueue::StartedBefore(const Moment& moment) const {
  if (moment.time < 0) return {};
  if (moment.time >= total_.virtual_cost) return total_;  // the last one starts before its end
  return SumWhile([&moment](const Item& item, const Sums& start) {
    if (start.virtual_cost != moment.time) return start.virtual_cost < moment.time;
    return item.ticket < moment.ticket;
  });
}

}  // namespace trainyard

// TicketQueue is the queue of one owner in one class: jobs in the order of their tickets, and sums
// over any head of it. It is what makes a place in the order of thousands of jobs cheap to tell:
// how many of an owner's jobs come before a moment of virtual time is one walk down a tree.
//
//   TicketQueue queue;
//   queue.Insert({.ticket = 1, .job = 7, .slots = 1, .virtual_cost = 40, .work = 40});
//   queue.Insert({.ticket = 5, .job = 9, .slots = 1, .virtual_cost = 10, .work = 10});
//   queue.Before(5).work;                  // 40
//   queue.StartedBefore({.time = 40}).count;  // 1: the second starts at 40, not before
//
// Thread-safety: none. Units: slot-microseconds, as integers, so that a sum does not depend on the
// order in which it was taken. Cost: O(log n), but O(1) for First, Total and empty.
#ifndef TRAINYARD_SERVER_JOBS_TICKET_QUEUE_H_
#define TRAINYARD_SERVER_JOBS_TICKET_QUEUE_H_

#include <cstdint>
#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>
#include <functional>

namespace trainyard {

class TicketQueue {
 public:
  struct Item {
    int64_t ticket = 0;
    int64_t job = 0;
    int slots = 1;
    int64_t virtual_cost = 1;  // >= 1, so that the jobs of one owner start at different times
    int64_t work = 0;
  };
  struct Sums {
    int64_t count = 0;
    int64_t virtual_cost = 0;
    int64_t work = 0;

    Sums& operator+=(const Sums& other);
    Sums& operator-=(const Sums& other);
    friend Sums operator+(Sums a, const Sums& b) { return a += b; }
  };
  // A point in the order of several queues: virtual time first, ticket where times are equal.
  struct Moment {
    int64_t time = 0;
    int64_t ticket = 0;
  };

  static Sums SumsOf(const Item& item) { return {1, item.virtual_cost, item.work}; }

  // REQUIRES: the ticket is not in the queue.
  void Insert(const Item& item);
  // REQUIRES: the ticket is in the queue.
  void Erase(int64_t ticket);
  bool empty() const { return items_.empty(); }
  // REQUIRES: not empty.
  const Item& First() const { return items_.begin()->second; }

  const Sums& Total() const { return total_; }
  // Of the items with a smaller ticket.
  Sums Before(int64_t ticket) const;
  // Of the items that start before `moment`, when the first one starts at time 0 and each of the
  // others when the virtual cost of all before it is over.
  Sums StartedBefore(const Moment& moment) const;

 private:
  // Keeps in each node the sums of its subtree (libstdc++'s policy-based structures).
  template <typename NodeConstIterator, typename NodeIterator, typename Less, typename Allocator>
  class SumsUpdate {
   public:
    using metadata_type = Sums;
    void operator()(NodeIterator node, NodeConstIterator end) {
      Sums sums = SumsOf((*node)->second);
      if (node.get_l_child() != end) sums += node.get_l_child().get_metadata();
      if (node.get_r_child() != end) sums += node.get_r_child().get_metadata();
      const_cast<Sums&>(node.get_metadata()) = sums;
    }
  };
  using Items =
      __gnu_pbds::tree<int64_t, Item, std::less<int64_t>, __gnu_pbds::rb_tree_tag, SumsUpdate>;

  // The sums of the longest head of which `belongs(item, sums of those before it)` is true.
  template <typename Belongs>
  Sums SumWhile(const Belongs& belongs) const;

  Items items_;  // by ticket
  // Also in the root; here it saves two cache misses for each owner that a place is counted among.
  Sums total_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_TICKET_QUEUE_H_

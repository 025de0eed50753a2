// Database is the embedded SQLite file that holds all metadata: WAL, synchronous=FULL, STRICT
// tables, numbered migrations (migrations.h). It is the only file that includes sqlite3.h.
//
// Writes run on one thread, in groups: all bodies that wait are run in one transaction, each in its
// own savepoint, and one fsync makes them durable together. Reads run on the caller's thread, on a
// pooled connection.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Database> db, Database::Open(path));
//   TY_RETURN_IF_ERROR(db->Write([&](Connection& c) {
//     return c.Run("UPDATE jobs SET state = ? WHERE id = ?", state, id);
//   }));                                                        // OK: durable
//   TY_RETURN_IF_ERROR(db->Read([&](Connection& c) { ... }));
//
// A body must not call Database (it would wait for itself), and must drop its Statements before it
// returns.
//
// Thread-safety: all methods of Database from any thread; a Connection only inside the body it was
// given to. Errors: of the body; INTERNAL for SQLite's own; UNAVAILABLE when
// another process holds the file for 10 s; RESOURCE_EXHAUSTED/STORAGE_FULL when the disk is full;
// DATA_LOSS when SQLite says the file is damaged; FAILED_PRECONDITION when the file is of a newer
// version.
#ifndef TRAINYARD_SERVER_STORAGE_DATABASE_H_
#define TRAINYARD_SERVER_STORAGE_DATABASE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

class Connection;

// One prepared statement in use. Returned by Connection::Prepare, reset and given back when
// destroyed.
class Statement {
 public:
  struct Rep;  // database.cc's
  explicit Statement(std::unique_ptr<Rep> rep);
  Statement(Statement&&) noexcept;
  ~Statement();
  Statement& Bind(int64_t value);  // the next parameter, in order
  Statement& Bind(int value) { return Bind(int64_t{value}); }
  Statement& Bind(double value);
  Statement& Bind(absl::string_view text);  // TEXT
  Statement& Bind(const std::string& text) { return Bind(absl::string_view(text)); }
  Statement& Bind(const char* text) { return Bind(absl::string_view(text)); }
  Statement& BindBlob(absl::string_view bytes);
  Statement& BindNull();
  // True: a row is there. False: no more rows.
  absl::StatusOr<bool> Step();
  int64_t Int(int column) const;  // 0-based columns
  double Real(int column) const;
  std::string Text(int column) const;  // TEXT or BLOB, copied
  bool IsNull(int column) const;

 private:
  std::unique_ptr<Rep> rep_;
};

class Connection {
 public:
  virtual ~Connection() = default;
  // Statements are cached by text: `sql` should be a literal.
  virtual absl::StatusOr<Statement> Prepare(absl::string_view sql) = 0;
  virtual int64_t last_insert_rowid() const = 0;
  virtual int64_t changes() const = 0;  // rows touched by the last statement

  // Prepares, binds all of `args` (std::string binds as TEXT), steps to the end.
  template <typename... Args>
  absl::Status Run(absl::string_view sql, const Args&... args) {
    absl::StatusOr<Statement> statement = Prepare(sql);
    if (!statement.ok()) return statement.status();
    (statement->Bind(args), ...);
    return statement->Step().status();
  }
};

// What metrics want to know. Called from the writer thread; each may be empty.
struct DatabaseObserver {
  // After each group commit: how long it took, how many bodies it held.
  std::function<void(double seconds, int bodies)> on_commit;
  // After each group commit: bytes of pages that it wrote to the log.
  std::function<void(int64_t bytes)> on_append;
  // A group could not be made durable.
  std::function<void(const absl::Status& error)> on_error;
};

class Database {
 public:
  // Bodies that may wait for the writer; beyond it Write and WriteAsync block until there is room.
  static constexpr int kQueuedBodiesMax = 16'384;
  // Bodies of one group commit: bounds how long the first of them waits for the last.
  static constexpr int kGroupBodiesMax = 1'024;
  // Read connections; beyond it Read blocks until one is free.
  static constexpr int kReadConnectionsMax = 16;
  // Prepared statements kept by each connection.
  static constexpr int kStatementsCachedMax = 128;

  using Body = std::function<absl::Status(Connection&)>;

  // Opens or creates the file and migrates it. ":memory:" is for tests.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        DatabaseObserver observer = {});
  // Makes `destination`, a new file, a consistent copy of the database `path`, which a server may
  // be using. It is not synced.
  static absl::Status Copy(const std::string& path, const std::string& destination);
  // Runs what was queued, then closes.
  virtual ~Database() = default;

  // Runs `body` in the next group and waits until it is durable. A body that fails is rolled back
  // alone.
  virtual absl::Status Write(absl::FunctionRef<absl::Status(Connection&)> body) = 0;
  // The same without waiting: `done` is called from the writer thread after the commit, in the
  // order of the calls. It must be quick and must not call Write() or Read(); WriteAsync() from
  // `done` never blocks.
  virtual void WriteAsync(Body body, std::function<void(absl::Status)> done) = 0;
  // Runs `body` on one consistent snapshot of what is durable or about to be. `body` cannot write.
  virtual absl::Status Read(absl::FunctionRef<absl::Status(Connection&)> body) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_DATABASE_H_

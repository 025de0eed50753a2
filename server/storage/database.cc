#include "server/storage/database.h"

#include <pthread.h>
#include <sqlite3.h>

#include <deque>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/steady_clock.h"
#include "server/storage/migrations.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMemoryPath = ":memory:";
constexpr int kBusyTimeoutMs = 10'000;
// The log file is cut back to this after a checkpoint that followed a burst.
constexpr char kPragmas[] =
    "PRAGMA synchronous = FULL;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA journal_size_limit = 67108864;";

absl::Status SqliteError(sqlite3* handle, int code, absl::string_view what) {
  const int primary = code & 0xff;
  const std::string message = absl::StrCat(
      "database: ", what, ": ", handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
  if (primary == SQLITE_FULL) {
    return MakeError(absl::StatusCode::kResourceExhausted, message,
                     {.reason = ErrorReason::kStorageFull,
                      .hint = "free space on the disk of the data directory, then retry"});
  }
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
    return MakeError(absl::StatusCode::kDataLoss, message,
                     {.reason = ErrorReason::kDataLoss,
                      .hint = "the metadata file is damaged; restore it from a backup"});
  }
  if (primary == SQLITE_BUSY) {
    return MakeError(absl::StatusCode::kUnavailable, message,
                     {.reason = ErrorReason::kInternal,
                      .hint = "another program holds the metadata file; end it, then retry",
                      .in_force = absl::StrCat("waited ", kBusyTimeoutMs, " ms")});
  }
  return MakeError(
      absl::StatusCode::kInternal, message,
      {.reason = ErrorReason::kInternal,
       .hint = "check the permissions and the health of the data directory's disk",
       .in_force = absl::StrCat("SQLite ", sqlite3_libversion(), ", extended code ", code)});
}

// One SQLite connection with its cache of idle statements, least recently used last.
class SqliteConnection : public Connection {
 public:
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::string& path,
                                                                bool read_only);
  ~SqliteConnection() override;

  absl::StatusOr<Statement> Prepare(absl::string_view sql) override;
  int64_t last_insert_rowid() const override { return sqlite3_last_insert_rowid(handle_); }
  int64_t changes() const override { return sqlite3_changes64(handle_); }

  // Runs statements that are not worth caching, and drops their rows.
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<int64_t> QueryInt(absl::string_view sql);
  absl::Status Error(int code, absl::string_view what) const {
    return SqliteError(handle_, code, what);
  }
  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  // INTERNAL when the file system cannot hold a write-ahead log (it needs shared memory and locks).
  absl::Status UseWriteAheadLog(absl::string_view path);
  // Bytes of pages written since the last call.
  int64_t TakeWrittenBytes();
  // Takes a used statement back into the cache.
  void GiveBack(std::string sql, sqlite3_stmt* statement);

 private:
  using Idle = std::list<std::pair<std::string, sqlite3_stmt*>>;
  explicit SqliteConnection(sqlite3* handle) : handle_(handle) {}

  sqlite3* const handle_;
  int64_t page_size_bytes_ = 0;  // set by Open
  Idle idle_;
  absl::flat_hash_map<absl::string_view, Idle::iterator> idle_by_sql_;
};

}  // namespace

struct Statement::Rep {
  SqliteConnection* connection;
  std::string sql;
  sqlite3_stmt* statement;
  int bound = 0;
  int bind_code = SQLITE_OK;  // the first failure; reported by Step()

  ~Rep() { connection->GiveBack(std::move(sql), statement); }
  void Bound(int code) {
    if (bind_code == SQLITE_OK) bind_code = code;
  }
};

Statement::Statement(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Statement::Statement(Statement&&) noexcept = default;
Statement::~Statement() = default;

Statement& Statement::Bind(int64_t value) {
  rep_->Bound(sqlite3_bind_int64(rep_->statement, ++rep_->bound, value));
  return *this;
}

Statement& Statement::Bind(double value) {
  rep_->Bound(sqlite3_bind_double(rep_->statement, ++rep_->bound, value));
  return *this;
}

Statement& Statement::Bind(absl::string_view text) {
  // An empty view may have no data, which SQLite would take for NULL.
  const char* data = text.empty() ? "" : text.data();
  rep_->Bound(sqlite3_bind_text64(rep_->statement, ++rep_->bound, data, text.size(),
                                  SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindBlob(absl::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  rep_->Bound(
      sqlite3_bind_blob64(rep_->statement, ++rep_->bound, data, bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::BindNull() {
  rep_->Bound(sqlite3_bind_null(rep_->statement, ++rep_->bound));
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (rep_->bind_code != SQLITE_OK) return rep_->connection->Error(rep_->bind_code, rep_->sql);
  const int code = sqlite3_step(rep_->statement);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return rep_->connection->Error(code, rep_->sql);
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(rep_->statement, column); }

double Statement::Real(int column) const { return sqlite3_column_double(rep_->statement, column); }

std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(rep_->statement, column);
  const int size = sqlite3_column_bytes(rep_->statement, column);
  return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(rep_->statement, column) == SQLITE_NULL;
}

namespace {

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(const std::string& path,
                                                                         bool read_only) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(handle));
  if (code != SQLITE_OK) return SqliteError(handle, code, absl::StrCat("open \"", path, "\""));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  TY_RETURN_IF_ERROR(connection->UseWriteAheadLog(path));
  TY_RETURN_IF_ERROR(connection->Execute(kPragmas));
  if (read_only) TY_RETURN_IF_ERROR(connection->Execute("PRAGMA query_only = ON"));
  TY_ASSIGN_OR_RETURN(connection->page_size_bytes_, connection->QueryInt("PRAGMA page_size"));
  return connection;
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

absl::StatusOr<Statement> SqliteConnection::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (const auto found = idle_by_sql_.find(sql); found != idle_by_sql_.end()) {
    const Idle::iterator entry = found->second;
    statement = entry->second;
    idle_by_sql_.erase(found);
    idle_.erase(entry);
  } else {
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return Error(code, sql);
  }
  return Statement(
      std::unique_ptr<Statement::Rep>(new Statement::Rep{this, std::string(sql), statement}));
}

void SqliteConnection::GiveBack(std::string sql, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (idle_by_sql_.contains(sql)) {
    sqlite3_finalize(statement);
    return;
  }
  idle_.emplace_front(std::move(sql), statement);
  idle_by_sql_[idle_.front().first] = idle_.begin();
  if (idle_.size() <= Database::kStatementsCachedMax) return;
  sqlite3_finalize(idle_.back().second);
  idle_by_sql_.erase(idle_.back().first);
  idle_.pop_back();
}

absl::Status SqliteConnection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code, absl::string_view(sql).substr(0, 80));
}

absl::StatusOr<int64_t> SqliteConnection::QueryInt(absl::string_view sql) {
  TY_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  TY_RETURN_IF_ERROR(statement.Step().status());
  return statement.Int(0);
}

absl::Status SqliteConnection::UseWriteAheadLog(absl::string_view path) {
  TY_ASSIGN_OR_RETURN(Statement statement, Prepare("PRAGMA journal_mode = WAL"));
  TY_RETURN_IF_ERROR(statement.Step().status());
  const std::string mode = statement.Text(0);
  if (mode == "wal" || path == kMemoryPath) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kInternal,
      absl::StrCat("database \"", path, "\": its file system gives no write-ahead log"),
      {.reason = ErrorReason::kInternal,
       .hint = "put the data directory on a local disk",
       .in_force = absl::StrCat("journal_mode ", mode)});
}

int64_t SqliteConnection::TakeWrittenBytes() {
  int pages = 0, highest = 0;
  sqlite3_db_status(handle_, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &highest, /*resetFlg=*/1);
  return pages * page_size_bytes_;
}

// Brings the schema to the newest version, one transaction per step.
absl::Status Migrate(SqliteConnection& connection, absl::string_view path) {
  TY_ASSIGN_OR_RETURN(const int64_t version, connection.QueryInt("PRAGMA user_version"));
  const int64_t newest = static_cast<int64_t>(kMigrations.size());
  if (version < 0 || version > newest) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("database \"", path, "\" is of version ", version,
                                  ", this server knows versions up to ", newest),
                     {.reason = ErrorReason::kInvalidState,
                      .hint = "start the newer server that made it, or restore an older backup"});
  }
  for (int64_t next = version + 1; next <= newest; ++next) {
    TY_RETURN_IF_ERROR(connection.Execute("BEGIN IMMEDIATE"));
    // An error leaves the transaction open; closing the connection rolls it back.
    TY_RETURN_IF_ERROR(connection.Execute(std::string(kMigrations[static_cast<size_t>(next - 1)])));
    TY_RETURN_IF_ERROR(connection.Execute(absl::StrCat("PRAGMA user_version = ", next)));
    TY_RETURN_IF_ERROR(connection.Execute("COMMIT"));
  }
  return absl::OkStatus();
}

class SqliteDatabase : public Database {
 public:
  SqliteDatabase(std::string path, DatabaseObserver observer,
                 std::unique_ptr<SqliteConnection> writer)
      : path_(std::move(path)),
        observer_(std::move(observer)),
        in_memory_(path_ == kMemoryPath),
        writer_(std::move(writer)),
        thread_([this] { RunWriter(); }) {
    pthread_setname_np(thread_.native_handle(), "ty-db");
  }
  ~SqliteDatabase() override;

  absl::Status Write(absl::FunctionRef<absl::Status(Connection&)> body) override;
  void WriteAsync(Body body, std::function<void(absl::Status)> done) override;
  absl::Status Read(absl::FunctionRef<absl::Status(Connection&)> body) override;

 private:
  struct Pending {
    Body body;
    std::function<void(absl::Status)> done;
    absl::Status status;
  };
  using Group = std::vector<Pending>;

  void RunWriter();
  // Waits for work; empty when there is none and none will come.
  Group NextGroup() ABSL_LOCKS_EXCLUDED(queue_mutex_);
  void CommitGroup(Group& group) ABSL_LOCKS_EXCLUDED(memory_mutex_);
  // Runs all bodies inside a transaction that is open; an error here is the whole group's.
  absl::Status RunBodies(Group& group);
  absl::Status RunBody(Pending& pending);
  absl::Status ReadInMemory(absl::FunctionRef<absl::Status(Connection&)> body)
      ABSL_LOCKS_EXCLUDED(memory_mutex_);
  absl::StatusOr<std::unique_ptr<SqliteConnection>> TakeReader() ABSL_LOCKS_EXCLUDED(pool_mutex_);
  void GiveBackReader(std::unique_ptr<SqliteConnection> reader) ABSL_LOCKS_EXCLUDED(pool_mutex_);
  bool HasRoom() const ABSL_SHARED_LOCKS_REQUIRED(queue_mutex_) {
    return queue_.size() < kQueuedBodiesMax;
  }
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(queue_mutex_) {
    return !queue_.empty() || closing_;
  }
  bool HasReader() const ABSL_SHARED_LOCKS_REQUIRED(pool_mutex_) {
    return !readers_.empty() || readers_open_ < kReadConnectionsMax;
  }

  // Constant after construction.
  const std::string path_;
  const DatabaseObserver observer_;
  // ":memory:" belongs to one connection, so that reads share the writer's, one at a time.
  const bool in_memory_;
  const std::unique_ptr<SqliteConnection> writer_;  // the writer thread's, and see memory_mutex_

  absl::Mutex memory_mutex_;  // held around every use of writer_
  absl::Mutex queue_mutex_;
  std::deque<Pending> queue_ ABSL_GUARDED_BY(queue_mutex_);
  bool closing_ ABSL_GUARDED_BY(queue_mutex_) = false;
  absl::Mutex pool_mutex_;
  std::vector<std::unique_ptr<SqliteConnection>> readers_ ABSL_GUARDED_BY(pool_mutex_);  // idle
  int readers_open_ ABSL_GUARDED_BY(pool_mutex_) = 0;  // idle or in use
  std::thread thread_;                                 // last: it uses all of the above
};

SqliteDatabase::~SqliteDatabase() {
  {
    absl::MutexLock lock(&queue_mutex_);
    closing_ = true;
  }
  thread_.join();
}

absl::Status SqliteDatabase::Write(absl::FunctionRef<absl::Status(Connection&)> body) {
  TY_CHECK(std::this_thread::get_id() != thread_.get_id());
  absl::Status result;
  absl::Notification durable;
  WriteAsync([body](Connection& connection) { return body(connection); },
             [&](absl::Status status) {
               result = std::move(status);
               durable.Notify();
             });
  durable.WaitForNotification();
  return result;
}

void SqliteDatabase::WriteAsync(Body body, std::function<void(absl::Status)> done) {
  const bool on_writer = std::this_thread::get_id() == thread_.get_id();
  absl::MutexLock lock(&queue_mutex_);
  // The writer itself empties the queue: if it waited for room it would wait for ever.
  if (!on_writer) queue_mutex_.Await(absl::Condition(this, &SqliteDatabase::HasRoom));
  queue_.push_back({std::move(body), std::move(done), absl::OkStatus()});
}

void SqliteDatabase::RunWriter() {
  for (Group group = NextGroup(); !group.empty(); group = NextGroup()) {
    CommitGroup(group);
    for (Pending& pending : group) pending.done(std::move(pending.status));
  }
}

SqliteDatabase::Group SqliteDatabase::NextGroup() {
  absl::MutexLock lock(&queue_mutex_);
  queue_mutex_.Await(absl::Condition(this, &SqliteDatabase::HasWork));
  Group group;
  while (!queue_.empty() && group.size() < kGroupBodiesMax) {
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void SqliteDatabase::CommitGroup(Group& group) {
  absl::MutexLock lock(&memory_mutex_);
  absl::Time started;
  absl::Status status = writer_->Run("BEGIN IMMEDIATE");
  if (status.ok()) status = RunBodies(group);
  if (status.ok()) {
    started = SteadyNow();
    status = writer_->Run("COMMIT");
  }
  if (status.ok()) {
    if (observer_.on_commit) {
      observer_.on_commit(absl::ToDoubleSeconds(SteadyNow() - started),
                          static_cast<int>(group.size()));
    }
    if (observer_.on_append) observer_.on_append(writer_->TakeWrittenBytes());
    return;
  }
  // A failed rollback leaves the transaction open, and the next BEGIN fails: nothing is
  // acknowledged that is not durable.
  if (writer_->in_transaction()) writer_->Run("ROLLBACK").IgnoreError();
  for (Pending& pending : group) pending.status = status;
  if (observer_.on_error) observer_.on_error(status);
}

absl::Status SqliteDatabase::RunBodies(Group& group) {
  for (Pending& pending : group) TY_RETURN_IF_ERROR(RunBody(pending));
  return absl::OkStatus();
}

absl::Status SqliteDatabase::RunBody(Pending& pending) {
  TY_RETURN_IF_ERROR(writer_->Run("SAVEPOINT body"));
  pending.status = pending.body(*writer_);
  if (!writer_->in_transaction()) {
    // SQLite rolls all back by itself on some errors (disk full, I/O): the other bodies are gone,
    // too.
    return pending.status.ok() ? absl::InternalError("database: the transaction ended in a body")
                               : pending.status;
  }
  if (!pending.status.ok()) TY_RETURN_IF_ERROR(writer_->Run("ROLLBACK TO body"));
  return writer_->Run("RELEASE body");
}

absl::Status SqliteDatabase::Read(absl::FunctionRef<absl::Status(Connection&)> body) {
  if (in_memory_) return ReadInMemory(body);
  TY_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> reader, TakeReader());
  absl::Status status = reader->Run("BEGIN");
  if (status.ok()) status = body(*reader);
  if (reader->in_transaction()) status.Update(reader->Run("COMMIT"));
  GiveBackReader(std::move(reader));
  return status;
}

absl::Status SqliteDatabase::ReadInMemory(absl::FunctionRef<absl::Status(Connection&)> body) {
  TY_CHECK(std::this_thread::get_id() != thread_.get_id());
  absl::MutexLock lock(&memory_mutex_);
  TY_RETURN_IF_ERROR(writer_->Execute("PRAGMA query_only = ON"));
  absl::Status status = body(*writer_);
  status.Update(writer_->Execute("PRAGMA query_only = OFF"));
  return status;
}

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteDatabase::TakeReader() {
  {
    absl::MutexLock lock(&pool_mutex_);
    pool_mutex_.Await(absl::Condition(this, &SqliteDatabase::HasReader));
    if (!readers_.empty()) {
      std::unique_ptr<SqliteConnection> reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
    ++readers_open_;
  }
  absl::StatusOr<std::unique_ptr<SqliteConnection>> reader =
      SqliteConnection::Open(path_, /*read_only=*/true);
  if (reader.ok()) return reader;
  absl::MutexLock lock(&pool_mutex_);
  --readers_open_;
  return reader.status();
}

void SqliteDatabase::GiveBackReader(std::unique_ptr<SqliteConnection> reader) {
  absl::MutexLock lock(&pool_mutex_);
  // A connection whose transaction cannot be ended would show an old snapshot for ever.
  if (reader->in_transaction()) {
    --readers_open_;
    return;
  }
  readers_.push_back(std::move(reader));
}

}  // namespace

absl::Status Database::Copy(const std::string& path, const std::string& destination) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> connection,
                      SqliteConnection::Open(path, /*read_only=*/false));
  return connection->Run("VACUUM INTO ?", destination);
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path,
                                                         DatabaseObserver observer) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> writer,
                      SqliteConnection::Open(path, /*read_only=*/false));
  TY_RETURN_IF_ERROR(Migrate(*writer, path));
  return std::make_unique<SqliteDatabase>(path, std::move(observer), std::move(writer));
}

}  // namespace trainyard

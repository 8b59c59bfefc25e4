// The SQLite store: a queue of changes and the one thread that writes them.
#include "store/store.hpp"

#include "async/awaitable.hpp"
#include "obs/log.hpp"
#include "store/impl/load.hpp"
#include "store/impl/open.hpp"
#include "store/impl/transaction.hpp"
#include "store/settings.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <span>
#include <thread>

namespace berth::store {

void put_setting(Transaction& transaction, const std::string& key, const std::string& value) {
    transaction.execute(
        R"(insert into settings (name, value) values (:name, :value)
           on conflict (name) do update set value = excluded.value)",
        {key, value});
}

namespace {

constexpr std::size_t kMostInBatch = 4096;

Error refusal_of(const StoreFailure& failure) {
    if (failure.reason() == StoreErrc::constraint)
        return Error{StoreErrc::constraint, "Somebody else changed this first; look again.", failure.what()};
    if (failure.kind() == StoreFailure::Kind::disk_full)
        return Error{
            StoreErrc::unavailable,
            "The disk of the hub's database is full; nothing was changed. Tell your administrator.",
            failure.what()};
    return Error{
        StoreErrc::unavailable,
        "The hub cannot write its database at the moment; nothing was changed. Tell your administrator.",
        failure.what()};
}

// After a sync that failed the kernel may have dropped what it could not write, and says so only once.
// Whether the change is durable is known to nobody, so nobody may be told either way. The next start reads
// what is there.
[[noreturn]] void give_up(const StoreFailure& failure) {
    log::error(
        "store.sync_failed",
        {{"reason", failure.what()},
         {"act", "the hub ends, so that its next start reads what the disk has kept; look at the disk"}});
    std::quick_exit(74);  // EX_IOERR
}

struct Item {
    enum class Kind { change, read };
    Kind kind = Kind::change;
    Change work;
    std::function<void(Result<void>)> done;  // empty: nobody waits
    Result<void> outcome = {};
};

class SqliteStore final : public Store {
public:
    SqliteStore(StateLock lock, Opened opened)
        : lock_(std::move(lock)),
          connection_(std::move(opened.connection)),
          highest_id_(opened.highest_id),
          written_highest_(opened.highest_id),
          next_audit_(opened.next_audit),
          writer_([this] { run(); }) {}
    ~SqliteStore() override { close(); }

    Result<Snapshot> load() override;
    awaitable<Result<void>> commit(Change change) override {
        return submit(Item::Kind::change, std::move(change));
    }
    awaitable<Result<void>> read(Change query) override { return submit(Item::Kind::read, std::move(query)); }
    void commit_later(Change change) override;
    Result<std::optional<std::string>> setting(const std::string& key) override;
    Result<void> put_setting(const std::string& key, const std::string& value) override;
    void close() override;

private:
    awaitable<Result<void>> submit(Item::Kind kind, Change work);
    bool enqueue(Item item);
    Result<void> wait_for(Change work);
    void run();
    void run_batch(std::vector<Item>& batch);
    void write_batch(std::span<Item> changes);
    void apply_in_savepoint(Item& item, Transaction& transaction);
    void write_highest_id();
    void read_one(Item& item);

    StateLock lock_;
    std::unique_ptr<Connection> connection_;  // writer thread only, once that runs
    std::int64_t highest_id_;                 // these three: writer thread only
    std::int64_t written_highest_;
    std::int64_t next_audit_;

    std::mutex mutex_;  // guards the two below
    std::vector<Item> waiting_;
    bool closing_ = false;
    std::condition_variable changed_;
    std::thread writer_;
};

bool SqliteStore::enqueue(Item item) {
    {
        const std::lock_guard guard(mutex_);
        if (closing_) return false;
        waiting_.push_back(std::move(item));
    }
    changed_.notify_one();
    return true;
}

awaitable<Result<void>> SqliteStore::submit(Item::Kind kind, Change work) {
    auto outcome = std::make_shared<Result<void>>();
    auto shared_work = std::make_shared<Change>(std::move(work));
    auto* self = this;
    auto initiate = [self, kind, outcome, shared_work](auto handler) {
        auto executor = asio::get_associated_executor(handler);
        auto guard = asio::make_work_guard(executor);
        auto shared_handler = std::make_shared<decltype(handler)>(std::move(handler));
        auto done = [outcome, executor, guard, shared_handler](Result<void> result) {
            *outcome = std::move(result);
            asio::post(executor, [shared_handler]() mutable { std::move (*shared_handler)(); });
        };
        Item item;
        item.kind = kind;
        item.work = std::move(*shared_work);
        item.done = done;
        if (!self->enqueue(std::move(item)))
            done(Error{StoreErrc::unavailable, "The hub is stopping; nothing was changed.", "store closed"});
    };
    co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(initiate, asio::use_awaitable);
    co_return std::move(*outcome);
}

void SqliteStore::commit_later(Change change) {
    Item item;
    item.work = std::move(change);
    if (!enqueue(std::move(item))) log::warn("store.change_dropped", {{"reason", "the store is closed"}});
}

// For the blocking calls at start: through the same queue, so that one thread alone touches the connection.
Result<void> SqliteStore::wait_for(Change work) {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Result<void>> answer;
    Item item;
    item.work = std::move(work);
    item.done = [&](Result<void> result) {
        const std::lock_guard guard(mutex);
        answer = std::move(result);
        ready.notify_one();
    };
    if (!enqueue(std::move(item)))
        return Error{StoreErrc::unavailable, "The hub is stopping.", "store closed"};
    std::unique_lock held(mutex);
    ready.wait(held, [&] { return answer.has_value(); });
    return std::move(*answer);
}

Result<Snapshot> SqliteStore::load() {
    Snapshot snapshot;
    BERTH_CHECK(wait_for([&](Transaction& transaction) {
        snapshot = load_all(transaction.connection());
        snapshot.next_id = highest_id_ + 1;
    }));
    return snapshot;
}

Result<std::optional<std::string>> SqliteStore::setting(const std::string& key) {
    std::optional<std::string> value;
    BERTH_CHECK(wait_for([&](Transaction& transaction) {
        transaction.query(
            "select value from settings where name = :name", "s", {key}, [&](const RowView& row) {
                value = row.text(0);
            });
    }));
    return value;
}

Result<void> SqliteStore::put_setting(const std::string& key, const std::string& value) {
    return wait_for([&](Transaction& transaction) { store::put_setting(transaction, key, value); });
}

void SqliteStore::close() {
    {
        const std::lock_guard guard(mutex_);
        if (closing_) return;
        closing_ = true;
    }
    changed_.notify_one();
    writer_.join();
    connection_.reset();
}

void SqliteStore::run() {
    std::vector<Item> batch;
    while (true) {
        {
            std::unique_lock held(mutex_);
            changed_.wait(held, [this] { return closing_ || !waiting_.empty(); });
            if (waiting_.empty()) return;
            if (waiting_.size() <= kMostInBatch) {
                batch.swap(waiting_);
            } else {
                const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(kMostInBatch);
                batch.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
                waiting_.erase(waiting_.begin(), end);
            }
        }
        run_batch(batch);
        batch.clear();
    }
}

// Changes up to the next read share a transaction; a read sees what was queued before it, committed.
void SqliteStore::run_batch(std::vector<Item>& batch) {
    std::span<Item> rest(batch);
    while (!rest.empty()) {
        std::size_t changes = 0;
        while (changes < rest.size() && rest[changes].kind == Item::Kind::change)
            ++changes;
        if (changes > 0) write_batch(rest.first(changes));
        if (changes < rest.size()) read_one(rest[changes]);
        const auto used = std::min(changes + 1, rest.size());
        for (auto& item : rest.first(used)) {
            if (item.done)
                item.done(std::move(item.outcome));
            else if (!item.outcome)
                log::warn("store.change_refused", {{"reason", item.outcome.error().detail}});
        }
        rest = rest.subspan(used);
    }
}

void SqliteStore::write_batch(std::span<Item> changes) {
    try {
        connection_->execute("begin immediate");
        Transaction transaction(*connection_, highest_id_, next_audit_);
        for (auto& item : changes)
            apply_in_savepoint(item, transaction);
        write_highest_id();
        connection_->execute("commit");
        written_highest_ = highest_id_;
    } catch (const StoreFailure& failure) {
        if (failure.kind() == StoreFailure::Kind::sync_failed) give_up(failure);
        log::error("store.commit_failed", {{"reason", failure.what()}, {"changes", changes.size()}});
        try {
            connection_->execute("rollback");
        } catch (
            const StoreFailure& gone) {  // SQLite has rolled back by itself after a full disk or an I/O error
            log::debug("store.rollback_unneeded", {{"reason", gone.what()}});
        }
        for (auto& item : changes) {
            // What a refused change hit stays its own news; the others were fine and are gone with the batch.
            if (item.outcome || !item.outcome.error().is(StoreErrc::constraint))
                item.outcome =
                    refusal_of(StoreFailure(StoreErrc::unavailable, failure.what(), failure.kind()));
        }
    }
}

void SqliteStore::apply_in_savepoint(Item& item, Transaction& transaction) {
    connection_->execute("savepoint change");
    try {
        item.work(transaction);
        connection_->execute("release savepoint change");
    } catch (const StoreFailure& failure) {
        if (failure.reason() != StoreErrc::constraint) throw;  // the disk, not this change: the batch is lost
        item.outcome = refusal_of(failure);
        connection_->execute("rollback to savepoint change");
        connection_->execute("release savepoint change");
    } catch (const std::exception& bug) {
        log::error("store.change_threw", {{"reason", bug.what()}});
        item.outcome =
            Error{StoreErrc::unavailable, "The hub made a mistake; nothing was changed.", bug.what()};
        connection_->execute("rollback to savepoint change");
        connection_->execute("release savepoint change");
    }
}

void SqliteStore::write_highest_id() {
    if (highest_id_ == written_highest_) return;
    connection_->execute(
        R"(insert into settings (name, value) values ('highest_id', :value)
           on conflict (name) do update set value = excluded.value)",
        {std::to_string(highest_id_)});
}

void SqliteStore::read_one(Item& item) {
    try {
        Transaction transaction(*connection_, highest_id_, next_audit_);
        item.work(transaction);
    } catch (const StoreFailure& failure) {
        item.outcome = refusal_of(failure);
    } catch (const std::exception& bug) {
        log::error("store.read_threw", {{"reason", bug.what()}});
        item.outcome = Error{StoreErrc::unavailable, "The hub made a mistake.", bug.what()};
    }
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& state_dir) {
    BERTH_TRY(auto lock, StateLock::take(state_dir));
    BERTH_TRY(auto opened, open_database(state_dir));
    return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(lock), std::move(opened)));
}

}  // namespace berth::store

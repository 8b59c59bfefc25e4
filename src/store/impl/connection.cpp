#include "store/impl/connection.hpp"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <deque>

namespace berth::store {

namespace {

// A slot that SOCI reads a column into.
struct Cell {
    char kind = 's';
    long long integer = 0;
    double real = 0;
    std::string text;
    soci::indicator indicator = soci::i_ok;
};

class Cells final : public RowView {
public:
    std::deque<Cell> cells;  // addresses stay

    bool is_null(std::size_t column) const override { return cells[column].indicator == soci::i_null; }
    std::int64_t integer(std::size_t column) const override {
        return is_null(column) ? 0 : cells[column].integer;
    }
    double real(std::size_t column) const override { return is_null(column) ? 0 : cells[column].real; }
    const std::string& text(std::size_t column) const override {
        static const std::string nothing;
        return is_null(column) ? nothing : cells[column].text;
    }
};

StoreErrc reason_of(const soci::soci_error& failure) {
    const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&failure);
    const bool refused = sqlite != nullptr && (sqlite->result() & 0xff) == SQLITE_CONSTRAINT;
    return refused || failure.get_error_category() == soci::soci_error::constraint_violation
               ? StoreErrc::constraint
               : StoreErrc::unavailable;
}

// Opened by this file, so it is SQLite's; SOCI does not export the type information that a dynamic_cast, or
// the sanitizer's check of this cast, would need.
[[gnu::no_sanitize("vptr")]] StoreFailure::Kind kind_of(soci::session& session) {
    const auto* backend = static_cast<soci::sqlite3_session_backend*>(session.get_backend());
    if (backend == nullptr || backend->conn_ == nullptr) return StoreFailure::Kind::refused;
    const int code = sqlite_api::sqlite3_extended_errcode(backend->conn_);
    if (code == SQLITE_FULL) return StoreFailure::Kind::disk_full;
    if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) return StoreFailure::Kind::sync_failed;
    return StoreFailure::Kind::refused;
}

template <class Work>
void translated(soci::session& session, const char* sql, Work work) {
    try {
        work();
    } catch (const soci::soci_error& failure) {
        const std::string_view text(sql);
        throw StoreFailure(
            reason_of(failure),
            failure.get_error_message() + " in: " + std::string(text.substr(0, 120)),
            kind_of(session));
    }
}

}  // namespace

struct Connection::Prepared {
    explicit Prepared(soci::session& session) : statement(session) {}
    soci::statement statement;
    std::vector<soci::indicator> indicators;
};

struct Connection::Impl {
    soci::session session;
    std::unordered_map<const void*, std::unique_ptr<Prepared>> statements;
};

Connection::Connection(const std::string& path) : impl_(std::make_unique<Impl>()) {
    translated(impl_->session, "open", [&] {
        soci::connection_parameters parameters(soci::sqlite3, "dbname=\"" + path + "\"");
        impl_->session.open(parameters);
    });
}

Connection::~Connection() {
    impl_->statements.clear();  // SQLite closes only when none is left
}

Connection::Prepared& Connection::prepared(const char* sql) {
    auto& slot = impl_->statements[sql];
    if (!slot) {
        auto fresh = std::make_unique<Prepared>(impl_->session);
        fresh->statement.alloc();
        fresh->statement.prepare(sql);
        slot = std::move(fresh);
    }
    return *slot;
}

void Connection::execute(const char* sql, Bounds values) {
    query(sql, "", values, {});
}

void Connection::query(
    const char* sql, const char* columns, Bounds values, const std::function<void(const RowView&)>& on_row) {
    translated(impl_->session, sql, [&] {
        auto& entry = prepared(sql);
        auto& statement = entry.statement;
        entry.indicators.assign(values.size(), soci::i_ok);
        std::size_t position = 0;
        for (const auto& value : values) {
            auto& indicator = entry.indicators[position++];
            switch (value.kind) {
                case Bound::Kind::null:
                    indicator = soci::i_null;
                    [[fallthrough]];
                case Bound::Kind::text:
                    statement.exchange(soci::use(value.text, indicator));
                    break;
                case Bound::Kind::integer:
                    statement.exchange(soci::use(value.integer, indicator));
                    break;
                case Bound::Kind::real:
                    statement.exchange(soci::use(value.real, indicator));
                    break;
            }
        }
        Cells row;
        for (const char* kind = columns; *kind != '\0'; ++kind) {
            auto& cell = row.cells.emplace_back();
            switch (*kind) {
                case 'i':
                    statement.exchange(soci::into(cell.integer, cell.indicator));
                    break;
                case 'd':
                    statement.exchange(soci::into(cell.real, cell.indicator));
                    break;
                default:
                    statement.exchange(soci::into(cell.text, cell.indicator));
                    break;
            }
        }
        // Whatever happens, the next use of this statement must not find these variables bound.
        struct Unbind {
            soci::statement& bound;
            ~Unbind() { bound.bind_clean_up(); }
        } unbind{statement};
        statement.define_and_bind();
        if (*columns == '\0') {
            statement.execute(true);
            changed_ = statement.get_affected_rows();
            return;
        }
        for (bool more = statement.execute(true); more; more = statement.fetch())
            on_row(row);
    });
}

void Connection::execute_once(const std::string& sql) {
    translated(impl_->session, sql.c_str(), [&] { impl_->session.once << sql; });
}

}  // namespace berth::store

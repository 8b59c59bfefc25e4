// One SOCI session and its prepared statements. Each statement is prepared once and found again by the
// address of its text, so statements are string literals. Store thread only. Every failure of the database is
// thrown as StoreFailure.
#pragma once

#include "store/store.hpp"

#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace berth::store {

class StoreFailure final : public std::exception {
public:
    // What stands on the disk after it, and what can be done about it.
    enum class Kind {
        refused,      // nothing new; the next change may well work
        disk_full,    // nothing new, until somebody makes room
        sync_failed,  // nobody knows: the disk took the data and did not confirm it
    };

    StoreFailure(StoreErrc reason, std::string detail, Kind kind = Kind::refused)
        : reason_(reason), kind_(kind), detail_(std::move(detail)) {}
    StoreErrc reason() const { return reason_; }
    Kind kind() const { return kind_; }
    const char* what() const noexcept override { return detail_.c_str(); }

private:
    StoreErrc reason_;
    Kind kind_;
    std::string detail_;
};

// A value for a placeholder.
struct Bound {
    enum class Kind { null, integer, real, text };
    Kind kind = Kind::null;
    long long integer = 0;
    double real = 0;
    std::string text;

    // NOLINTBEGIN(google-explicit-constructor): a query lists its values as they are
    Bound() = default;
    Bound(std::int64_t number) : kind(Kind::integer), integer(number) {}
    Bound(bool flag) : kind(Kind::integer), integer(flag ? 1 : 0) {}
    Bound(double number) : kind(Kind::real), real(number) {}
    Bound(std::string value) : kind(Kind::text), text(std::move(value)) {}
    Bound(std::string_view value) : Bound(std::string(value)) {}
    Bound(const char* value) : Bound(std::string(value)) {}
    Bound(Timestamp time) : Bound(std::int64_t{time.time_since_epoch().count()}) {}
    template <class Tag>
    Bound(const NamedString<Tag>& name) : Bound(name.value) {}
    template <class Enum>
        requires std::is_enum_v<Enum>
    Bound(Enum id) : Bound(number_of(id)) {}
    template <class T>
    Bound(const std::optional<T>& value) : Bound(value ? Bound(*value) : Bound()) {}
    // NOLINTEND(google-explicit-constructor)
};
using Bounds = std::initializer_list<Bound>;

// One row of an answer, column by column from 0.
class RowView {
public:
    virtual ~RowView() = default;
    virtual bool is_null(std::size_t column) const = 0;
    virtual std::int64_t integer(std::size_t column) const = 0;
    virtual double real(std::size_t column) const = 0;
    virtual const std::string& text(std::size_t column) const = 0;

    bool flag(std::size_t column) const { return integer(column) != 0; }
    Timestamp time(std::size_t column) const { return Timestamp(std::chrono::microseconds(integer(column))); }
    std::optional<Timestamp> optional_time(std::size_t column) const {
        return is_null(column) ? std::nullopt : std::optional(time(column));
    }
    std::optional<std::string> optional_text(std::size_t column) const {
        return is_null(column) ? std::nullopt : std::optional(text(column));
    }
    template <class Id>
    Id id(std::size_t column) const {
        return static_cast<Id>(integer(column));
    }
    template <class Id>
    std::optional<Id> optional_id(std::size_t column) const {
        return is_null(column) ? std::nullopt : std::optional(id<Id>(column));
    }
};

class Connection {
public:
    // Throws StoreFailure.
    explicit Connection(const std::string& path);
    Connection(const Connection&) = delete;
    ~Connection();

    void execute(const char* sql, Bounds values = {});
    // Like execute, for text that is built at run time; not kept.
    void execute_once(const std::string& sql);
    // `columns`: one letter a column, 'i' integer, 'd' real, 's' text. Rows must not be kept.
    void query(
        const char* sql,
        const char* columns,
        Bounds values,
        const std::function<void(const RowView&)>& on_row);
    // Rows the last execute() changed.
    std::int64_t changed() const { return changed_; }

private:
    struct Prepared;
    struct Impl;
    Prepared& prepared(const char* sql);

    std::unique_ptr<Impl> impl_;
    std::int64_t changed_ = 0;
};

}  // namespace berth::store

// Expected outcomes as values. A function whose caller can act on a failure returns Result<T>; bugs, broken
// invariants and lost start-ups throw. Error says three things to three readers: `code` to the program,
// `message` to the person who asked (what happened and what to do; safe to show), `detail` to the
// administrator (never sent to a client, may name hosts and paths, never holds a secret).
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace berth {

struct Error {
    boost::system::error_code code;
    std::string message;
    std::string detail;

    Error() = default;
    Error(boost::system::error_code reason, std::string to_person, std::string to_administrator = {})
        : code(reason), message(std::move(to_person)), detail(std::move(to_administrator)) {}
    // From a room's reason: Error{SpawnErrc::image_not_found, "…", "…"}.
    template <class Enum>
        requires std::is_enum_v<Enum>
    Error(Enum reason, std::string to_person, std::string to_administrator = {})
        : Error(make_error_code(reason), std::move(to_person), std::move(to_administrator)) {}

    template <class Enum>
    bool is(Enum reason) const {
        return code == make_error_code(reason);
    }
};

[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
    // A bug in the caller: value() was asked of an error.
    throw boost::system::system_error(
        error.code, "value() on an error: " + error.message + " " + error.detail);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"  // Boost's error_category is never deleted through a base
template <class Enum>
class EnumCategory final : public boost::system::error_category {
public:
    explicit EnumCategory(const char* name) : name_(name) {}
    const char* name() const noexcept override { return name_; }
    std::string message(int value) const override { return std::string(text_of(static_cast<Enum>(value))); }

private:
    const char* name_;
};
#pragma GCC diagnostic pop

template <class T>
using Result = boost::system::result<T, Error>;

}  // namespace berth

// BERTH_ERROR_CATEGORY(SpawnErrc, "spawn") goes after an enum class and the declaration of
// `std::string_view text_of(SpawnErrc)`, in the room's namespace. It lets Error be made from the enumerators.
#define BERTH_ERROR_CATEGORY(Enum, category_name)                         \
    inline boost::system::error_code make_error_code(Enum value) {        \
        static const ::berth::EnumCategory<Enum> category(category_name); \
        return {static_cast<int>(value), category};                       \
    }

#define BERTH_CAT_(a, b) a##b
#define BERTH_CAT(a, b) BERTH_CAT_(a, b)

// BERTH_TRY(auto image, inspect(reference)); returns the error from the enclosing function, or binds the
// value.
#define BERTH_TRY(declaration, ...)                                                      \
    auto BERTH_CAT(try_, __LINE__) = __VA_ARGS__;                                        \
    if (!BERTH_CAT(try_, __LINE__)) return std::move(BERTH_CAT(try_, __LINE__)).error(); \
    declaration = *std::move(BERTH_CAT(try_, __LINE__))
#define BERTH_CHECK(...) \
    if (auto check_ = __VA_ARGS__; !check_) return std::move(check_).error()

// The same inside a coroutine.
#define BERTH_CO_TRY(declaration, ...)                                                      \
    auto BERTH_CAT(try_, __LINE__) = __VA_ARGS__;                                           \
    if (!BERTH_CAT(try_, __LINE__)) co_return std::move(BERTH_CAT(try_, __LINE__)).error(); \
    declaration = *std::move(BERTH_CAT(try_, __LINE__))
#define BERTH_CO_CHECK(...) \
    if (auto check_ = __VA_ARGS__; !check_) co_return std::move(check_).error()

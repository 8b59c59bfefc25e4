// The words every coroutine here uses. A function that may suspend is a verb and returns awaitable<T>.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <exception>

namespace berth {

namespace asio = boost::asio;
using boost::system::error_code;

template <class T = void>
using awaitable = asio::awaitable<T>;

// `auto done = co_await socket.async_connect(peer, as_tuple); auto& [ec] = done;` — name the tuple first
// (style §4.3).
inline constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

// True for the exception that a cancelled wait ends with; it travels on as it is.
bool is_cancellation(const std::exception_ptr& failure);

}  // namespace berth

// The parts that both sides of a forwarded exchange are made of, beside their sockets (poll.hpp): a buffer
// that is read into, and slices that are sent without being copied. Sending is tried at once; only when the
// kernel takes no more does anybody wait, so a small exchange costs one read and one write a side.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

namespace berth::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

using Loop = asio::io_context::executor_type;

// Bytes between `begin` and `end` wait to be used; behind them is space to read into. Nothing moves unless
// compact() or resize() is called, which nobody does while a read is pending or slices of data() are being
// sent.
class Buffer {
public:
    explicit Buffer(std::size_t capacity) : bytes_(new char[capacity]), capacity_(capacity) {}

    std::string_view data() const { return {bytes_.get() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    std::size_t capacity() const { return capacity_; }
    asio::mutable_buffer space() { return {bytes_.get() + end_, capacity_ - end_}; }
    void commit(std::size_t count) { end_ += count; }
    void consume(std::size_t count) { begin_ += count; }
    void compact();
    void resize(std::size_t capacity);  // at least data().size(); keeps the data

private:
    std::unique_ptr<char[]> bytes_;
    std::size_t capacity_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

enum class Sent { all, some, failed };

// Slices in the order they go out. They must live until sent.
class Slices {
public:
    void add(std::string_view slice);
    bool empty() const { return first_ == count_; }
    std::size_t size() const;  // bytes left
    void clear() { first_ = count_ = 0; }
    // Sends what the kernel takes now. some: wait until the socket is writable and call again.
    Sent send(int socket);
    // For who sends by other means: what comes first, at most as much as fits `together`, where small slices
    // are put beside each other; and that so much of it has gone.
    std::string_view front(asio::mutable_buffer together) const;
    void consume(std::size_t count);

private:
    static constexpr std::size_t kMost = 8;
    std::array<iovec, kMost> slices_{};
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

void set_no_delay(int socket);
void set_keep_alive(int socket);  // a peer that vanished is noticed in about two minutes
void reset_at_close(int socket);  // the peer sees a broken connection, and not an end
// True when the peer has neither closed nor sent anything: an idle connection that can be used.
bool is_quiet(int socket);
error_code last_error();  // what errno says

}  // namespace berth::proxy

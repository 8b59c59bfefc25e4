#include "proxy/stream.hpp"

#include "base/assert.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace berth::proxy {

void Buffer::compact() {
    if (begin_ == 0) return;
    std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
}

void Buffer::resize(std::size_t capacity) {
    BERTH_ASSERT(capacity >= end_ - begin_);
    std::unique_ptr<char[]> bytes(new char[capacity]);
    std::memcpy(bytes.get(), bytes_.get() + begin_, end_ - begin_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
    end_ -= begin_;
    begin_ = 0;
}

void Slices::add(std::string_view slice) {
    if (slice.empty()) return;
    BERTH_ASSERT(count_ < kMost);
    // sendmsg takes pointers to mutable bytes and does not write through them.
    slices_[count_++] = iovec{const_cast<char*>(slice.data()), slice.size()};
}

Sent Slices::send(int socket) {
    while (!empty()) {
        msghdr message{};
        message.msg_iov = &slices_[first_];
        message.msg_iovlen = count_ - first_;
        constexpr int how = MSG_NOSIGNAL | MSG_DONTWAIT;
        const auto sent = message.msg_iovlen > 1
                              ? ::sendmsg(socket, &message, how)
                              : ::send(socket, message.msg_iov->iov_base, message.msg_iov->iov_len, how);
        if (sent < 0) {
            if (errno == EINTR) continue;
            return errno == EAGAIN || errno == EWOULDBLOCK ? Sent::some : Sent::failed;
        }
        consume(static_cast<std::size_t>(sent));
    }
    clear();
    return Sent::all;
}

void Slices::consume(std::size_t count) {
    while (count > 0) {
        auto& slice = slices_[first_];
        const auto taken = std::min(count, slice.iov_len);
        slice.iov_base = static_cast<char*>(slice.iov_base) + taken;
        slice.iov_len -= taken;
        count -= taken;
        if (slice.iov_len == 0) ++first_;
    }
}

std::size_t Slices::size() const {
    std::size_t bytes = 0;
    for (std::size_t i = first_; i < count_; ++i)
        bytes += slices_[i].iov_len;
    return bytes;
}

std::string_view Slices::front(asio::mutable_buffer together) const {
    const auto& one = slices_[first_];
    if (first_ + 1 == count_ || one.iov_len >= together.size())
        return {static_cast<const char*>(one.iov_base), std::min(one.iov_len, together.size())};
    auto* const begin = static_cast<char*>(together.data());
    for (std::size_t i = first_; i < count_ && together.size() > 0; ++i) {
        const auto taken = std::min(slices_[i].iov_len, together.size());
        std::memcpy(together.data(), slices_[i].iov_base, taken);
        together += taken;
    }
    return {begin, static_cast<std::size_t>(static_cast<char*>(together.data()) - begin)};
}

void set_no_delay(int socket) {
    const int on = 1;
    (void)::setsockopt(
        socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // refused on a Unix socket, which has no delay
}

void set_keep_alive(int socket) {
    const int on = 1;
    const int idle_seconds = 60;
    const int interval_seconds = 20;
    const int probes = 3;
    (void)::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

void reset_at_close(int socket) {
    const linger at_once{1, 0};
    (void)::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

bool is_quiet(int socket) {
    char byte = 0;
    const auto got = ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

error_code last_error() {
    return {errno, boost::system::system_category()};
}

}  // namespace berth::proxy

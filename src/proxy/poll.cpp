#include "proxy/poll.hpp"

#include <boost/asio/post.hpp>
#include <boost/scope_exit.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace berth::proxy {
namespace {

constexpr std::uint32_t kInterest = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t kEnds = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

int new_epoll() {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) throw boost::system::system_error(last_error(), "epoll_create1");
    return epoll;
}

}  // namespace

Poll::Poll(const Loop& loop) : descriptor_(loop, new_epoll()) {
    wait();
}

error_code Poll::add(int socket, PolledSocket& who) {
    epoll_event event{};
    event.events = kInterest;
    event.data.ptr = &who;
    if (::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_ADD, socket, &event) == 0) return {};
    return last_error();
}

// By name, since a child between fork and exec may still hold the socket, and then closing it takes nothing
// out.
void Poll::forget(int socket, PolledSocket& who) {
    (void)::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_DEL, socket, nullptr);
    for (auto i = next_; i < count_; ++i) {
        if (batch_[i].data.ptr == &who) batch_[i].data.ptr = nullptr;
    }
    if (!std::exchange(who.listed_, false)) return;
    PolledSocket* const nobody = nullptr;
    for (auto* list : {&ready_, &calling_})
        std::replace(list->begin(), list->end(), &who, nobody);
}

void Poll::call_soon(PolledSocket& who) {
    if (std::exchange(who.listed_, true)) return;
    ready_.push_back(&who);
    if (!turning_) go_on();
}

void Poll::turn() {
    turning_ = true;
    BOOST_SCOPE_EXIT_ALL(this) {  // also when a session throws: the others go on
        turning_ = false;
        go_on();
    };
    for (int rounds = 0; rounds < kMostRounds && round(); ++rounds) {
    }
}

// True when there is likely more to do at once. What a turn that ended early has left comes first: the kernel
// says everything once.
bool Poll::round() {
    if (next_ == count_) {
        const int found = ::epoll_wait(descriptor_.native_handle(), batch_.data(), kBatch, 0);
        count_ = found > 0 ? static_cast<std::size_t>(found) : 0;
        next_ = 0;
    }
    while (next_ < count_) {
        const auto event = batch_[next_++];
        if (event.data.ptr != nullptr) static_cast<PolledSocket*>(event.data.ptr)->on_events(event.events);
    }
    const bool busy = count_ > 1;
    call_those_ready();
    return busy || !ready_.empty();
}

void Poll::call_those_ready() {
    calling_.insert(calling_.end(), ready_.begin(), ready_.end());
    ready_.clear();
    for (auto& each : calling_) {  // whom one of them closes is taken out of it
        if (auto* const who = std::exchange(each, nullptr)) who->on_turn();
    }
    calling_.clear();
}

void Poll::go_on() {
    if (ready_.empty() && calling_.empty() && next_ == count_) return wait();
    if (std::exchange(posted_, true)) return;
    asio::post(executor(), [this] {
        posted_ = false;
        turn();
    });
}

void Poll::wait() {
    if (std::exchange(waiting_, true)) return;
    descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [this](error_code failure) {
        waiting_ = false;
        if (!failure) turn();
    });
}

error_code PolledSocket::open(int socket) {
    close();
    socket_ = socket;
    readable_ = ended_ = false;
    auto failure = poll_.add(socket, *this);
    if (failure) ::close(std::exchange(socket_, -1));
    return failure;
}

int PolledSocket::release() {
    waits_readable_ = waits_writable_ = false;
    if (is_open()) poll_.forget(socket_, *this);
    return std::exchange(socket_, -1);
}

void PolledSocket::close() {
    if (const int socket = release(); socket >= 0) ::close(socket);
}

void PolledSocket::wait_readable() {
    waits_readable_ = true;
    if (readable_) poll_.call_soon(*this);
}

void PolledSocket::call_readable() {
    waits_readable_ = true;
    poll_.call_soon(*this);
}

PolledSocket::Received PolledSocket::receive(asio::mutable_buffer space) {
    for (;;) {
        const auto got = ::recv(socket_, space.data(), space.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            readable_ = false;
            return {0, asio::error::would_block};
        }
        if (got < 0) return {0, last_error()};
        if (got == 0) return {0, asio::error::eof};
        if (static_cast<std::size_t>(got) < space.size()) drained();
        return {static_cast<std::size_t>(got), {}};
    }
}

// The first call may close the socket, and with it end this object.
void PolledSocket::on_events(std::uint32_t events) {
    if ((events & kEnds) != 0) ended_ = true;
    if ((events & (EPOLLIN | kEnds)) != 0) readable_ = true;
    const bool can_write = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    if (can_write && std::exchange(waits_writable_, false)) {
        if (readable_ && waits_readable_) poll_.call_soon(*this);
        return user_.on_writable();
    }
    if (readable_ && std::exchange(waits_readable_, false)) user_.on_readable();
}

void PolledSocket::on_turn() {
    listed_ = false;
    if (std::exchange(waits_readable_, false)) user_.on_readable();
}

}  // namespace berth::proxy

// The two ends of a proxy for bench/run proxy, where wrk has no answer: WebSocket echoes, idle WebSockets,
// latency at a fixed rate. One thread and one epoll; prints one line of JSON. Not part of the product.
//
//   berth_bench_ends serve PORT                                a WebSocket server that gives back what it
//   gets berth_bench_ends echo PORT CONNECTIONS BYTES SECONDS       one message a connection is under way all
//   the time berth_bench_ends idle PORT CONNECTIONS                     opens them, says so, keeps them until
//   stdin ends berth_bench_ends rate PORT CONNECTIONS PER_SECOND SECONDS HEAD-FILE   requests at their times,
//   whatever comes back
//
// rate: the latency of a request counts from when it was due, so a proxy that falls behind does not slow its
// own judge down.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
constexpr std::size_t kPiece = 256 * 1024;

[[noreturn]] void die(const std::string& why) {
    std::fprintf(stderr, "berth_bench_ends: %s (%s)\n", why.c_str(), std::strerror(errno));
    std::exit(1);
}

sockaddr_in at(std::uint16_t port, std::uint32_t host = INADDR_LOOPBACK) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(host);
    return address;
}

void configure(int socket) {
    const int on = 1;
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)::fcntl(socket, F_SETFL, O_NONBLOCK);
}

// From several loopback addresses in turn, so that ports do not run out.
int connect_to(std::uint16_t port, int number) {
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) die("no socket");
    const int on = 1;
    (void)::setsockopt(made, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const auto from = at(0, INADDR_LOOPBACK + static_cast<std::uint32_t>(number % 4));
    if (::bind(made, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) die("bind");
    const auto to = at(port);
    if (::connect(made, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) die("connect");
    return made;
}

void send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) die("send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// Blocking, up to the end of the head; the proxy sends nothing behind it until we do.
void read_head(int socket) {
    std::string got;
    while (got.find("\r\n\r\n") == std::string::npos) {
        char piece[4096];
        const auto count = ::recv(socket, piece, sizeof piece, 0);
        if (count <= 0) die("no answer to an upgrade: " + got);
        got.append(piece, static_cast<std::size_t>(count));
    }
    if (got.compare(0, 12, "HTTP/1.1 101") != 0) die("refused: " + got.substr(0, 200));
}

std::vector<int> open_websockets(std::uint16_t port, int count) {
    std::vector<int> all;
    for (int i = 0; i < count; ++i) {
        all.push_back(connect_to(port, i));
        send_all(all.back(), kUpgrade);
        read_head(all.back());
    }
    return all;
}

struct Peer {
    int socket = -1;
    std::string out;         // what the kernel did not take yet
    std::size_t wanted = 0;  // bytes of the message under way
    bool upgraded = false;
    std::deque<Clock::time_point> due;
    std::string in;
};

class Poll {
public:
    Poll() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
    void add(int socket, void* whose) { change(EPOLL_CTL_ADD, socket, whose, EPOLLIN); }
    void want_write(const Peer& peer, bool wanted) {
        change(EPOLL_CTL_MOD, peer.socket, const_cast<Peer*>(&peer), wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    template <class Each>
    void wait(std::chrono::nanoseconds most, Each each) {
        const auto span = std::max<std::chrono::nanoseconds::rep>(0, most.count());
        const timespec until{span / 1'000'000'000, span % 1'000'000'000};
        const int count = ::epoll_pwait2(epoll_, events_, 256, &until, nullptr);
        for (int i = 0; i < count; ++i)
            each(events_[i]);
    }

private:
    void change(int how, int socket, void* whose, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.ptr = whose;
        if (::epoll_ctl(epoll_, how, socket, &event) != 0) die("epoll_ctl");
    }
    int epoll_;
    epoll_event events_[256];
};

void send_some(Poll& poll, Peer& peer, std::string_view bytes) {
    const bool waits = !peer.out.empty();
    if (!waits) {
        const auto sent = ::send(peer.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    peer.out.append(bytes);
    if (!peer.out.empty() && !waits) poll.want_write(peer, true);
}

void flush(Poll& poll, Peer& peer) {
    const auto sent = ::send(peer.socket, peer.out.data(), peer.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) peer.out.erase(0, static_cast<std::size_t>(sent));
    if (peer.out.empty()) poll.want_write(peer, false);
}

void serve(std::uint16_t port) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    (void)::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto where = at(port);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) die("bind");
    if (::listen(listener, 4096) != 0) die("listen");
    Poll poll;
    poll.add(listener, nullptr);
    std::vector<char> piece(kPiece);
    const auto take = [&](Peer& peer) {
        const auto count = ::recv(peer.socket, piece.data(), piece.size(), MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) {
            ::close(peer.socket);
            delete &peer;
            return;
        }
        const std::string_view got(piece.data(), static_cast<std::size_t>(count));
        if (!peer.upgraded) {
            peer.in.append(got);
            peer.upgraded = peer.in.find("\r\n\r\n") != std::string::npos;
            if (peer.upgraded) send_some(poll, peer, kSwitched);
            return;
        }
        send_some(poll, peer, got);
    };
    for (;;) {
        poll.wait(1h, [&](const epoll_event& event) {
            if (event.data.ptr == nullptr) {
                const int socket = ::accept(listener, nullptr, nullptr);
                if (socket < 0) return;
                configure(socket);
                auto* peer = new Peer;
                peer->socket = socket;
                poll.add(socket, peer);
                return;
            }
            auto& peer = *static_cast<Peer*>(event.data.ptr);
            if ((event.events & EPOLLOUT) != 0) flush(poll, peer);
            if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) take(peer);
        });
    }
}

// A masked binary frame with the mask 0: its echo is the same bytes.
std::string frame(std::size_t size) {
    std::string head("\x82", 1);
    if (size < 126) {
        head.push_back(static_cast<char>(0x80 | size));
    } else if (size < 65536) {
        head.push_back(static_cast<char>(0x80 | 126));
        head.push_back(static_cast<char>(size >> 8));
        head.push_back(static_cast<char>(size & 255));
    } else {
        head.push_back(static_cast<char>(0x80 | 127));
        for (int shift = 56; shift >= 0; shift -= 8)
            head.push_back(static_cast<char>((size >> shift) & 255));
    }
    return head + std::string(4, '\0') + std::string(size, 'x');
}

void echo(std::uint16_t port, int connections, std::size_t bytes, double seconds) {
    const auto message = frame(bytes);
    std::vector<std::unique_ptr<Peer>> all;
    Poll poll;
    for (const int socket : open_websockets(port, connections)) {
        configure(socket);
        all.push_back(std::make_unique<Peer>());
        all.back()->socket = socket;
        poll.add(socket, all.back().get());
    }
    std::vector<char> piece(kPiece);
    std::uint64_t count = 0;
    for (const auto& each : all) {
        each->wanted = message.size();
        send_some(poll, *each, message);
    }
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
        poll.wait(100ms, [&](const epoll_event& event) {
            auto& peer = *static_cast<Peer*>(event.data.ptr);
            if ((event.events & EPOLLOUT) != 0) flush(poll, peer);
            if ((event.events & EPOLLIN) == 0) return;
            const auto got = ::recv(peer.socket, piece.data(), piece.size(), MSG_DONTWAIT);
            if (got < 0 && errno == EAGAIN) return;
            if (got <= 0) die("a WebSocket was closed");
            peer.wanted -= static_cast<std::size_t>(got);
            if (peer.wanted > 0) return;
            ++count;
            peer.wanted = message.size();
            send_some(poll, peer, message);
        });
    }
    std::printf("{\"messages\": %llu}\n", static_cast<unsigned long long>(count));
}

void idle(std::uint16_t port, int connections) {
    const auto all = open_websockets(port, connections);
    std::printf("{\"open\": %zu}\n", all.size());
    std::fflush(stdout);
    while (::getchar() != EOF) {
    }
}

// Takes whole answers off `in`; only what has a Content-Length comes here.
bool take_answer(std::string& in) {
    const auto end = in.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    std::string head = in.substr(0, end);
    std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto length = head.find("content-length:");
    if (head.compare(9, 3, "200") != 0 || length == std::string::npos) die("an answer is not 200: " + head);
    const auto size = std::strtoul(head.c_str() + length + 15, nullptr, 10);
    if (in.size() < end + 4 + size) return false;
    in.erase(0, end + 4 + size);
    return true;
}

void rate(
    std::uint16_t port, int connections, double per_second, double seconds, const std::string& request) {
    std::vector<std::unique_ptr<Peer>> all;
    std::vector<double> took;
    Poll poll;
    for (int i = 0; i < connections; ++i) {
        all.push_back(std::make_unique<Peer>());
        all.back()->socket = connect_to(port, i);
        configure(all.back()->socket);
        poll.add(all.back()->socket, all.back().get());
    }
    std::vector<char> piece(kPiece);
    std::vector<Peer*> free;
    for (const auto& each : all)
        free.push_back(each.get());
    std::deque<Clock::time_point> waiting;
    const auto begin = Clock::now();
    const auto total = static_cast<std::uint64_t>(per_second * seconds);
    std::uint64_t sent = 0;
    while (took.size() < total && Clock::now() - begin < std::chrono::duration<double>(seconds + 5)) {
        const auto now = Clock::now();
        auto next = now + 100ms;
        for (; sent < total; ++sent) {
            next = begin + std::chrono::nanoseconds(
                               static_cast<std::int64_t>(1e9 * static_cast<double>(sent) / per_second));
            if (next > now) break;
            waiting.push_back(next);
        }
        while (!waiting.empty() && !free.empty()) {
            free.back()->due.push_back(waiting.front());
            waiting.pop_front();
            send_some(poll, *free.back(), request);
            free.pop_back();
        }
        poll.wait(next - Clock::now(), [&](const epoll_event& event) {
            auto& peer = *static_cast<Peer*>(event.data.ptr);
            const auto got = ::recv(peer.socket, piece.data(), piece.size(), MSG_DONTWAIT);
            if (got < 0 && errno == EAGAIN) return;
            if (got <= 0) die("a connection was closed");
            peer.in.append(piece.data(), static_cast<std::size_t>(got));
            if (!take_answer(peer.in)) return;
            took.push_back(
                std::chrono::duration<double, std::milli>(Clock::now() - peer.due.front()).count());
            peer.due.pop_front();
            free.push_back(&peer);
        });
    }
    std::sort(took.begin(), took.end());
    const auto at_part = [&](double part) {
        return took.empty() ? 0 : took[static_cast<std::size_t>(part * static_cast<double>(took.size() - 1))];
    };
    std::printf(
        "{\"answers\": %zu, \"asked\": %llu, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
        took.size(),
        static_cast<unsigned long long>(total),
        at_part(0.5),
        at_part(0.99));
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() < 2) die("say what to be, and the port");
    const auto number = [&](std::size_t i) { return i < words.size() ? std::atof(words[i].c_str()) : 0.0; };
    const auto port = static_cast<std::uint16_t>(number(1));
    const int connections = static_cast<int>(number(2));
    if (words[0] == "serve") serve(port);
    if (words[0] == "echo") echo(port, connections, static_cast<std::size_t>(number(3)), number(4));
    if (words[0] == "idle") idle(port, connections);
    if (words[0] == "rate" && words.size() > 5) {
        std::ostringstream head;
        head << std::ifstream(words[5]).rdbuf();
        rate(port, connections, number(3), number(4), head.str());
    }
}

// A resolver that hangs: this program's getaddrinfo stands in front of the C library's for one name.
#include "async/run_to_end.hpp"
#include "net/listener.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <cstring>
#include <thread>

using namespace std::chrono_literals;

namespace {

constexpr const char* kSlowHost = "slow.invalid";
constexpr auto kHang = 1500ms;

}  // namespace

extern "C" int getaddrinfo(
    const char* node, const char* service, const addrinfo* hints, addrinfo** found) noexcept(false) {
    using Real = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    static const auto real = reinterpret_cast<Real>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    if (node != nullptr && std::strcmp(node, kSlowHost) == 0) std::this_thread::sleep_for(kHang);
    return real(node, service, hints, found);
}

namespace berth::net {
namespace {

awaitable<std::chrono::steady_clock::duration> time_of_connect(Deadline deadline) {
    const auto begin = std::chrono::steady_clock::now();
    Endpoint to;
    to.host = kSlowHost;
    to.port = 80;
    const auto connected = co_await connect(std::move(to), deadline);
    EXPECT_TRUE(!connected && connected.error().is(NetErrc::connect_timeout));
    co_return std::chrono::steady_clock::now() - begin;
}

TEST(SlowResolver, DoesNotHoldAConnectBeyondItsDeadline) {
    EXPECT_LT(run_to_end(time_of_connect(Deadline::in(50ms))), kHang / 2);
}

}  // namespace
}  // namespace berth::net

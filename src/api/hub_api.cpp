#include "api/hub_api.hpp"

#include "api/error_response.hpp"
#include "api/idempotency.hpp"
#include "api/pages.hpp"
#include "api/router.hpp"
#include "api/table.hpp"
#include "base/random.hpp"
#include "gate/rate_limit.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"

#include <map>

namespace berth::api {
namespace {

enum class Listener { proxy, servers, administrators };

bool is_api(std::string_view rest) {
    return rest == "api" || rest.starts_with("api/");
}

// Requests that no row answers because they are not below the hub's prefix (hub-protocol §2.2).
http::Response outside_prefix(const Dependencies& hub, const http::Request& request) {
    if (request.method != http::Method::get && request.method != http::Method::head)
        return json_error(403, "");
    const std::string base = hub.options.base_path();
    std::string_view path = request.path();
    std::string_view below = path;
    if (path.starts_with(base))
        below.remove_prefix(base.size());
    else if (path.starts_with('/'))
        below.remove_prefix(1);
    std::string query(request.query());
    if (!query.empty()) query.insert(query.begin(), '?');
    const bool hub_itself = below == "hub";
    const auto slash = below.find('/');
    const auto first = below.substr(0, slash);
    const bool lacks_slash = (first == "user" || first == "services") && slash != std::string_view::npos &&
                             below.find('/', slash + 1) == std::string_view::npos && slash + 1 < below.size();
    if (hub_itself || lacks_slash)
        return http::Response::redirect(base + std::string(below) + "/" + query, 301);
    return http::Response::redirect(hub_path(hub) + std::string(below) + query);
}

void add_security_headers(
    const Dependencies& hub, const Call* call, gate::Surface surface, http::Response& response) {
    std::string policy = "frame-ancestors 'none'; report-uri " + hub_path(hub) + "security/csp-report";
    if (surface == gate::Surface::api) {
        policy += "; default-src 'none'";
    } else if (call != nullptr && !call->nonce.empty()) {
        policy +=
            "; default-src 'self'; base-uri 'none'; object-src 'none'; img-src 'self' data:; worker-src "
            "'self'; script-src "
            "'nonce-" +
            call->nonce + "' 'strict-dynamic'";
    }
    response.headers.set("Content-Security-Policy", std::move(policy));
    response.headers.set("X-JupyterHub-Version", hub.options.hub_version);
    response.headers.set("X-Content-Type-Options", "nosniff");
    response.headers.set("Referrer-Policy", "same-origin");
    const auto hsts = hub.options.tls.hsts.count();
    if (hsts > 0 && call != nullptr && hub.gate.scheme_of(call->request) == "https")
        response.headers.set("Strict-Transport-Security", "max-age=" + std::to_string(hsts));
    response.headers.set("Access-Control-Allow-Headers", "accept, content-type, authorization");
    if (!response.headers.find("Cache-Control")) response.headers.add("Cache-Control", "no-store");
}

// Programs that subscribe to a calendar send no header: the address that they are given holds a token. Only
// theirs may, for addresses end up in other machines' logs.
void take_token_of_address(const Row& row, http::Request& request) {
    if (!row.pattern.ends_with(".ics") || request.headers.find("Authorization")) return;
    const auto token = request.query_value("token");
    if (token && !token->empty()) request.headers.set("Authorization", "token " + *token);
}

bool is_html(const http::Response& response) {
    return response.headers.find("Content-Type").value_or("").starts_with("text/html");
}

struct OnceKey {
    std::string scope;
    std::string key;
};

// Whatever ends the request, its key is settled: by the answer, or as if it had never been used.
class OnceGuard {
public:
    OnceGuard(IdempotencyKeys& keys, const std::optional<OnceKey>& key) : keys_(keys), key_(key) {}
    OnceGuard(const OnceGuard&) = delete;
    ~OnceGuard() {
        if (key_ && !answered_) keys_.done(key_->scope, key_->key, http::Response::empty(500));
    }
    void answered(const http::Response& response) {
        answered_ = true;
        if (key_) keys_.done(key_->scope, key_->key, response);
    }

private:
    IdempotencyKeys& keys_;
    const std::optional<OnceKey>& key_;
    bool answered_ = false;
};

}  // namespace

struct HubApi::Impl {
    explicit Impl(Dependencies& dependencies)
        : hub(dependencies),
          access(dependencies.directory),
          router(table(), hub_path(dependencies)),
          accounts(
              dependencies.options.rate_limit.requests_per_second, dependencies.options.rate_limit.burst),
          addresses(
              dependencies.options.rate_limit.requests_per_second, dependencies.options.rate_limit.burst) {}

    static awaitable<http::Response> serve(Impl* self, Listener listener, http::Request request);
    static awaitable<http::Response> answer(Impl* self, const Row& row, Listener listener, Call& call);

    gate::Visit identify(Listener listener, const Call& call, gate::Surface surface) const;
    bool within_rate(const Row& row, Listener listener, const Call& call);
    std::optional<OnceKey> once_key(const Row& row, const Call& call) const;
    std::optional<http::Response> repeated(const Row& row, const Call& call, const OnceKey& key);
    http::Response without_row(const Router::Found& found, Listener listener, Call& call) const;
    Result<std::optional<access::Permit>> permit_for(const Row& row, const Call& call) const;
    http::Response refuse(const Row& row, const Call& call, const Error& error) const;
    void record(
        const Row* row,
        const Call& call,
        const http::Response& response,
        std::chrono::steady_clock::duration took);

    Dependencies& hub;
    access::AccessCheck access;
    Router router;
    gate::RateLimit accounts;
    gate::RateLimit addresses;
    IdempotencyKeys once;
    std::map<std::pair<const Row*, unsigned>, obs::Histogram*> durations;
};

// What anybody may see costs little, and a whole class may ask for it from one address; services are the
// administrator's own.
bool HubApi::Impl::within_rate(const Row& row, Listener listener, const Call& call) {
    const bool is_for_everybody = row.check == Check::open && row.method == http::Method::get;
    const auto& who = call.who();
    if (is_for_everybody || listener != Listener::proxy || who.server) return true;
    const auto now = gate::RateLimit::Clock::now();
    if (!who.authenticated()) return addresses.take(call.request.client_address(), now);
    return !who.user || accounts.take(who.name, now);
}

// Answers for paths that are no row of the table.
http::Response HubApi::Impl::without_row(const Router::Found& found, Listener listener, Call& call) const {
    const bool api = is_api(found.rest) && found.below_prefix;
    if (listener != Listener::proxy && !api) return json_error(404, "");
    if (found.undecodable)
        return api ? json_error(400, "")
                   : status_as_page(hub, call, 400, "The address holds a '%' that is no escape.");
    if (!found.below_prefix) return outside_prefix(hub, call.request);
    if (api && call.request.method == http::Method::options) return http::Response::empty(200);
    const unsigned status = found.known_path ? 405 : 404;
    return api ? json_error(status, "") : status_as_page(hub, call, status, "");
}

// On the administration socket the kernel's word counts, and no cookie or token.
gate::Visit HubApi::Impl::identify(Listener listener, const Call& call, gate::Surface surface) const {
    if (listener != Listener::administrators) return hub.gate.identify(call.request, surface, call.now);
    gate::Visit visit;
    visit.surface = surface;
    if (call.request.local_peer)
        visit.principal = gate::principal_of(*call.request.local_peer, hub.local_administrators);
    return visit;
}

Result<std::optional<access::Permit>> HubApi::Impl::permit_for(const Row& row, const Call& call) const {
    switch (row.check) {
        case Check::open:
        case Check::handler:
            return std::optional<access::Permit>{};
        case Check::signed_in: {
            BERTH_TRY(auto permit, access.check_signed_in(call.who()));
            return std::optional(std::move(permit));
        }
        case Check::scopes: {
            BERTH_TRY(auto permit, access.check(call.who(), scopes_of(row), target_of(row, call)));
            return std::optional(std::move(permit));
        }
        case Check::listing: {
            BERTH_TRY(auto permit, access.check_listing(call.who(), scopes_of(row)));
            return std::optional(std::move(permit));
        }
    }
    return Error{ApiErrc::forbidden, {}};
}

http::Response HubApi::Impl::refuse(const Row& row, const Call& call, const Error& error) const {
    if (!error.detail.empty()) {
        log::info(
            "request.refused",
            {{"pattern", row.pattern}, {"code", error.code.message()}, {"detail", error.detail}});
    }
    if (row.surface == gate::Surface::api) return json_error(error);
    const bool may_navigate =
        call.request.method == http::Method::get || call.request.method == http::Method::head;
    if (error.is(access::AccessErrc::not_authenticated) && may_navigate) return redirect_to_login(hub, call);
    return error_as_page(hub, call, error);
}

awaitable<http::Response> HubApi::Impl::answer(Impl* self, const Row& row, Listener listener, Call& call) {
    if (!self->within_rate(row, listener, call)) {
        const Error too_many{ApiErrc::too_many, "Too many requests. Wait a moment and try again."};
        auto refused = self->refuse(row, call, too_many);
        refused.headers.add("Retry-After", "1");
        co_return refused;
    }
    if (row.xsrf == Xsrf::checked) {
        if (auto checked = self->hub.gate.check_xsrf(call.request, call.visit); !checked) {
            co_return self->refuse(row, call, checked.error());
        }
    }
    auto permit = self->permit_for(row, call);
    if (!permit) co_return self->refuse(row, call, permit.error());
    call.permit = std::move(*permit);
    const auto once = self->once_key(row, call);
    if (once) {
        if (auto repeated = self->repeated(row, call, *once)) co_return std::move(*repeated);
    }
    OnceGuard guard(self->once, once);
    auto result = co_await row.handler(self->hub, call);
    if (!result) co_return self->refuse(row, call, result.error());
    guard.answered(*result);
    co_return std::move(*result);
}

// Of a POST of Berth's own that carries an Idempotency-Key: whose, for what, and the key.
std::optional<OnceKey> HubApi::Impl::once_key(const Row& row, const Call& call) const {
    const bool takes_keys = row.method == http::Method::post && row.pattern.starts_with("api/berth/");
    const auto key = takes_keys ? call.request.headers.find("Idempotency-Key") : std::nullopt;
    if (!key || key->empty() || key->size() > 255) return std::nullopt;
    std::string scope = call.who().audit_name();
    scope.append(" ").append(call.request.path());
    return OnceKey{std::move(scope), std::string(*key)};
}

std::optional<http::Response> HubApi::Impl::repeated(const Row& row, const Call& call, const OnceKey& key) {
    switch (once.begin(key.scope, key.key, call.request.body, IdempotencyKeys::Clock::now())) {
        case IdempotencyKeys::State::fresh:
            return std::nullopt;
        case IdempotencyKeys::State::repeated:
            return once.found(key.scope, key.key);
        case IdempotencyKeys::State::under_way:
            return refuse(
                row, call, {ApiErrc::conflict, "The same request, with this Idempotency-Key, is under way."});
        case IdempotencyKeys::State::other:
            return refuse(
                row, call, {ApiErrc::unprocessable, "This Idempotency-Key was used for another request."});
    }
    return std::nullopt;
}

awaitable<http::Response> HubApi::Impl::serve(Impl* self, Listener listener, http::Request request) {
    const auto begin = std::chrono::steady_clock::now();
    Call call;
    call.request = std::move(request);
    call.now = now_utc();
    auto found = self->router.find(call.request.method, call.request.path());
    const bool hidden =
        found.row != nullptr && listener != Listener::proxy && found.row->surface != gate::Surface::api;
    if (hidden) {
        found.row = nullptr;
        found.known_path = false;
    }
    const bool api = found.row != nullptr
                         ? found.row->surface == gate::Surface::api
                         : listener != Listener::proxy || (found.below_prefix && is_api(found.rest));
    const auto surface = found.row != nullptr ? found.row->surface
                         : api                ? gate::Surface::api
                                              : gate::Surface::page;
    if (!api) call.nonce = random_alphanumeric(22);
    http::Response response;
    if (found.row == nullptr) {
        // An address outside the prefix is only ever redirected: nobody is asked for, no cookie is set.
        if (found.below_prefix && !api)
            call.visit = self->hub.gate.identify(call.request, gate::Surface::page, call.now);
        response = self->without_row(found, listener, call);
    } else {
        call.arguments = std::move(found.arguments);
        take_token_of_address(*found.row, call.request);
        call.visit = self->identify(listener, call, surface);
        response = co_await answer(self, *found.row, listener, call);
    }
    if (found.row != nullptr || (found.below_prefix && !api)) {
        const auto renders = is_html(response) ? gate::Gate::Renders::page : gate::Gate::Renders::nothing;
        self->hub.gate.add_cookies(call.request, call.visit, renders, response);
    }
    add_security_headers(self->hub, &call, surface, response);
    self->record(found.row, call, response, std::chrono::steady_clock::now() - begin);
    co_return response;
}

void HubApi::Impl::record(
    const Row* row,
    const Call& call,
    const http::Response& response,
    std::chrono::steady_clock::duration took) {
    const double seconds = std::chrono::duration<double>(took).count();
    auto& duration = durations[{row, response.status}];
    if (duration == nullptr) {
        duration = &obs::jupyterhub::request_duration().with(
            {{"method", std::string(row == nullptr ? "other" : http::name_of(row->method))},
             {"handler", row == nullptr ? "none" : std::string(row->pattern)},
             {"code", std::to_string(response.status)}});
    }
    duration->observe(seconds);
    const bool changes =
        call.request.method != http::Method::get && call.request.method != http::Method::head;
    const auto level = response.status >= 500              ? log::Level::warn
                       : changes || response.status >= 400 ? log::Level::info
                                                           : log::Level::debug;
    if (!log::enabled(level)) return;
    log::write(
        level,
        "request.served",
        {{"method", http::name_of(call.request.method)},
         {"path", call.request.path()},
         {"status", static_cast<std::int64_t>(response.status)},
         {"by", call.who().audit_name()},
         {"took_seconds", seconds}});
}

HubApi::HubApi(Dependencies& hub) : impl_(std::make_unique<Impl>(hub)) {}
HubApi::~HubApi() = default;

http::Handler HubApi::handler() {
    return [self = impl_.get()](http::Request request) {
        return Impl::serve(self, Listener::proxy, std::move(request));
    };
}

http::Handler HubApi::handler_for_servers() {
    return [self = impl_.get()](http::Request request) {
        return Impl::serve(self, Listener::servers, std::move(request));
    };
}

http::Handler HubApi::handler_for_administrators() {
    return [self = impl_.get()](http::Request request) {
        if (request.target.starts_with('/'))
            request.target = self->hub.options.base_path() + request.target.substr(1);
        return Impl::serve(self, Listener::administrators, std::move(request));
    };
}

}  // namespace berth::api

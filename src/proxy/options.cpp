#include "proxy/options.hpp"

#include "base/text.hpp"
#include "proxy/target.hpp"

#include <algorithm>

namespace berth::proxy {

std::string_view text_of(OptionsErrc) {
    return "an option of the proxy is not usable";
}

namespace {

Error invalid(std::string message) {
    return Error{OptionsErrc::invalid, std::move(message)};
}

bool is_token_char(char c) {
    constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != std::string_view::npos;
}

bool is_control(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

Result<void> check_url(const std::string& flag, const std::string& url) {
    if (url.empty()) return boost::system::in_place_value;
    const auto target = parse_target(url);
    if (!target) return invalid(flag + " " + url + ": " + target.error().message);
    return boost::system::in_place_value;
}

Result<void> check_pair(const std::string& side, const net::TlsPair& pair) {
    if (pair.certificate.empty() == pair.key.empty()) return boost::system::in_place_value;
    return invalid("--" + side + "ssl-cert and --" + side + "ssl-key belong together; give both or neither.");
}

}  // namespace

Result<std::pair<std::string, std::string>> parse_custom_header(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        return invalid(
            "--custom-header \"" + std::string(text) + "\": A colon was expected, as in \"Name: value\".");
    }
    const auto name = trim(text.substr(0, colon));
    const auto value = trim(text.substr(colon + 1));
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char) ||
        std::any_of(value.begin(), value.end(), is_control)) {
        return invalid("--custom-header \"" + std::string(text) + "\" is no header field.");
    }
    return std::pair{std::string(name), std::string(value)};
}

std::optional<log::Level> parse_log_level(std::string_view text) {
    if (text == "debug") return log::Level::debug;
    if (text == "info") return log::Level::info;
    if (text == "warn" || text == "warning") return log::Level::warn;
    if (text == "error") return log::Level::error;
    return std::nullopt;
}

Result<void> validate(const ProxyOptions& options) {
    if (!options.error_target.empty() && !options.error_path.empty()) {
        return invalid("--error-target and --error-path exclude each other; give one of them.");
    }
    BERTH_CHECK(check_url("--default-target", options.default_target));
    BERTH_CHECK(check_url("--error-target", options.error_target));
    BERTH_CHECK(check_pair("", options.tls.pair));
    BERTH_CHECK(check_pair("api-", options.api_tls.pair));
    BERTH_CHECK(check_pair("client-", options.target_tls.pair));
    if (options.redirect_port && options.tls.pair.certificate.empty())
        return invalid("--redirect-port leads to https, so it needs --ssl-cert and --ssl-key.");
    if (options.workers > 256) return invalid("--workers is at most 256.");
    if (!options.protocol_rewrite.empty() && options.protocol_rewrite != "http" &&
        options.protocol_rewrite != "https") {
        return invalid("--protocol-rewrite is http or https.");
    }
    return boost::system::in_place_value;
}

}  // namespace berth::proxy

#include "hub/notify_mail.hpp"

#include "base/random.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <memory>

namespace berth::hub {
namespace {

bool is_plain(std::string_view text) {
    return std::all_of(
        text.begin(), text.end(), [](unsigned char c) { return c == '\n' || (c >= ' ' && c < 127); });
}

// One line of a header whatever the text holds: printable ASCII as it is, else encoded words.
std::string header_text(std::string_view text) {
    const bool one_line = text.find('\n') == std::string_view::npos;
    if (one_line && is_plain(text) && text.find("=?") == std::string_view::npos && text.size() < 900)
        return std::string(text);
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = std::min(text.size(), at + 42);
        while (end < text.size() && end > at + 1 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
            --end;  // not inside a character
        out.append(out.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        out.append(base64(text.substr(at, end - at))).append("?=");
        at = end;
    }
    return out;
}

std::string date_of(Timestamp at) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(at));
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[64];
    const int size = std::snprintf(
        text,
        sizeof text,
        "%s, %02d %s %04d %02d:%02d:%02d +0000",
        kDays[parts.tm_wday],
        parts.tm_mday,
        kMonths[parts.tm_mon],
        parts.tm_year + 1900,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec);
    return std::string(text, static_cast<std::size_t>(std::max(size, 0)));
}

struct Upload {
    std::string message;
    std::size_t sent = 0;
};

std::size_t give(char* into, std::size_t size, std::size_t count, void* from) {
    auto& upload = *static_cast<Upload*>(from);
    const std::size_t part = std::min(size * count, upload.message.size() - upload.sent);
    std::memcpy(into, upload.message.data() + upload.sent, part);
    upload.sent += part;
    return part;
}

int look(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::atomic<bool>*>(stop)->load() ? 1 : 0;
}

struct Cleanup {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

MailResult result_of(CURL* curl, CURLcode code) {
    if (code == CURLE_OK) return {};
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    // A refusal for ever (RFC 5321 §4.2.1), not of the sign-in, which somebody may put right.
    const bool refused = status >= 550 && status <= 556;
    std::string why = std::string("The mail server did not take it: ") + curl_easy_strerror(code);
    if (status > 0) why += " (" + std::to_string(status) + ")";
    return {refused ? MailResult::never : MailResult::later, std::move(why)};
}

}  // namespace

bool is_mail_address(std::string_view text) {
    const auto at = text.find('@');
    if (at == std::string_view::npos || at == 0 || at + 1 >= text.size() || text.size() > 254) return false;
    if (text.find('@', at + 1) != std::string_view::npos) return false;
    const auto allowed = [](char c) {
        return c > ' ' && c < 127 && std::string_view("<>()[]\\,;:\"").find(c) == std::string_view::npos;
    };
    return std::all_of(text.begin(), text.end(), allowed) && text.front() != '-';
}

std::string message_of(std::string_view from, const Mail& mail, std::string_view id) {
    std::string out;
    const auto header = [&out](std::string_view name, std::string_view value) {
        out.append(name).append(": ").append(value).append("\r\n");
    };
    header("From", header_text(from));
    header("To", header_text(mail.to));
    header("Subject", header_text(mail.subject));
    header("Date", date_of(mail.at));
    const auto domain = from.substr(std::min(from.size(), from.find('@') + 1));
    header("Message-ID", "<" + std::string(id) + "@" + header_text(domain) + ">");
    header("Auto-Submitted", "auto-generated");
    header("MIME-Version", "1.0");
    header("Content-Type", "text/plain; charset=utf-8");
    const bool plain = is_plain(mail.text);
    header("Content-Transfer-Encoding", plain ? "7bit" : "base64");
    out += "\r\n";
    if (plain) {
        for (const char c : mail.text)
            out += c == '\n' ? std::string("\r\n") : std::string(1, c);
        return out;
    }
    const auto encoded = base64(mail.text);
    for (std::size_t at = 0; at < encoded.size(); at += 76)
        out.append(encoded, at, 76).append("\r\n");
    return out;
}

MailResult send_mail(
    const config::MailOptions& options,
    const Mail& mail,
    std::chrono::milliseconds limit,
    const std::atomic<bool>& stop) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    const std::unique_ptr<CURL, Cleanup> curl(curl_easy_init());
    const std::unique_ptr<curl_slist, Cleanup> to(curl_slist_append(nullptr, ("<" + mail.to + ">").c_str()));
    if (ready != CURLE_OK || !curl || !to) return {MailResult::later, "No memory for a mail."};
    if (!is_mail_address(mail.to) || !is_mail_address(options.from))
        return {MailResult::never, "The sender's or the receiver's address cannot be used."};
    Upload upload{message_of(options.from, mail, random_hex(16)), 0};
    const std::string from = "<" + options.from + ">";
    curl_easy_setopt(curl.get(), CURLOPT_URL, options.server.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(
        curl.get(), CURLOPT_USE_SSL, static_cast<long>(options.start_tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    if (!options.user.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_USERNAME, options.user.c_str());
        curl_easy_setopt(curl.get(), CURLOPT_PASSWORD, options.password.reveal().c_str());
    }
    curl_easy_setopt(curl.get(), CURLOPT_MAIL_FROM, from.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_MAIL_RCPT, to.get());
    curl_easy_setopt(curl.get(), CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_READFUNCTION, &give);
    curl_easy_setopt(curl.get(), CURLOPT_READDATA, static_cast<void*>(&upload));
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
    curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, &look);
    curl_easy_setopt(
        curl.get(), CURLOPT_XFERINFODATA, static_cast<void*>(const_cast<std::atomic<bool>*>(&stop)));
    return result_of(curl.get(), curl_easy_perform(curl.get()));
}

}  // namespace berth::hub

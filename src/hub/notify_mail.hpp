// Mail by SMTP, through libcurl. Blocks, so it runs on a thread of a pool. What a mail says cannot become a
// header or a command: addresses are checked, header lines are encoded (RFC 2047, RFC 5322), and the text
// goes as base64 unless it is plain ASCII.
#pragma once

#include "base/units.hpp"
#include "config/options.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

namespace berth::hub {

struct Mail {
    std::string to;
    std::string subject;
    std::string text;  // lines end with \n
    Timestamp at{};
};

struct MailResult {
    enum Outcome { taken, later, never };
    Outcome outcome = taken;
    std::string why;  // without secrets
};

// "name@host" as SMTP takes it unquoted, at most 254 characters.
bool is_mail_address(std::string_view text);
// Head and body, lines ended by CRLF. `id` is unique; it names the message at the sender's domain.
std::string message_of(std::string_view from, const Mail& mail, std::string_view id);
// Ends within `limit`, and soon after `stop` was set.
MailResult send_mail(
    const config::MailOptions& options,
    const Mail& mail,
    std::chrono::milliseconds limit,
    const std::atomic<bool>& stop);

}  // namespace berth::hub

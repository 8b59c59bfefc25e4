// The one table from a refusal to what goes over the wire: status, and JupyterHub's JSON or a page. Nobody
// else writes an error status (style §3).
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <string>

namespace berth::api {

// What only the API itself refuses.
enum class ApiErrc {
    not_found = 1,  // 404, the standard reason
    bad_request,    // 400
    conflict,       // 409
    forbidden,      // 403
    method_not_allowed,
    start_failed,   // 500: within the time a start request waits; the message says why
    too_many,       // 429
    unprocessable,  // 422
};
std::string_view text_of(ApiErrc reason);
BERTH_ERROR_CATEGORY(ApiErrc, "api")

// Refusals of the handlers themselves.
Error bad_request(std::string message);
Error not_found(std::string message = {});

unsigned status_of(const Error& error);
// Seconds for Retry-After, or 0 (hub-protocol §9.2).
unsigned retry_after(const Error& error);
// The person's message; the standard reason when it has none (§22.21).
std::string message_of(const Error& error);

// {"status": 404, "message": "Not Found"} with Retry-After where it helps.
http::Response json_error(const Error& error);
http::Response json_error(unsigned status, std::string_view message);

}  // namespace berth::api

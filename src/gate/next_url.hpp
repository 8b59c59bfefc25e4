// Where a browser may be sent after it signed in: `next` is local or refused (hub-protocol §2.8, Appendix C;
// CVE-2019-10255, CVE-2026-33709). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::gate {

// Path, query and fragment below this hub's own host, fit for a Location field; nothing when `next` leads
// elsewhere. `scheme` and `host` are the hub's as the browser knows them ("https", "hub.example.org:8443").
std::optional<std::string> local_next_url(
    std::string_view next, std::string_view scheme, std::string_view host);

}  // namespace berth::gate

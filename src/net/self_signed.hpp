// A certificate for a first try: self-signed, made here, kept in a folder. Browsers warn of it; what is said
// in the log, its fingerprint, is what to compare there.
#pragma once

#include "net/tls.hpp"

#include <string>
#include <vector>

namespace berth::net {

struct SelfSigned {
    TlsPair pair;
    std::string fingerprint;  // SHA-256, "AB:CD:…", as browsers show it
};

// The one in `folder`, for at least 30 days more; otherwise a new one of these names (DNS names and
// addresses), which lasts 397 days. The key is readable for us only. Errors: certificate_unusable.
Result<SelfSigned> self_signed_in(const std::string& folder, const std::vector<std::string>& names);

}  // namespace berth::net
